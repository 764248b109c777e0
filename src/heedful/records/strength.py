"""Which keys brought from outside are too easy to guess to be taken.

A key that we make has 192 random bits. One that an operator brings may be `changeme`; this module says so
before anybody relies on it.
"""

from __future__ import annotations

import re
from itertools import pairwise

SHORTEST = 8
STRONG = 16
LONGEST = 200

_PLACEHOLDERS = (
    "changeme", "changethis", "password", "passw0rd", "letmein", "yourkey", "yourwritekey", "yoursecret",
    "secretkey", "writekey", "replaceme", "replacethis", "placeholder", "insertkey", "example", "default",
    "supersecret", "topsecret", "notsecret", "qwerty", "iloveyou", "deadbeef", "cafebabe", "testtest",
    "heedful", "todotodo",
)  # fmt: skip
"""Words of documentation and of password lists. 12 random base62 digits hold one of them about never."""


def impossibility(key: str) -> str | None:
    """Why `key` cannot be a key anywhere, as the end of a sentence; None if it can.

    It is shorter than 8 or longer than 200 characters, holds anything but printable ASCII without spaces, or a
    colon (Basic credentials end there), or is nothing but one of the words that everybody tries first.
    """
    if len(key) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if len(key) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if not re.fullmatch(r"[!-9;-~]+", key):
        return "holds a character other than printable ASCII, or a space or a colon"
    if re.sub(r"[^a-z0-9]", "", key.lower()).strip("0123456789") in _PLACEHOLDERS:
        return "is a placeholder from an example or a well-known password"
    return None


def weakness(key: str) -> str | None:
    """What is wrong with `key`, as the end of a sentence; None if nothing is.

    Wrong is what makes it impossible, and: shorter than 16 characters, fewer than 8 different ones, a
    placeholder in it, or mostly a run such as `abcdef` or `111111`.
    """
    impossible = impossibility(key)
    if impossible is not None:
        return impossible
    if len(key) < STRONG:
        return f"is shorter than {STRONG} characters"
    if len(set(key)) < 8:
        return "holds fewer than 8 different characters"
    plain = re.sub(r"[^a-z0-9]", "", key.lower())
    if any(word in plain for word in _PLACEHOLDERS):
        return "is a placeholder from an example or a well-known password"
    steps = [ord(b) - ord(a) for a, b in pairwise(key)]
    if sum(step in (-1, 0, 1) for step in steps) * 2 > len(steps):
        return "is mostly a run of neighbouring characters"
    return None
