# ruff: noqa: RUF001 - hostile addresses are full of letters that look like others
"""Nothing that an outsider names reaches what is inside: 200 hostile addresses, and what a server may do to us."""

from __future__ import annotations

import datetime
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from heedful.objects.outgoing import Outgoing, Undelivered, is_public, target_of
from heedful.vocabulary.errors import Invalid

PUBLIC = "93.184.215.14"
NAME = "hooks.heedful-callback.net"

INSIDE_V4 = (
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.1.2.3",
    "127.255.255.254", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.254", "192.0.0.1",
    "192.0.0.170",
    "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255",
    "198.51.100.7", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "100.100.100.200",
)  # fmt: skip
INSIDE_V6 = (
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:7f00:1::", "2001:db8::1",
    "2002:7f00:1::1", "2002:a9fe:a9fe::", "2002:a00:1::", "3fff::1", "fc00::1", "fd00:ec2::254",
    "fd12:3456:789a::1",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "5f00::1", "2001:10::1", "2001:20::1",
    "::ffff:0:127.0.0.1", "::7f00:1",
)  # fmt: skip
HOSTS = (
    "localhost", "localhost.", "LOCALHOST", "a.localhost", "printer.local", "db.internal",
    "metadata.google.internal",
    "router.lan", "nas.home", "1.0.0.127.in-addr.arpa", "hidden.onion", "a.test", "a.invalid", "a.example",
    "a.corp",
    "intranet", "a.intranet", "x.private", "mail", "a.mail", "x.localdomain",
    *INSIDE_V4[:12], "8.8.8.8", "93.184.215.14", *(f"[{one}]" for one in INSIDE_V6[:16]), "[2606:2800:21f::1]",
    "2130706433", "017700000001", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "127.0.1", "0", "0x0", "1.1",
    "3232235521", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "0xa9.0xfe.0xa9.0xfe",
    "127.0.0.1.", "127.0.0.1%00", "127。0。0。1", "①②⑦.⓪.⓪.①", "ｌｏｃａｌｈｏｓｔ", "bücher.de", "a..de", ".de",
    "de",
    "-a.de",
    "a-.de", "a_b.de", "a b.de", "a%20b.de", "a%2ede", "a.de%2f", "a.d3", "a.1", "a.0x7f", "EXAMPLE.COM",
    "Example.com",
    "ex" + "a" * 70 + ".de", ".".join(["a" * 60] * 5) + ".de", "a.de.", "a,b.de", "a;b.de",
    "a'b.de", 'a"b.de', "a`b.de",
    "$(id).de", "{a}.de", "a|b.de", "a<b.de", "a\tb.de", "a\nb.de", "a\rb.de", "a\x00.de", "a\u200b.de",
    "a\u00ad.de",
)  # fmt: skip
WHOLE = (
    "", "https", "https:", "https:/", "https://", "https:///", "https:///a.de", "https://:443", "https://?",
    "//a.de",
    "http://a.de", "HTTP://a.de", "HTTPS://a.de", "Https://a.de", "ftp://a.de", "file:///etc/passwd", "gopher://a.de",
    "dict://a.de:11211", "ldap://a.de", "javascript:alert(1)", "data:text/plain,a", "jar:https://a.de!/", "ws://a.de",
    "unix:///var/run/docker.sock", "https+unix://a", "https:a.de", "https:\\\\a.de", "https:/\\a.de", " https://a.de",
    "https://a.de ", "\thttps://a.de", "https://a.de\n", "https://a.de\r\nHost: b.de", "https://a.de/\r\nX: 1",
    "https://u@a.de", "https://u:p@a.de", "https://@a.de", "https://a.de@127.0.0.1", "https://127.0.0.1#@a.de",
    "https://127.0.0.1\\@a.de", "https://a.de#@127.0.0.1", "https://a.de#", "https://a.de:80", "https://a.de:22",
    "https://a.de:0", "https://a.de:65536", "https://a.de:-1", "https://a.de:", "https://a.de:443:443",
    "https://a.de:４４３", "https://a.de:0x1bb", "https://a.de:443@b.de", "https://a.de:443a", "https://a.de:6379",
    "https://a.de/" + "a" * 2_048, "https://a.de/ü", "https://a.de/\x7f", "https://[::1", "https://::1", "https://[a.de]",
    "https://a.de:8080", "https://a.de:9200/_search",
)  # fmt: skip
HOSTILE = [*WHOLE, *(f"https://{host}/hook" for host in HOSTS)]


