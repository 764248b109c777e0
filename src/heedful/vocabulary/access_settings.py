"""What an operator may set about who gets in, and how the server is reached."""

from __future__ import annotations

import msgspec


class AccessSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """secure: whether the session's cookie is for TLS only; false works only where this machine alone reaches us.

    site: the origins of our own pages, exactly; without any, the host that a request names.
    audience: what `aud` of a subject token must be. leeway_seconds: how far two clocks may differ, 0 to 300.
    """

    secure: bool = True
    site: tuple[str, ...] = ()
    audience: str = "heedful"
    leeway_seconds: int = 60

    def __post_init__(self) -> None:
        if not 0 <= self.leeway_seconds <= 300:
            raise ValueError("leeway_seconds must be 0 to 300")
        if not self.audience:
            raise ValueError("audience must not be empty")


class HttpSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """certificate, key: PEM files, beside the settings unless absolute; with both the server speaks TLS.

    proxies: networks whose X-Forwarded-For counts. key_per_minute: most requests a minute of a key without a limit
    of its own, 0 for none. address_per_minute: of an address that uses public keys. refused_per_minute:
    credentials that are not taken, of one address.
    """

    certificate: str = ""
    key: str = ""
    proxies: tuple[str, ...] = ()
    key_per_minute: int = 0
    address_per_minute: int = 6_000
    refused_per_minute: int = 60

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("TLS needs both certificate and key")
        if min(self.key_per_minute, self.address_per_minute, self.refused_per_minute) < 0:
            raise ValueError("a limit is a number of requests a minute, or 0 for none")
