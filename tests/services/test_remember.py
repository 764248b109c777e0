"""Snapshots: what is restored is what was, damage is found and costs time only, and only this log's is used."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from heedful.objects.folder import Folder
from heedful.services import remember
from heedful.views.snapshot import chunks, read
from heedful.vocabulary.errors import Corrupt
from tests.services.shop import Shop

TYPES = ("?", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f8")


def fill(shop: Shop, seed: int, count: int = 60) -> None:
    """Every kind of thing that a fold keeps."""
    random = Random(seed)
    for number in range(count):
        item, who = f"i{random.randrange(12)}", f"p{random.randrange(8)}"
        match random.randrange(6):
            case 0:
                shop.put_item(item, title=item, categories=["c"], available=random.random() < 0.8)
            case 1:
                shop.buys(who, item, f"{item}-more", order=f"{seed}-{number}")
            case 2:
                shop.does("An event of our own", who, item)
            case _:
                shop.views(who, item)
        shop.wait(random.choice((0, 5, 40)))


def answer(shop: Shop) -> list[tuple[str, float, str]]:
    shown = shop.recommend("p1", item_id="i1", limit=100).items
    return [(item.item_id, item.score, item.reason.text) for item in shown]


def snapshots(where: Path) -> list[Path]:
    return sorted((where / "snapshots").iterdir())


def test_a_second_start_reads_the_snapshot_and_is_the_same(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        fill(shop, 1)
        first, now = answer(shop), shop.clock.at
        shop.engine._commits.flush(1.0)
        digests = shop.engine.fold.digests()
        items = list(shop.engine.fold.items.ids)
    with Shop(tmp_path) as shop:
        shop.clock.at = now
        assert shop.engine.snapshot_at == shop.engine.place() > 0
        assert list(shop.engine.fold.items.ids) == items
        assert shop.engine.fold.digests() == digests
        assert answer(shop) == first
        assert shop.verify().agrees


def test_what_came_after_the_snapshot_is_folded_on_top(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        fill(shop, 1)
    with Shop(tmp_path) as shop:
        fill(shop, 2)
        shutil.copytree(tmp_path / "snapshots", tmp_path / "kept")
        shop.engine._commits.flush(1.0)
        digests = shop.engine.fold.digests()
    shutil.rmtree(tmp_path / "snapshots")
    shutil.copytree(tmp_path / "kept", tmp_path / "snapshots")
    with Shop(tmp_path) as shop:
        assert 0 < shop.engine.snapshot_at < shop.engine.place()
        assert shop.engine.fold.digests() == digests
        assert shop.verify().agrees


def test_nothing_new_makes_no_snapshot(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        fill(shop, 1, 5)
        assert shop.engine.snapshot() is not None
        assert shop.engine.snapshot() is None
        shop.views("ada", "tent")
        assert shop.engine.snapshot() is not None


def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        for number in range(4):
            shop.views("ada", f"i{number}")
            shop.engine.snapshot()
    names = [file.name for file in snapshots(tmp_path)]
    assert len(names) == remember.KEEP == 2
    assert names == sorted(names)


def test_a_snapshot_after_which_the_log_went_another_way_is_not_used(tmp_path: Path) -> None:
    where, backup = tmp_path / "data", tmp_path / "backup"
    with Shop(where) as shop:
        fill(shop, 1, 300)
    shutil.copytree(where, backup)
    with Shop(where) as shop:
        fill(shop, 2, 40)  # lost with the disk, but for its snapshot
    with Shop(backup) as shop:
        fill(shop, 3, 60)
        digests = shop.engine.fold.digests()
    shutil.rmtree(backup / "snapshots")
    shutil.copytree(where / "snapshots", backup / "snapshots")
    with Shop(backup) as shop:
        assert shop.engine.fold.digests() == digests
        assert shop.verify().agrees


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with two snapshots, for copies to be damaged."""
    where = tmp_path_factory.mktemp("kept")
    with Shop(where) as shop:
        fill(shop, 1, 30)
        shop.engine.snapshot()
        fill(shop, 2, 10)
    assert len(snapshots(where)) == 2
    return where


