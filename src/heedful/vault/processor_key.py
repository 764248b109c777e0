"""The key and certificate by which OpenDSR answers are signed: yours, or a pair that is made at first use.

A pair of our own is self-signed, which proves that two answers came from one place and no more. To be taken by
controllers that check the chain, put your certificate and its RSA key in its place.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from heedful.vocabulary.errors import SettingsError

_YEARS = 5


class RsaKey:
    """An RSA key with its certificate."""

    def __init__(self, pem: bytes) -> None:
        """pem: a private key and a certificate, in either order. Raises SettingsError."""
        try:
            key = load_pem_private_key(_part(pem, b"PRIVATE KEY"), None)
            certificate = x509.load_pem_x509_certificate(_part(pem, b"CERTIFICATE"))
        except (ValueError, TypeError) as error:
            raise SettingsError("the processor's key is no PEM of an RSA key and its certificate") from error
        if not isinstance(key, RSAPrivateKey) or key.public_key() != certificate.public_key():
            raise SettingsError("the processor's certificate is not that of its key, or the key is not RSA")
        self._key = key
        self._certificate = certificate.public_bytes(Encoding.PEM)

    def sign(self, message: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 (FIPS 186-4)."""
        return self._key.sign(message, PKCS1v15(), SHA256())

    def certificate(self) -> bytes:
        """PEM."""
        return self._certificate


def made_key(domain: str) -> bytes:
    """A new key and a certificate of its own for `domain`, as PEM."""
    key = generate_private_key(65_537, 2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return secret + certificate.public_bytes(Encoding.PEM)


def processor_key(path: Path | None, domain: str) -> RsaKey:
    """The pair in `path`, made there now, mode 0600, if there is none; of this process alone without a path."""
    if path is None:
        return RsaKey(made_key(domain))
    try:
        if not path.exists():
            write_private(path, made_key(domain))
        return RsaKey(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"cannot read or write {path}: {error.strerror}") from error


def write_private(path: Path, content: bytes) -> None:
    """Make `path`, readable by its owner only."""
    import os

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)


def _part(pem: bytes, name: bytes) -> bytes:
    start, end = b"-----BEGIN " + name + b"-----", b"-----END " + name + b"-----"
    begin, stop = pem.find(start), pem.find(end)
    if begin < 0 or stop < begin:
        raise ValueError("no such part")
    return pem[begin : stop + len(end)] + b"\n"
