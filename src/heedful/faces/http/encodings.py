"""Bodies that come compressed, and the bombs among them."""

from __future__ import annotations

import zlib

from heedful.faces.http.exchange import too_large
from heedful.faces.http.problem import Problem

RATIO = 100
"""A body may grow this many times. Ten thousand like events in one body grow about fifty times."""

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS


def inflate(body: bytes, encoding: bytes, limit: int) -> bytes:
    """`body` without its Content-Encoding. Never holds more than min(`limit`, 100 times its size) + 1 bytes.

    Raises TooLarge beyond that, Problem `encoding_unknown` or `encoding_invalid`.
    """
    name = encoding.strip().lower()
    if name in (b"gzip", b"x-gzip"):
        return _inflate(body, _GZIP, limit)
    if name == b"deflate":
        # RFC 9110 means zlib's format by this word; some clients have always sent the bare stream.
        zlib_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
        return _inflate(body, _ZLIB if zlib_header else _RAW, limit)
    if name in (b"", b"identity"):
        return body
    raise Problem(
        "encoding_unknown",
        "The body's Content-Encoding is not gzip, deflate or identity.",
        headers=((b"accept-encoding", b"gzip, deflate"),),
    )


def _inflate(body: bytes, window: int, limit: int) -> bytes:
    cap = min(limit, RATIO * len(body))
    inflater = zlib.decompressobj(window)
    try:
        plain = inflater.decompress(body, cap + 1)
    except zlib.error:
        raise Problem("encoding_invalid", "The body is not what its Content-Encoding says.") from None
    if len(plain) > cap:
        raise too_large(cap)
    if not inflater.eof or inflater.unused_data:
        raise Problem("encoding_invalid", "The compressed body breaks off or goes on after its end.")
    return plain
