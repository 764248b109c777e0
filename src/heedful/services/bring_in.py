"""Bring in history from files: JSON Lines of Segment-shaped objects, or CSV through a mapping of columns.

Every line is accounted for: accepted + duplicate + refused + skipped = lines. Event times stay as they are. A
line without a messageId is known by file, line and content, so exact repeats within a file count, and a second
import of the same file adds nothing.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec

from heedful.services.collect import Collect
from heedful.services.collect.json_check import members, parsed, too_deep
from heedful.services.collect.json_scan import Look, looks
from heedful.vocabulary.collection import CollectAnswer
from heedful.vocabulary.errors import HeedfulError, Invalid, TooLarge
from heedful.vocabulary.receipt import Status

SOURCE = "import"
_BATCH = 500
_BATCH_BYTES = 400_000


class _Named(msgspec.Struct):
    message_id: Any = msgspec.field(default=msgspec.UNSET, name="messageId")


@dataclass(slots=True)
class Counts:
    """What became of the lines of one file. lines = accepted + duplicate + refused + skipped."""

    lines: int = 0
    accepted: int = 0
    duplicate: int = 0
    refused: int = 0
    skipped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    def refuse(self, code: str) -> None:
        self.refused += 1
        self.reasons[code] = self.reasons.get(code, 0) + 1


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken, and why. line counts from 1."""

    line: int
    code: str
    message: str
    text: bytes


Told = Callable[[Refusal], None]


class BringIn:
    """The service. Works on an engine without `post`: each batch is durable and folded before the next."""

    def __init__(self, collect: Collect) -> None:
        self._collect = collect

    def lines(
        self,
        file: str,
        numbered: Iterable[tuple[int, bytes | Invalid | None, bytes]],
        refused: Told,
        progress: Callable[[Counts], None] | None = None,
    ) -> Counts:
        """Take `numbered` lines: (number from 1, the Segment object as JSON, the line as it stood in the file).

        In place of the object an Invalid says why the line has none, and None skips it on purpose.
        refused is told of every line not taken; progress after each batch. Raises LogUnavailable,
        KeyUnavailable.
        """
        counts = Counts()
        batch: list[tuple[int, bytes, bytes]] = []
        size = 0
        for number, call, text in numbered:
            counts.lines += 1
            if call is None:
                counts.skipped += 1
                continue
            try:
                if isinstance(call, Invalid):
                    raise call
                named = _identified(call, file, number)
            except Invalid as error:
                counts.refuse(error.code)
                refused(Refusal(number, error.code, str(error), text))
                continue
            batch.append((number, named, text))
            size += len(named)
            if len(batch) >= _BATCH or size >= _BATCH_BYTES:
                self._take(batch, counts, refused)
                batch, size = [], 0
                if progress is not None:
                    progress(counts)
        self._take(batch, counts, refused)
        if progress is not None:
            progress(counts)
        return counts

    def _take(self, batch: Sequence[tuple[int, bytes, bytes]], counts: Counts, refused: Told) -> None:
        if not batch:
            return
        body = b'{"batch":[' + b",".join(call for _, call, _ in batch) + b"]}"
        try:
            answer = self._call(body)
        except (Invalid, TooLarge) as error:
            if len(batch) == 1:
                number, _, text = batch[0]
                counts.refuse(error.code)
                refused(Refusal(number, error.code, str(error), text))
                return
            middle = len(batch) // 2  # one line spoils the call: halve until it stands alone
            self._take(batch[:middle], counts, refused)
            self._take(batch[middle:], counts, refused)
            return
        for (number, _, text), fate in zip(batch, answer.events, strict=True):
            if fate.status is Status.ACCEPTED:
                counts.accepted += 1
            elif fate.status is Status.DUPLICATE:
                counts.duplicate += 1
            else:
                counts.refuse(fate.code)
                refused(Refusal(number, fate.code, fate.message, text))

    def _call(self, body: bytes) -> CollectAnswer:
        outcome: list[CollectAnswer | HeedfulError] = []
        self._collect.call("import", body, SOURCE, outcome.append, imported=True)
        if isinstance(outcome[0], HeedfulError):
            raise outcome[0]
        return outcome[0]


def json_lines(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes | Invalid | None, bytes]]:
    """Lines of JSON, each one object; empty lines are skipped, and so is a byte order mark at the start."""
    for number, line in enumerate(lines, start=1):
        text = (line.removeprefix(BOM_UTF8) if number == 1 else line).strip()
        yield number, text or None, text


def _identified(call: bytes, file: str, number: int) -> bytes:
    """`call` with a messageId: its own, or one made from file, line and content. Raises Invalid."""
    try:
        said = msgspec.json.decode(call, type=_Named).message_id
    except RecursionError:
        raise too_deep() from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid("json_invalid", f"not a JSON object: {error}") from error
    if said not in (msgspec.UNSET, None, ""):
        return call
    content = blake2b(call, digest_size=12).hexdigest()
    name = blake2b(file.encode(errors="surrogateescape"), digest_size=6).hexdigest()
    if said is msgspec.UNSET:
        rest = call[1:].lstrip()
    elif looks(call, long=_BATCH_BYTES) is Look.TOO_DEEP:
        raise too_deep()
    else:  # it is there and says nothing: a second one would be a repeated key
        kept = (f"{json.dumps(key)}:{value}" for key, value in members(parsed(call)) if key != "messageId")
        rest = ",".join(kept).encode() + b"}"
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"messageId":"' + f"{name}-{number}-{content}".encode() + b'"' + comma + rest
