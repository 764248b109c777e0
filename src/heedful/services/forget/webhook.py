"""Tell somebody else that a person was forgotten: one signed POST, the way out being `objects.outgoing`."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from heedful.objects.outgoing import Outgoing, Undelivered, is_here, post_here, target_of
from heedful.records.signing import Signer
from heedful.vocabulary.errors import Invalid, SettingsError

_log = structlog.get_logger("heedful.forget")


def check(url: str) -> None:
    """Whether a receiver's address can be right at all. Raises SettingsError, saying what is wrong."""
    if is_here(url):
        return
    try:
        target_of(url)
    except Invalid as error:
        what = f"the webhook {url!r} cannot be used: {error}; http only for this machine itself"
        raise SettingsError(what) from error


class Courier:
    """Delivers to one receiver, in a thread of its own for each try."""

    def __init__(self, url: str, signer: Signer) -> None:
        """Raises SettingsError for an address that cannot be right."""
        check(url)
        self._url, self._signer = url, signer

    def send(self, body: bytes, done: Callable[[bool], None]) -> None:
        """Try once. `done` is called in the other thread."""
        headers = {
            "Content-Type": "application/json",
            "Heedful-Key": self._signer.key_id,
            "Heedful-Signature": f"{self._signer.algorithm}={self._signer.sign(body).hex()}",
        }

        def deliver() -> None:
            try:
                post_here(self._url, body, headers) if is_here(self._url) else Outgoing().post(
                    self._url, body, headers
                )
            except (Invalid, Undelivered) as error:
                _log.warning("webhook_not_delivered", why=str(error))
                done(False)
            else:
                done(True)

        threading.Thread(target=deliver, name="forget-webhook", daemon=True).start()
