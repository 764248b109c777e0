"""The audit: what an entry holds, and that no later change to the chain goes unseen."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from heedful.records.audit import Audit, MemoryChain, broken, digest, plain
from heedful.vocabulary.time import FixedClock, Instant


def chain_of(count: int) -> MemoryChain:
    chain = MemoryChain()
    audit = Audit(chain, FixedClock(Instant(7)))
    for number in range(count):
        audit.tell("person:ada", "key.revoke", f"key:{number}", before={"n": number}, after=None)
    return chain


def test_an_entry_says_who_did_what_to_what_and_holds_digests_only() -> None:
    chain = MemoryChain()
    head = Audit(chain, FixedClock(Instant(7))).tell(
        "person:ada",
        "person.reset",
        "person:bob",
        before={"hash": "$argon2id$old"},
        after={"hash": "new secret"},
    )
    (entry,) = chain.entries()
    assert head == chain.head
    assert (entry.at, entry.actor, entry.action, entry.object) == (
        7,
        "person:ada",
        "person.reset",
        "person:bob",
    )
    assert entry.before == digest({"hash": "$argon2id$old"})
    assert entry.after != entry.before
    assert b"argon2id" not in chain.links[0][0]
    assert b"secret" not in chain.links[0][0]


def test_a_digest_does_not_depend_on_the_order_of_fields() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) != digest({"a": 2, "b": 1})
    assert digest(None) == ""


@given(st.text())
def test_a_name_cannot_begin_a_new_line(text: str) -> None:
    assert plain(text).isprintable()


def test_an_untouched_chain_is_whole() -> None:
    chain = chain_of(50)
    assert broken(chain.links) is None
    assert broken(chain.links, chain.head) is None
    assert broken([]) is None


def test_ten_thousand_changes_are_all_found() -> None:
    chain = chain_of(40)
    draw = random.Random(7)
    for _ in range(10_000):
        links = list(chain.links)
        place, other = draw.randrange(40), draw.randrange(40)
        body, hash_ = links[place]
        match draw.randrange(6):
            case 0:
                at = draw.randrange(len(body))
                links[place] = (
                    body[:at] + bytes([body[at] ^ 1 << draw.randrange(8)]) + body[at + 1 :],
                    hash_,
                )
            case 1:
                links[place] = (body, hash_[:-1] + ("0" if hash_[-1] != "0" else "1"))
            case 2:
                del links[place]
            case 3:
                links.insert(place, links[other])
            case 4:
                if place == other:
                    continue
                links[place], links[other] = links[other], links[place]
            case _:
                links = links[:place]
        assert broken(links, chain.head) is not None


def test_a_chain_that_was_written_anew_shows_against_a_head_kept_elsewhere() -> None:
    assert broken(chain_of(39).links, chain_of(40).head) == 39