def resolving(*addresses: str) -> Callable[[str, int], list[str]]:
    return lambda host, port: list(addresses)


def untouched(address: str, port: int, seconds: float) -> socket.socket:
    raise AssertionError(f"connected to {address}")


def test_there_are_enough_hostile_addresses() -> None:
    assert len(set(HOSTILE)) == len(HOSTILE) >= 150


@pytest.mark.parametrize("url", HOSTILE, ids=lambda url: repr(url)[:40])
def test_a_hostile_address_is_refused_before_anything_is_connected(url: str) -> None:
    sender = Outgoing(resolve=resolving(PUBLIC), dial=untouched)
    with pytest.raises(Invalid) as refused:
        sender.allowed(url)
    assert refused.value.code == "url_not_allowed"
    with pytest.raises(Invalid):
        sender.post(url, b"{}", {})


@pytest.mark.parametrize("address", [*INSIDE_V4, *INSIDE_V6, "", "a.de", "1", "127.1"])
@pytest.mark.parametrize("beside", [(), (PUBLIC,)])
def test_a_good_name_with_one_address_inside_is_refused(address: str, beside: tuple[str, ...]) -> None:
    assert not is_public(address)
    with pytest.raises(Invalid, match="not public"):
        Outgoing(resolve=resolving(*beside, address), dial=untouched).post(f"https://{NAME}/", b"", {})


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", "1.1.1.1", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_a_public_address_is_one(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.de", ("a.de", 443, "/")),
        ("https://a.de:8443/x?y=1", ("a.de", 8443, "/x?y=1")),
        ("https://xn--bcher-kva.de/a", ("xn--bcher-kva.de", 443, "/a")),
        ("https://a-b.co.uk/%20", ("a-b.co.uk", 443, "/%20")),
    ],
)
def test_a_plain_address_is_taken(url: str, expected: tuple[str, int, str]) -> None:
    assert target_of(url) == expected


def test_a_name_without_an_address_is_refused() -> None:
    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(-2, "unknown")

    for resolve in (unknown, resolving()):
        with pytest.raises(Invalid, match="no address"):
            Outgoing(resolve=resolve, dial=untouched).allowed(f"https://{NAME}/")


