"""Master keys: where they come from, what they refuse, and what happens when a key service is away."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.vault.key_services import AwsKey, GoogleKey
from heedful.vault.key_store import MemoryKeyStore
from heedful.vault.master import KeyFolder, LocalKey, MasterKey, Masters, environment_key
from heedful.vault.wrapping import WrappingKeys
from heedful.vocabulary.errors import Corrupt, Invalid, KeyUnavailable, SettingsError
from heedful.vocabulary.ids import SubjectId
from heedful.vocabulary.time import Instant
from tests.vault.services import Aws, Google, Hands, Service

SUBJECT, NOW = SubjectId(b"s" * 16), Instant(5)


def masters_of_every_kind() -> list[MasterKey]:
    return [
        LocalKey(bytes(range(32)), "file", "master.1.key"),
        AwsKey(Aws.arn, Aws(Hands())),
        GoogleKey(Google.name, Google(Hands())),
    ]


@given(st.binary(min_size=1, max_size=64), st.binary(max_size=64), st.data())
def test_every_master_opens_what_it_closed_and_nothing_else(
    key: bytes, context: bytes, data: st.DataObject
) -> None:
    for master in masters_of_every_kind():
        closed = master.wrap(key, context)
        assert master.unwrap(closed, context) == key
        with pytest.raises(Corrupt):
            master.unwrap(closed, context + b"x")
        bit = data.draw(st.integers(8, 8 * len(closed) - 1))  # the fakes keep their version in the first byte
        changed = bytearray(closed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Corrupt):
            master.unwrap(bytes(changed), context)


def test_two_local_keys_do_not_open_each_others() -> None:
    one, two = LocalKey(bytes(32), "file", "a"), LocalKey(b"1" * 32, "file", "b")
    with pytest.raises(Corrupt):
        two.unwrap(one.wrap(b"k" * 32, b""), b"")
    with pytest.raises(Corrupt):
        one.unwrap(b"short", b"")


def test_what_describes_a_key_says_nothing_of_it() -> None:
    key = bytes(range(32))
    said = repr(LocalKey(key, "file", "master.1.key").describe())
    assert key.hex()[:12] not in said
    assert base64.b64encode(key).decode()[:8] not in said
    assert LocalKey(key, "environment", "X").describe().id == LocalKey(key, "file", "Y").describe().id


# In the environment and in files


@pytest.mark.parametrize(
    "text", ["", "  ", "short", base64.b64encode(b"x" * 31).decode(), "ä" * 44, "=" * 44]
)
def test_an_environment_key_that_is_not_32_bytes_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SettingsError, match="exactly 32 bytes") as refused:
        environment_key("MASTER", {"MASTER": text})
    assert not text.strip() or text not in str(refused.value)


def test_an_environment_key_is_base64_of_32_bytes() -> None:
    key = environment_key("MASTER", {"MASTER": base64.b64encode(bytes(range(32))).decode() + "\n"})
    assert key.describe().id == LocalKey(bytes(range(32)), "file", "").describe().id


def test_the_first_start_makes_a_key_file_for_its_owner_only(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path / "keys")
    with pytest.raises(SettingsError, match="backup"):
        folder.masters(create=False)
    made = folder.masters().current
    assert folder.masters(create=False).current.describe() == made.describe()
    path = tmp_path / "keys" / "master.1.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="chmod 600"):
        folder.masters()


def test_the_highest_number_is_in_use_and_the_others_still_open(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    first = folder.masters()
    closed = first.current.wrap(b"k" * 32, b"")
    both = folder.add()
    assert folder.numbers() == [1, 2]
    assert both.current.describe() != first.current.describe()
    assert both.of(first.current.describe().id).unwrap(closed, b"") == b"k" * 32


def test_only_an_older_key_file_is_removed(tmp_path: Path) -> None:
    folder = KeyFolder(tmp_path)
    first = folder.masters().current.describe()
    both = folder.add()
    with pytest.raises(Invalid):
        folder.remove(both.current.describe())
    folder.remove(first)
    assert folder.numbers() == [2]
    assert folder.masters().older == ()
    with pytest.raises(SettingsError, match="not configured"):
        folder.masters().of(first.id)


# Key services


@pytest.mark.parametrize("name", ["alias/mine", "arn:aws:kms:eu:1:alias/mine", "arn:aws:s3:eu:1:key/1", ""])
def test_a_name_that_could_mean_another_aws_key_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="ARN"):
        AwsKey(name, Aws(Hands()))


@pytest.mark.parametrize(
    "name", ["", "projects/p/locations/l/keyRings/r", Google.name + "/cryptoKeyVersions/1"]
)
def test_a_name_of_another_form_is_no_google_key(name: str) -> None:
    with pytest.raises(SettingsError, match="cryptoKeys"):
        GoogleKey(name, Google(Hands()))


def service(kind: str) -> tuple[Service, MasterKey]:
    if kind == "aws":
        aws = Aws(Hands())
        return aws, AwsKey(Aws.arn, aws)
    google = Google(Hands())
    return google, GoogleKey(Google.name, google)


@pytest.mark.parametrize("kind", ["aws", "google"])
def test_a_service_that_is_switched_off_or_does_not_answer_is_unavailable(kind: str) -> None:
    away, master = service(kind)
    closed = master.wrap(b"k" * 32, b"c")
    away.enabled = False
    for call, content in ((master.wrap, b"k" * 32), (master.unwrap, closed)):
        with pytest.raises(KeyUnavailable, match="enabled") as refused:
            call(content, b"c")
        assert refused.value.retry_after
    away.enabled, away.delay = True, 60.0
    with pytest.raises(KeyUnavailable):
        master.unwrap(closed, b"c")
    away.delay = 1.0
    assert master.unwrap(closed, b"c") == b"k" * 32


@pytest.mark.parametrize("kind", ["aws", "google"])
def test_a_service_that_rotated_its_key_still_opens_what_is_old(kind: str) -> None:
    rotated, master = service(kind)
    closed = master.wrap(b"k" * 32, b"c")
    rotated.rotate()
    assert master.unwrap(closed, b"c") == b"k" * 32
    assert master.unwrap(master.wrap(b"n" * 32, b"c"), b"c") == b"n" * 32


# Leases


def leased(kind: str = "aws", lease: float = 100.0) -> tuple[Service, WrappingKeys, Hands]:
    asked, master = service(kind)
    keys = WrappingKeys(MemoryKeyStore(), Masters(master), lease=lease, monotonic=asked.hands)
    keys.current(NOW)
    asked.asked = 0
    return asked, keys, asked.hands


def test_within_a_lease_the_service_is_not_asked() -> None:
    asked, keys, hands = leased()
    for _ in range(1_000):
        hands.seconds += 0.09
        keys.current(NOW)
    assert asked.asked == 0
    hands.seconds += 20
    keys.current(NOW)
    assert asked.asked == 1


def test_switching_the_service_off_ends_everything_within_a_lease() -> None:
    asked, keys, hands = leased()
    asked.enabled = False
    hands.seconds += 99
    keys.current(NOW)
    hands.seconds += 1.5
    with pytest.raises(KeyUnavailable):
        keys.current(NOW)


def test_a_service_that_is_away_is_asked_once_a_pause() -> None:
    asked, keys, hands = leased()
    asked.enabled = False
    hands.seconds += 101
    for _ in range(1_000):
        with pytest.raises(KeyUnavailable):
            keys.current(NOW)
        hands.seconds += 0.0101
    assert asked.asked == 10
    asked.enabled = True
    hands.seconds += 1
    keys.current(NOW)


def test_a_lease_is_renewed_before_its_end_and_a_failure_then_ends_nothing() -> None:
    asked, keys, hands = leased()
    hands.seconds += 60
    keys.renew()
    hands.seconds += 60
    asked.enabled = False
    with pytest.raises(KeyUnavailable):
        keys.renew()
    keys.current(NOW)
    assert asked.asked == 2


def test_a_master_that_gives_back_something_else_closes_nothing() -> None:
    class Broken(LocalKey):
        def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
            return bytes(32)

    store = MemoryKeyStore()
    with pytest.raises(Corrupt, match="give back"):
        WrappingKeys(store, Masters(Broken(bytes(32), "file", "x"))).current(NOW)
    assert store.wrapping_keys() == []


def test_two_processes_that_start_at_once_agree_on_one_wrapping_key() -> None:
    store, masters = MemoryKeyStore(), Masters(LocalKey(bytes(32), "file", "x"))
    one, two = WrappingKeys(store, masters), WrappingKeys(store, masters)
    one.reload()
    two.reload()
    one.make(0, NOW)
    two.make(0, NOW)
    assert one.current(NOW).number == two.current(NOW).number == 1
    key = one.current(NOW).close(b"d" * 32, SUBJECT, 1, NOW)
    assert two.of(1).open(key) == b"d" * 32
