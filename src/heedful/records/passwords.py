"""Passwords: which are taken, and what is kept of them.

argon2id (RFC 9106) with 19 MiB, two passes and one lane, the smaller of the two settings that OWASP's "Password
Storage" names as equal. Rules are those of NIST SP 800-63B, 3.1.1: length and a list of the commonest, no rules of
composition, and Unicode brought to one form (NFKC) before hashing.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from argon2.low_level import Type

from heedful.vocabulary.errors import Invalid

SHORTEST = 8
ADVISED = 15
LONGEST = 256

_HASHER = PasswordHasher(
    time_cost=2, memory_cost=19 * 1024, parallelism=1, hash_len=32, salt_len=16, type=Type.ID
)

_WORDS = """
    12345678 123456789 1234567890 0123456789 987654321 9876543210 87654321 11111111 111111111 1111111111
    00000000 0000000000 22222222 55555555 66666666 77777777 88888888 99999999 123123123 12341234 12344321 11223344
    1122334455 147258369 123654789 123456789a a123456789 1234qwer 12345qwert 123qwe123 123qweasd 1q2w3e4r
    1q2w3e4r5t 1q2w3e4r5t6y 1qaz2wsx 1qaz2wsx3edc 1qazxsw2 zaq12wsx zaq1zaq1 q1w2e3r4 q1w2e3r4t5 q1w2e3r4t5y6
    qwer1234 qwerty12 qwerty123 qwerty1234 qwerty12345 qwertyui qwertyuiop qwertzuiop azertyuiop asdfasdf asdf1234
    asdfghjk asdfghjkl zxcvbnm1 zxcvbnm123 qazwsxedc abcd1234 abc12345 abcdefgh abcdefg1 a1b2c3d4 aa123456
    aa12345678 password password1 password12 password123 password1234 password! passw0rd p@ssw0rd p@ssword
    pa$$word passwort passwort1 motdepasse contraseña contrasena senha123 wachtwoord letmein1 letmein123 welcome1
    welcome123 iloveyou iloveyou1 iloveyou2 princess princess1 sunshine sunshine1 football football1 baseball
    baseball1 basketball superman superman1 spiderman pokemon1 starwars startrek michelle jennifer jessica1
    ashley123 charlie1 michael1 daniel123 jordan23 computer internet whatever trustno1 dragon123 monkey123
    shadow123 master123 killer123 hello123 helloworld admin123 admin1234 administrator adminadmin root1234
    toortoor changeme changeme1 changeme123 changeit default1 testtest test1234 test12345 testing123 guest123
    secret123 topsecret letmeinnow liverpool chelsea1 arsenal1 manchester barcelona realmadrid ferrari1 mercedes
    porsche1 corvette mustang1 harley123 blink182 metallica slipknot nirvana1 naruto123 minecraft fortnite
    roblox123 samsung1 android1 google123 facebook facebook1 linkedin dropbox1 butterfly chocolate cookie123
    babygirl babygirl1 lovelove loveyou1 ilovegod jesus123 blessed1 freedom1 america1 summer2024 summer2025
    winter2024 winter2025 spring2025 autumn2025 monday123 friday123 january1 december1 november1 heedful1
    heedful123
"""
_COMMONEST = frozenset(_WORDS.split())
"""Of at least eight characters, from the top of published counts of leaked passwords, without regard to case."""


def refusal(password: str, name: str = "") -> str | None:
    """Why `password` is not taken from the person `name`, as the end of a sentence; None if it is taken.

    Only length, the list of the commonest, and the name itself count. Never repeats the password.
    """
    password = _form(password)
    if len(password) < SHORTEST:
        return f"is shorter than {SHORTEST} characters; {ADVISED} or more are advised"
    if len(password) > LONGEST:
        return f"is longer than {LONGEST} characters"
    folded = password.casefold()
    if folded in _COMMONEST or len(set(folded)) < 3:
        return "is one of the first that anybody would try"
    if name and re.sub(r"[\W\d_]", "", folded) in _names(name):
        return "is the name with little added"
    return None


def hashed(password: str) -> str:
    """What is kept of `password`: the argon2id hash with its parameters and a random salt. Takes about 20 ms."""
    return _HASHER.hash(_form(password))


def matches(kept: str, password: str) -> bool:
    """Whether `password` is the one that `kept` was made from. Takes as long for a near miss as for a far one."""
    if len(password) > 4 * LONGEST:  # nothing so long was ever taken, and normalising it is not free
        password = ""
    try:
        return _HASHER.verify(kept, _form(password))
    except (Argon2Error, InvalidHashError):
        return False


def right(kept: str | None, password: str) -> bool:
    """Whether `password` is the one of `kept`; None stands for a name that nobody has, and takes as long."""
    nobody = nobodys()
    return matches(nobody if kept is None else kept, password) and kept is not None


def prepared(password: str, name: str = "") -> str:
    """What is kept of a new password, once it is taken. Raises Invalid (`password_refused`)."""
    check(password, name)
    return hashed(password)


def stale(kept: str) -> bool:
    """Whether `kept` was made with other parameters than today's, so that the next login should renew it."""
    return _HASHER.check_needs_rehash(kept)


def check(password: str, name: str = "") -> None:
    """Raise Invalid (`password_refused`) unless `password` is taken."""
    wrong = refusal(password, name)
    if wrong is not None:
        raise Invalid("password_refused", f"the password {wrong}", path="password")


@cache
def nobodys() -> str:
    """What an unknown name's password is compared with, so that the answer takes as long as for a known one."""
    return hashed(secrets.token_urlsafe(32))


def _form(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _names(name: str) -> set[str]:
    parts = [re.sub(r"[\W\d_]", "", part) for part in re.split(r"[@.\s]+", name.casefold())]
    return {part for part in (*parts, "".join(parts)) if part}
