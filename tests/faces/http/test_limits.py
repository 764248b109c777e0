"""Token buckets, and the address that somebody is counted under."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.faces.http.addresses import NOWHERE, place, proxies
from heedful.faces.http.cookies import NAME, PLAIN_NAME, Jar
from heedful.faces.http.limits import Buckets, Rate
from heedful.vocabulary.errors import SettingsError


class SlowBucket:
    """The twin: a bucket that really holds tokens."""

    def __init__(self, rate: Rate) -> None:
        self.rate, self.tokens, self.at = rate, float(rate.burst), 0.0

    def take(self, now: float) -> bool:
        self.tokens = min(float(self.rate.burst), self.tokens + (now - self.at) * self.rate.per_minute / 60)
        self.at = now
        if self.tokens < 1 - 1e-6:
            return False
        self.tokens -= 1
        return True


@given(
    gaps=st.lists(st.integers(0, 4_000), max_size=80),
    per_minute=st.sampled_from([1, 30, 60, 120, 6_000]),
    burst=st.integers(1, 10),
)
def test_a_bucket_lets_through_what_its_slow_twin_does(gaps: list[int], per_minute: int, burst: int) -> None:
    rate = Rate(per_minute, burst)
    buckets, twin, now = Buckets(10), SlowBucket(rate), 0.0
    for gap in gaps:
        now += gap / 1_000
        assert (buckets.take("k", rate, now) == 0.0) == twin.take(now)


def test_the_wait_that_is_told_is_enough_and_not_too_long() -> None:
    buckets, rate = Buckets(10), Rate(60, 2)
    assert [buckets.take("k", rate, 100.0) for _ in range(2)] == [0.0, 0.0]
    wait = buckets.take("k", rate, 100.25)
    assert wait == pytest.approx(0.75)
    assert buckets.take("k", rate, 100.25 + wait - 0.01) > 0
    assert buckets.take("k", rate, 100.25 + wait) == 0.0
    assert buckets.take("another", rate, 100.0) == 0.0
    assert all(buckets.take("free", Rate(0), 100.0) == 0.0 for _ in range(1_000))


def test_a_flood_of_names_takes_no_more_room() -> None:
    buckets = Buckets(1_000)
    for number in range(20_000):
        buckets.take(str(number), Rate(60), 0.0)
    assert len(buckets) == 1_000


def where(client: str | None, *forwarded: str, trusted: tuple[str, ...] = ()) -> str:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    scope = {"client": None if client is None else (client, 1), "headers": headers}
    return place(scope, proxies(trusted))


PROXY = "10.0.0.1"
NETWORK = ("10.0.0.0/8", "fd00::/8")


def test_who_has_an_ipv6_network_is_one_place() -> None:
    assert where("2001:db8:1:2:3:4:5:6") == where("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert where("2001:db8:1:3::1") != where("2001:db8:1:2::1")
    assert where("::ffff:192.0.2.1") == where("192.0.2.1") == "192.0.2.1"
    assert where("fe80::1%eth0") == "fe80::/64"
    assert where(None) == where("unix") == NOWHERE


def test_only_a_trusted_proxy_says_who_was_before_it() -> None:
    assert where("192.0.2.1", "203.0.113.9") == "192.0.2.1"
    assert where("192.0.2.1", "203.0.113.9", trusted=NETWORK) == "192.0.2.1"
    assert where(PROXY, "203.0.113.9", trusted=NETWORK) == "203.0.113.9"
    assert where(PROXY, "1.1.1.1, 203.0.113.9", trusted=NETWORK) == "203.0.113.9", (
        "the left is the caller's word"
    )
    assert where(PROXY, "1.1.1.1, 203.0.113.9, 10.0.0.7", trusted=NETWORK) == "203.0.113.9"
    assert where(PROXY, "1.1.1.1", "203.0.113.9", trusted=NETWORK) == "203.0.113.9", "in two header fields"
    assert where("::ffff:10.0.0.1", "203.0.113.9", trusted=NETWORK) == "203.0.113.9"
    assert where("fd00::1", "[2001:db8::1]:443", trusted=NETWORK) == "2001:db8::/64"
    assert where(PROXY, "203.0.113.9:5123", trusted=NETWORK) == "203.0.113.9"


@pytest.mark.parametrize(
    "nonsense", ["", "unknown", "_hidden", "203.0.113.9.1", "1.1.1.1, nonsense", ",", "é"]
)
def test_nonsense_counts_for_the_proxy_that_passed_it_on(nonsense: str) -> None:
    assert where(PROXY, nonsense, trusted=NETWORK) == PROXY


@given(st.lists(st.sampled_from(["1.1.1.1", "10.9.9.9", "x", "", "2001:db8::1"]), max_size=6))
def test_no_header_from_a_stranger_changes_its_place(entries: list[str]) -> None:
    assert where("192.0.2.1", ", ".join(entries), trusted=NETWORK) == "192.0.2.1"
    behind = ", ".join([*entries, "192.0.2.1"])
    assert where(PROXY, behind, trusted=NETWORK) == "192.0.2.1"


def test_a_proxy_that_is_no_network_is_refused() -> None:
    for text in ("proxy.example", "10.0.0.1/8", "10.0.0.0/99", ""):
        with pytest.raises(SettingsError):
            proxies([text])


def test_the_cookie_is_for_this_host_alone_and_for_no_script() -> None:
    name, value = Jar().cookie("abc")
    assert name == b"set-cookie"
    first, *rest = value.decode().split("; ")
    assert first == f"{NAME}=abc"
    assert NAME.startswith("__Host-")
    assert set(rest) == {"Path=/", "Max-Age=43200", "Secure", "HttpOnly", "SameSite=Lax"}
    assert b"Max-Age=0" in Jar().no_cookie()[1]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"{NAME}=abc", "abc"), (f"a=b; {NAME}=abc; c=d", "abc"), (f"x{NAME}=abc", None), (f"{NAME}=", None),
        (f"{NAME}=a; {NAME}=b", None), ("", None), (f"{NAME}", None), (f"{NAME.lower()}=abc", None),
    ],
)  # fmt: skip
def test_a_session_is_read_from_its_own_cookie_only(header: str, found: str | None) -> None:
    assert Jar().session_of({b"cookie": header.encode()}) == found
    assert Jar().session_of({}) is None


def test_without_tls_the_cookie_has_another_name_and_the_one_for_tls_is_not_read() -> None:
    jar = Jar(secure=False)
    _, value = jar.cookie("abc")
    assert value.startswith(b"heedful=abc; Path=/;")
    assert b"Secure" not in value
    assert b"HttpOnly; SameSite=Lax" in value
    assert jar.session_of({b"cookie": f"{PLAIN_NAME}=abc".encode()}) == "abc"
    assert jar.session_of({b"cookie": f"{NAME}=abc".encode()}) is None
    assert Jar().session_of({b"cookie": f"{PLAIN_NAME}=abc".encode()}) is None
