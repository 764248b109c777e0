"""Sealed bodies: they come back whole, or not at all."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from heedful.log.codec import encode
from heedful.vault.cipher import OVERHEAD, Cipher, is_sealed
from heedful.vault.key_services import AwsKey
from heedful.vault.key_store import MemoryKeyStore
from heedful.vault.keys import Keys
from heedful.vocabulary.errors import Corrupt, KeyDestroyed, KeyUnavailable
from heedful.vocabulary.event import Event
from heedful.vocabulary.ids import NOBODY, EventId, SubjectId
from tests.vault.rings import ANN, BOB, EVE, Vault
from tests.vault.services import Aws, Hands

EVENT = EventId("web:1")
bodies = st.binary(max_size=300)
events = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(EventId)
subjects = st.sampled_from([ANN, BOB, NOBODY])


def slow_open(keys: Keys, context: bytes, event: EventId, subject: SubjectId, sealed: bytes) -> bytes:
    """The slow twin of opening, written from the description of the form."""
    version, generation, nonce, rest = sealed[:1], sealed[1:5], sealed[5:17], sealed[17:]
    assert version == b"\x81"
    held = keys.opening([subject])[subject]
    key = keys.key(held, subject, version + generation)
    assert key is not None
    bound = b"\x81" + generation + bytes([len(subject)]) + subject
    bound += bytes([len(context)]) + context + event.encode()
    return AESGCM(key._secret).decrypt(nonce, rest, bound)


@given(st.lists(st.tuples(events, subjects, bodies), max_size=8), st.binary(max_size=20))
def test_what_was_sealed_opens_one_by_one_and_together(
    entries: list[tuple[EventId, SubjectId, bytes]], context: bytes
) -> None:
    vault = Vault()
    cipher = Cipher(vault.keys, context)
    sealed = cipher.seal_many(entries)
    closed = [(event, subject, one or b"") for (event, subject, _), one in zip(entries, sealed, strict=True)]
    plain = [body for _, _, body in entries]
    assert cipher.open_many(closed) == plain
    assert [cipher.open(*one) for one in closed] == plain
    assert [slow_open(vault.keys, context, *one) for one in closed] == plain
    assert [cipher.seal(*one) for one in entries] == sealed, "one by one gives the same bytes"
    for one, body in zip(closed, plain, strict=True):
        assert len(one[2]) == len(body) + OVERHEAD
        assert is_sealed(one[2])
        assert len(body) < 8 or body not in one[2]


@given(bodies, st.data())
def test_any_other_bit_is_refused(body: bytes, data: st.DataObject) -> None:
    cipher = Cipher(Vault().keys)
    sealed = bytearray(cipher.seal(EVENT, ANN, body))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt, match="web:1"):
        cipher.open(EVENT, ANN, bytes(sealed))


@given(bodies, st.integers(0, 400))
def test_a_body_that_was_cut_or_lengthened_is_refused(body: bytes, length: int) -> None:
    cipher = Cipher(Vault().keys)
    sealed = cipher.seal(EVENT, ANN, body)
    other = sealed[:length].ljust(length, b"\0")
    if other != sealed:
        with pytest.raises(Corrupt):
            cipher.open(EVENT, ANN, other)


@given(bodies, events, events)
def test_no_body_passes_for_anothers(body: bytes, event: EventId, other: EventId) -> None:
    vault = Vault()
    cipher = Cipher(vault.keys)
    sealed = cipher.seal(event, ANN, body)
    cipher.seal(event, BOB, body)
    swaps = [(cipher, event, BOB), (Cipher(vault.keys, b"traits"), event, ANN)]
    if other != event:
        swaps.append((cipher, other, ANN))
    for swapped, name, subject in swaps:
        with pytest.raises(Corrupt):
            swapped.open(name, subject, sealed)


def test_a_body_of_another_generation_does_not_open_under_a_new_head() -> None:
    vault = Vault()
    cipher = Cipher(vault.keys)
    sealed = cipher.seal(EVENT, ANN, b"body")
    vault.keys.renew(ANN)
    renamed = cipher.seal(EVENT, ANN, b"body")[:5] + sealed[5:]
    with pytest.raises(Corrupt):
        cipher.open(EVENT, ANN, renamed)


@given(events, events, bodies, bodies)
def test_a_repeat_is_the_same_bytes_and_another_message_has_another_nonce(
    event: EventId, other: EventId, body: bytes, changed: bytes
) -> None:
    vault = Vault()
    cipher = Cipher(vault.keys)
    sealed = cipher.seal(event, ANN, body)
    assert Cipher(Vault(vault.store).keys).seal(event, ANN, body) == sealed, "also by another process"
    nonces = {
        cipher.seal(*one)[5:17] for one in {(event, ANN, body), (other, ANN, changed), (event, BOB, body)}
    }
    assert len(nonces) == len({(event, ANN, body), (other, ANN, changed), (event, BOB, body)})


def test_the_nonce_binds_where_the_id_ends_and_the_body_begins() -> None:
    cipher = Cipher(Vault().keys)
    assert cipher.seal(EventId("ab"), ANN, b"c")[5:17] != cipher.seal(EventId("a"), ANN, b"bc")[5:17]


def test_what_lies_under_a_destroyed_key_is_told_apart_from_what_cannot_be_read_now() -> None:
    hands = Hands()
    service = Aws(hands)
    vault = Vault(master=AwsKey(Aws.arn, service), hands=hands)
    cipher = Cipher(vault.keys)
    entries = [(EVENT, who, b"body") for who in (ANN, BOB)]
    sealed = [
        (EVENT, who, body or b"")
        for (_, who, _), body in zip(entries, cipher.seal_many(entries), strict=True)
    ]
    vault.keys.destroy([ANN])
    assert cipher.open_many(sealed) == [None, b"body"]
    assert cipher.seal_many(entries)[0] is None
    with pytest.raises(KeyDestroyed):
        cipher.open(*sealed[0])
    with pytest.raises(KeyDestroyed):
        cipher.seal(EVENT, ANN, b"late")
    service.enabled = False
    hands.seconds += 101
    with pytest.raises(KeyUnavailable):
        cipher.open(*sealed[1])
    with pytest.raises(KeyUnavailable):
        cipher.open_many(sealed)
    for who in (BOB, EVE):
        with pytest.raises(KeyUnavailable):
            cipher.seal_many([(EVENT, who, b"never written")])
    with pytest.raises(KeyDestroyed):
        cipher.open(*sealed[0])  # known without any key
    service.enabled = True
    hands.seconds += 2
    assert cipher.open(*sealed[1]) == b"body"


def test_a_plain_body_is_not_taken_for_a_sealed_one() -> None:
    for plain in (
        b"",
        b"\x9c\xa4view" + b"\0" * 60,
        b"{}",
        b"\x01short",
        encode(Event("view", name="n" * 60)),
    ):
        assert not is_sealed(plain)
    with pytest.raises(Corrupt, match="sealed"):
        Cipher(Vault(MemoryKeyStore()).keys).open(EVENT, ANN, b"\x9c" + b"\0" * 60)
