"""Sealed files: whole, in order and of their epoch, or they do not open."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.objects.folder import Folder
from heedful.vault.cipher import Cipher
from heedful.vault.sealed_files import CHUNK, EPOCH, FILES, SealedFiles, SealedReader, generation_of
from heedful.views import snapshot
from heedful.vocabulary.errors import Corrupt, KeyDestroyed, NotFound
from heedful.vocabulary.ids import EventId
from heedful.vocabulary.time import Instant
from tests.vault.rings import Vault

HEAD, SEALED = 32, CHUNK + 16
SIZES = st.one_of(
    st.integers(0, 300), st.integers(CHUNK - 2, CHUNK + 2), st.integers(3 * CHUNK - 1, 3 * CHUNK + 1)
)


def files(vault: Vault | None = None) -> SealedFiles:
    vault = vault or Vault()
    return SealedFiles(vault.keys, vault.clock)


def content_of(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


def sealed_of(made: SealedFiles, content: bytes, context: bytes = b"a.snapshot") -> bytes:
    return b"".join(made.seal([content], context))


def opened(made: SealedFiles, sealed: bytes, context: bytes = b"a.snapshot") -> bytes:
    return made.open(io.BytesIO(sealed), context).readall()


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(1, 200_000))
def test_a_file_comes_back_whatever_the_pieces_were(size: int, piece: int) -> None:
    made, content = files(), content_of(size)
    pieces = [memoryview(content)[start : start + piece] for start in range(0, size, piece)]
    sealed = b"".join(made.seal(pieces, b"x"))
    assert len(sealed) == HEAD + size + 16 * max(1, -(-size // CHUNK))
    assert made.open(io.BytesIO(sealed), b"x").readall() == content


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_any_other_bit_is_refused(size: int, data: st.DataObject) -> None:
    made = files()
    sealed = bytearray(sealed_of(made, content_of(size)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(Corrupt):
        opened(made, bytes(sealed))


@settings(max_examples=60, deadline=None)
@given(SIZES, st.data())
def test_a_file_that_was_cut_anywhere_does_not_open(size: int, data: st.DataObject) -> None:
    made = files()
    sealed = sealed_of(made, content_of(size))
    ends = st.one_of(st.integers(0, len(sealed) - 1), st.sampled_from(range(HEAD, len(sealed), SEALED)))
    with pytest.raises(Corrupt):
        made.open(io.BytesIO(sealed[: data.draw(ends)]), b"a.snapshot")


@pytest.mark.parametrize("size", [2 * CHUNK, 2 * CHUNK + 9, 3 * CHUNK])
def test_chunks_in_another_order_left_out_repeated_or_of_another_file_are_refused(size: int) -> None:
    made = files()
    one, two = sealed_of(made, content_of(size)), sealed_of(made, content_of(size))
    head = one[:HEAD]
    chunks = [one[start : start + SEALED] for start in range(HEAD, len(one), SEALED)]
    others = [two[start : start + SEALED] for start in range(HEAD, len(two), SEALED)]
    for wrong in (
        [chunks[1], chunks[0], *chunks[2:]],
        chunks[1:],
        chunks[:-1],
        [*chunks, chunks[-1]],
        [chunks[0], chunks[0], *chunks[1:]],
        [others[0], *chunks[1:]],
    ):
        with pytest.raises(Corrupt):
            opened(made, head + b"".join(wrong))
    with pytest.raises(Corrupt):
        opened(made, two[:HEAD] + one[HEAD:])
    assert opened(made, one) == opened(made, two) == content_of(size)


def test_a_renamed_file_and_one_of_another_installation_are_refused() -> None:
    made = files()
    sealed = sealed_of(made, b"content")
    with pytest.raises(Corrupt):
        opened(made, sealed, b"b.snapshot")
    other = files()
    sealed_of(other, b"")
    with pytest.raises(Corrupt):
        opened(other, sealed)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2 * CHUNK + 50), st.integers(0, CHUNK + 9)), max_size=6))
def test_reading_here_and_there_gives_what_a_plain_file_gives(places: list[tuple[int, int]]) -> None:
    made, content = files(), content_of(2 * CHUNK + 11)
    reader, plain = made.open(io.BytesIO(sealed_of(made, content)), b"a.snapshot"), io.BytesIO(content)
    for place, length in places:
        assert reader.seek(place) == plain.seek(place)
        buffer, expected = bytearray(length), bytearray(length)
        assert reader.readinto(buffer) == plain.readinto(expected)
        assert buffer == expected
        assert reader.tell() == plain.tell()
    assert reader.seek(-3, io.SEEK_END) == plain.seek(-3, io.SEEK_END)
    assert reader.read() == plain.read()


def test_a_snapshot_goes_into_a_sealed_file_and_shows_nothing(tmp_path: Path) -> None:
    made = files()
    arrays = {"times": np.arange(50_000, dtype=np.int64), "flags": np.ones(7, dtype=np.bool_)}
    plain = b"".join(bytes(one) for one in snapshot.chunks("key", (7,), 1, arrays))
    path = Folder(tmp_path).put(
        "a.snapshot", made.seal(snapshot.chunks("key", (7,), 1, arrays), b"a.snapshot")
    )
    assert b"times" not in path.read_bytes()
    with path.open("rb") as file:
        reader = made.open(file, b"a.snapshot")
        assert isinstance(reader, SealedReader)
        assert reader.size == len(plain)
        assert reader.readall() == plain


# Epochs


def test_a_new_epoch_begins_after_seven_days_and_old_files_still_open() -> None:
    vault = Vault()
    made = files(vault)
    first = sealed_of(made, b"one")
    vault.clock.at = Instant(vault.clock.at + EPOCH - 1)
    second = sealed_of(made, b"two")
    vault.clock.at = Instant(vault.clock.at + 1)
    third = sealed_of(made, b"three")
    assert [generation_of(one[:HEAD]) for one in (first, second, third)] == [1, 1, 2]
    assert [opened(made, one) for one in (first, second, third)] == [b"one", b"two", b"three"]


def test_destroying_an_epoch_closes_its_files_for_ever_and_no_others() -> None:
    vault = Vault()
    made = files(vault)
    assert made.destroy_before(1) is None
    old = sealed_of(made, b"with the person")
    assert made.turn() == 2
    new = sealed_of(made, b"without")
    tombstone = made.destroy_before(2)
    assert tombstone is not None
    assert (tombstone.subject, tombstone.through) == (FILES, 1)
    with pytest.raises(KeyDestroyed):
        opened(made, old)
    assert opened(made, new) == b"without"
    with pytest.raises(NotFound):
        made.destroy_before(9)
    assert opened(made, sealed_of(made, b"later")) == b"later"


def test_a_file_does_not_pass_for_an_event() -> None:
    vault = Vault()
    sealed = sealed_of(files(vault), b"content")
    with pytest.raises(Corrupt):
        Cipher(vault.keys).open(EventId("a.snapshot"), FILES, b"\x81" + sealed[8:12] + sealed[HEAD:])
