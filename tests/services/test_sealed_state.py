"""The state does not know of keys: not of generations, not of when sealing began, not of what a sealed body is."""

from __future__ import annotations

from pathlib import Path
from random import Random

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.compose import Heedful, engine_over
from heedful.compose.vaults import memory_vault
from heedful.log.codec import encode
from heedful.log.partitioned import PartitionedLog
from heedful.log.sqlite import SqliteLog
from heedful.services.engine import Engine
from heedful.services.verify import catch_up
from heedful.vault.cipher import is_sealed
from heedful.vault.pseudonyms import Pseudonyms
from heedful.vocabulary.errors import Corrupt
from heedful.vocabulary.event import Event, Line, Record
from heedful.vocabulary.ids import EventId, SubjectId
from heedful.vocabulary.receipt import Status
from heedful.vocabulary.time import FixedClock, Instant

SECRET = bytes(32)
NAMES = Pseudonyms(SECRET)
AT = Instant(1_795_000_000_000_000)

_SCHEMA = """
CREATE TABLE records (
  offset INTEGER PRIMARY KEY, id TEXT NOT NULL, subject BLOB NOT NULL, at INTEGER NOT NULL,
  client INTEGER NOT NULL, sent INTEGER NOT NULL, received INTEGER NOT NULL, crc INTEGER NOT NULL, body BLOB
) STRICT;
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
INSERT INTO meta VALUES ('log_id', '00112233445566778899aabbccddeeff');
PRAGMA user_version = 1;
"""
_ANN, _BOB = "cf5fa49ee52f04fa923528a306ae40f1", "d3c228215a6fa72be1bf23e2bc049f13"
GOLDEN = (
    ("web:m1", _ANN, 2314783908, "019ca4766965779194a474656e7401cd07cfa474656e74a0a3455552c0a3616e6ea0ae50726f64"
     "75637420566965776564a0c4157b2270726f647563745f6964223a2274656e74227dc400c400"),
    ("web:m2", _ANN, 1774669934, "019ca4766965779194a573746f766501cd07cfa573746f7665a0a3455552c0a3616e6ea0ae5072"
     "6f6475637420566965776564a0c4167b2270726f647563745f6964223a2273746f7665227dc400c400"),
    ("web:m3", _BOB, 3382259728, "019ca4766965779194a474656e7401cd07cfa474656e74a0a3455552c0a3626f62a0ae50726f64"
     "75637420566965776564a0c4157b2270726f647563745f6964223a2274656e74227dc400c400"),
)  # fmt: skip
"""A log as it was written before there was sealing: id, subject, checksum, body. Never to be changed."""


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    """The data folder of that log. Its secret is 32 zeros."""
    (tmp_path / "pseudonym.key").write_bytes(SECRET)
    (tmp_path / "pseudonym.key").chmod(0o600)
    connection = apsw.Connection(str(tmp_path / "log.sqlite3"))
    connection.execute(_SCHEMA)
    for offset, (event, subject, crc, body) in enumerate(GOLDEN, 1):
        at = AT + offset * 1_000_000
        row = (offset, event, bytes.fromhex(subject), at, 0, 0, at, crc, bytes.fromhex(body))
        connection.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.close()
    return tmp_path


def view(name: str, who: str, item: str, at: int) -> Record:
    event = Event(
        kind="view", lines=(Line(item, 1, 1_999, item),), currency="EUR", user=who, name="Product Viewed",
        properties=b'{"product_id":"%s"}' % item.encode(),
    )  # fmt: skip
    when = Instant(AT + at * 1_000_000)
    return Record(EventId(name), NAMES.user(who), when, Instant(0), Instant(0), when, encode(event))


def test_a_log_from_before_there_was_sealing_is_read_and_goes_on_sealed(golden: Path) -> None:
    with Heedful(golden) as shop:
        assert len(shop.engine.fold.subjects) == 2
        repeat, other = shop.engine.log.append(
            [view("web:m2", "ann", "stove", 9), view("web:m3", "bob", "map", 3)]
        )
        assert (repeat.status, other.status) == (Status.DUPLICATE, Status.REFUSED)
        assert shop.track("Product Viewed", user_id="ann", properties={"product_id": "lamp"}).success
        assert shop.engine.verify().agrees
        digests = shop.engine.fold.digests()
    with SqliteLog.reader(golden / "log.sqlite3") as log:
        places = list(range(1, 5))
        bodies = [stored.record.body for stored in log.fetch(places)]  # type: ignore[arg-type]  # plain numbers
    assert [body.hex() for body in bodies[:3]] == [body for _, _, _, body in GOLDEN]
    assert is_sealed(bodies[3])
    with Heedful(golden) as shop:
        assert shop.engine.fold.digests() == digests


class Written:
    """An engine over a partitioned log, with keys of its own."""

    def __init__(self, seed: int) -> None:
        self.vault = memory_vault(FixedClock(AT))
        self.engine: Engine = engine_over(
            PartitionedLog(3, seed=seed), self.vault, SECRET, clock=FixedClock(AT)
        )

    def digests(self) -> dict[str, str]:
        catch_up(self.engine.fold, self.engine.log)
        assert self.engine.verify().agrees
        return self.engine.fold.digests()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["ann", "bob"]), st.sampled_from(["tent", "map", "axe"])),
        min_size=1, max_size=14,
    ),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_state_is_the_same_under_any_keys_and_generations_and_in_any_order(
    events: list[tuple[int, str, str]], random: Random
) -> None:
    """Several events under one id, so that the winner is found among sealed bodies."""
    records = [view(f"web:{name}", who, item, name) for name, who, item in events]
    first, second = Written(1), Written(2)
    first.engine.log.append(records)
    shuffled = random.sample(records, len(records))
    for one in shuffled:
        if random.random() < 0.4:
            second.vault.keys.renew(one.subject)
        second.engine.log.append([one])
        if random.random() < 0.3:
            catch_up(second.engine.fold, second.engine.log)
    assert first.digests() == second.digests()


def test_state_without_a_person_is_the_same_purged_or_with_the_key_destroyed() -> None:
    records = [
        view(f"web:{number}", "ann" if number % 3 else "bob", f"i{number % 4}", number)
        for number in range(30)
    ]
    ann: SubjectId = NAMES.user("ann")
    without, dead = Written(1), Written(2)
    without.engine.log.append([record for record in records if record.subject != ann])
    dead.engine.log.append(records)
    dead.vault.destroy([ann])
    assert dead.digests() == without.digests()


def test_a_body_under_another_events_id_stops_the_fold() -> None:
    """Nothing that does not open is passed over in silence: only what was destroyed on purpose is."""
    written = Written(1)
    (sealed,) = written.engine.log.seal([view("web:1", "ann", "tent", 1)])  # type: ignore[attr-defined]  # a SealedLog
    moved = Record(
        EventId("web:2"), sealed.subject, sealed.at, sealed.client, sealed.sent, sealed.received, sealed.body
    )
    written.engine.log.begin([moved])  # type: ignore[attr-defined]
    written.engine.log.commit()  # type: ignore[attr-defined]
    with pytest.raises(Corrupt, match="position"):
        written.digests()