def copied(folder: Path, to: Path) -> Path:
    shutil.copytree(folder, to)
    return to


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "another epoch"])
def test_a_damaged_snapshot_is_passed_over_for_the_one_before(
    folder: Path, tmp_path: Path, damage: str
) -> None:
    where = copied(folder, tmp_path / "data")
    before, newest = snapshots(where)
    content = bytearray(newest.read_bytes())
    match damage:
        case "flip":
            content[len(content) * 2 // 3] ^= 1
        case "cut":
            del content[len(content) // 2 :]
        case "empty":
            content.clear()
        case _:
            content[8:12] = (1 << 30).to_bytes(4, "big")
    newest.write_bytes(content)
    with Shop(where) as shop:
        assert shop.engine.snapshot_at == int(before.name.removeprefix("fold-"))
        assert shop.verify().agrees


def test_without_any_good_snapshot_the_log_is_folded_from_zero(folder: Path, tmp_path: Path) -> None:
    where = copied(folder, tmp_path / "data")
    for file in snapshots(where):
        file.write_bytes(b"HEEDSNP1" + bytes(100))
    with Shop(where) as shop:
        assert shop.engine.snapshot_at == 0
        assert shop.verify().agrees
        digests = shop.engine.fold.digests()
    with Shop(copied(folder, tmp_path / "again")) as shop:
        assert shop.engine.fold.digests() == digests


def test_a_flipped_bit_anywhere_is_found(folder: Path, tmp_path: Path) -> None:
    newest = tmp_path / "plain"
    with Shop(copied(folder, tmp_path / "data")) as shop:
        fold = shop.engine.fold
        newest.write_bytes(b"".join(chunks(fold.key(), fold.cursor.offsets, fold.floor, fold.state())))
    content = newest.read_bytes()
    header, arrays = read(newest)
    file = tmp_path / "flipped"
    places = [*range(80), *Random(1).sample(range(len(content)), 250), len(content) - 1]
    found = 0
    for place in places:
        flipped = bytearray(content)
        flipped[place] ^= 1 << place % 8
        file.write_bytes(flipped)
        try:
            again, same = read(file)
        except Corrupt:
            found += 1
            continue
        # Only the padding between arrays may be anything.
        assert again == header
        assert all((arrays[name] == same[name]).all() for name in arrays)
    assert found > len(places) // 2


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5), st.tuples(st.sampled_from(TYPES), st.integers(0, 40)), min_size=0, max_size=4
    ),
    st.lists(st.integers(0, 2**47), max_size=3),
    st.integers(-(2**62), 2**62),
)
def test_any_arrays_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    shapes: dict[str, tuple[str, int]],
    cursor: list[int],
    floor: int,
) -> None:
    arrays: dict[str, NDArray[np.generic]] = {
        name: np.arange(size).astype(kind) for name, (kind, size) in shapes.items()
    }
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(b"".join(chunks("key", tuple(cursor), floor, arrays)))
    header, found = read(file)
    assert (header.key, header.cursor, header.floor) == ("key", tuple(cursor), floor)
    assert {name: (array.dtype, array.tolist()) for name, array in found.items()} == {
        name: (array.dtype, array.tolist()) for name, array in arrays.items()
    }
    assert all(array.flags.writeable for array in found.values())


def test_an_array_of_objects_is_never_written() -> None:
    with pytest.raises(ValueError, match="type"):
        list(chunks("key", (), 0, {"pickle": np.array([object()])}))


def test_a_snapshot_of_other_settings_is_not_used(folder: Path, tmp_path: Path) -> None:
    where = copied(folder, tmp_path / "data")
    (where / "settings.toml").write_text("idle_minutes = 5\n[kinds.view]\nweight = 7\njoins_session = true\n")
    with Shop(where) as shop:
        assert shop.engine.snapshot_at == 0
        assert shop.verify().agrees


def test_a_snapshot_of_another_installation_is_not_used(folder: Path, tmp_path: Path) -> None:
    where = tmp_path / "data"
    with Shop(where) as shop:
        fill(shop, 9, 80)
        digests = shop.engine.fold.digests()
    shutil.rmtree(where / "snapshots")
    shutil.copytree(folder / "snapshots", where / "snapshots")
    with Shop(where) as shop:
        assert shop.engine.snapshot_at == 0
        assert shop.engine.fold.digests() == digests
        assert shop.verify().agrees


def test_a_snapshot_of_another_log_of_the_same_installation_is_not_used(folder: Path, tmp_path: Path) -> None:
    where = tmp_path / "data"
    where.mkdir(mode=0o700)
    shutil.copy2(folder / "pseudonym.key", where)
    with Shop(where) as shop:
        fill(shop, 9, 80)
        digests = shop.engine.fold.digests()
    shutil.rmtree(where / "snapshots")
    shutil.copytree(folder / "snapshots", where / "snapshots")
    with Shop(where) as shop:
        assert shop.engine.snapshot_at == 0
        assert shop.engine.fold.digests() == digests


def test_a_snapshot_beyond_the_log_is_not_used(folder: Path, tmp_path: Path) -> None:
    where = tmp_path / "data"
    where.mkdir(mode=0o700)
    shutil.copy2(folder / "pseudonym.key", where)
    shutil.copytree(folder / "snapshots", where / "snapshots")
    with Shop(where) as shop:
        assert shop.engine.place() == 0
        assert shop.ids() == []
        shop.views("ada", "tent")
        assert shop.verify().agrees


def test_half_a_snapshot_is_never_seen_under_its_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.put("a", [b"old"])

    def failing() -> object:
        yield b"new"
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        folder.put("a", failing())  # type: ignore[arg-type]
    assert folder.where("a").read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_draft_that_a_crash_left_is_no_snapshot(folder: Path, tmp_path: Path) -> None:
    where = copied(folder, tmp_path / "data")
    newest = snapshots(where)[-1]
    (where / "snapshots" / f".{newest.name}.1.draft").write_bytes(newest.read_bytes()[:100])
    with Shop(where) as shop:
        assert shop.engine.snapshot_at == int(newest.name.removeprefix("fold-"))