class Served:
    """A TLS server on this machine that answers once with given bytes, and keeps what it was sent."""

    def __init__(self, folder: Path) -> None:
        key = generate_private_key(SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(1).not_valid_before(now - datetime.timedelta(1))
            .not_valid_after(now + datetime.timedelta(1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )  # fmt: skip
        pem = folder / "cert.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.write_bytes(certificate.public_bytes(Encoding.PEM) + secret)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pem)
        self.trusting = ssl.create_default_context(cafile=str(pem))
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.got = b""
        self.dialled: list[str] = []
        self.dripped = 0

    def dial(self, address: str, port: int, seconds: float) -> socket.socket:
        self.dialled.append(address)
        return socket.create_connection(self.socket.getsockname(), seconds)

    def answer(self, said: bytes, *, slowly: threading.Event | None = None) -> threading.Thread:
        def serve() -> None:
            connection, _ = self.socket.accept()
            with connection:
                try:
                    with self.context.wrap_socket(connection, server_side=True) as secure:
                        while b"\r\n\r\n" not in self.got or not self.got.endswith(b"}"):
                            piece = secure.recv(65_536)
                            if not piece:
                                return
                            self.got += piece
                        for byte in said if slowly else [said]:
                            secure.sendall(bytes([byte]) if isinstance(byte, int) else byte)
                            self.dripped += 1
                            if slowly is not None and slowly.wait(0.05):
                                return
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        return thread


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path)
    yield made
    made.socket.close()


def sender(served: Served, seconds: float = 5.0) -> Outgoing:
    return Outgoing(seconds=seconds, resolve=resolving(PUBLIC), dial=served.dial, context=served.trusting)


def test_what_is_sent_arrives_at_the_address_that_was_looked_at(served: Served) -> None:
    thread = served.answer(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
    assert sender(served).post(f"https://{NAME}/hook?a=1", b'{"a":1}', {"X-Signature": "s"}) == 202
    thread.join()
    assert served.dialled == [PUBLIC]
    head, _, body = served.got.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=1 HTTP/1.1\r\n")
    assert b"X-Signature: s" in head
    assert f"Host: {NAME}".encode() in head
    assert body == b'{"a":1}'


def test_a_name_that_means_another_address_a_moment_later_gains_nothing(served: Served) -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"], ["127.0.0.1"]])
    thread = served.answer(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
    outgoing = Outgoing(resolve=lambda host, port: next(answers), dial=served.dial, context=served.trusting)
    assert outgoing.post(f"https://{NAME}/", b"{}", {}) == 200
    thread.join()
    assert served.dialled == [PUBLIC]
    with pytest.raises(Invalid):
        outgoing.post(f"https://{NAME}/", b"{}", {})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 400, 404, 500])
def test_a_redirect_is_not_followed_and_a_failure_is_said_without_its_body(
    served: Served, status: int
) -> None:
    location = b"location: https://169.254.169.254/latest/meta-data\r\n"
    said = b"HTTP/1.1 %d X\r\n%scontent-length: 6\r\n\r\nsecret" % (status, location)
    thread = served.answer(said)
    with pytest.raises(Undelivered) as failed:
        sender(served).post(f"https://{NAME}/", b"{}", {})
    thread.join()
    assert str(failed.value) == f"{NAME} answered {status}"
    assert len(served.dialled) == 1


def test_a_server_that_drips_is_cut_off(served: Served) -> None:
    enough = threading.Event()
    thread = served.answer(b"HTTP/1.1 200 OK\r\n" + b"x-more: y\r\n" * 1_000, slowly=enough)
    with pytest.raises(Undelivered):
        sender(served, seconds=0.5).post(f"https://{NAME}/", b"{}", {})
    dripped = served.dripped
    enough.set()
    thread.join()
    assert 0 < dripped < 500, "it sends a thousand lines, and is not heard to their end"


def test_no_more_of_an_answer_is_read_than_is_wanted(served: Served) -> None:
    thread = served.answer(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (4 << 20))
    assert sender(served).post(f"https://{NAME}/", b"{}", {}) == 200
    thread.join()


def test_a_certificate_of_somebody_else_is_not_taken(served: Served) -> None:
    thread = served.answer(b"")
    with pytest.raises(Undelivered):
        sender(served).post("https://other.heedful-callback.net/", b"{}", {})
    thread.join()


def test_headers_cannot_be_broken_out_of(served: Served) -> None:
    served.answer(b"")
    with pytest.raises(Undelivered):
        sender(served).post(f"https://{NAME}/", b"{}", {"X": "a\r\nY: b"})


def test_nothing_else_in_the_source_speaks_http_to_others() -> None:
    source = Path(__file__).parents[2] / "src"
    speaks = re.compile(
        r"^\s*(?:import|from) (?:http\.client|urllib\.request|urllib3|httpx|requests|aiohttp)\b", re.M
    )
    assert [path.name for path in source.rglob("*.py") if speaks.search(path.read_text())] == ["outgoing.py"]
