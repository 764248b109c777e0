"""Failures that say what happened, to what, and what to do."""

from __future__ import annotations


class HeedfulError(Exception):
    """Everything we raise on purpose. `code` is stable; the text is for people."""

    code = "error"


class LogUnavailable(HeedfulError):
    """Nothing was stored. The log may take writes again later (`retry_after` seconds), or never (None)."""

    code = "log_unavailable"

    def __init__(self, message: str, *, retry_after: int | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Corrupt(HeedfulError):
    """Stored bytes fail their checksum or do not have the promised shape."""

    code = "corrupt"


class Invalid(HeedfulError):
    """A value from outside is not what it must be. `code` and `path` say which and where."""

    def __init__(self, code: str, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.path = path


class TooLarge(HeedfulError):
    """More than we take in one request. Nothing was stored."""

    code = "too_large"


class Overloaded(HeedfulError):
    """More waits than we can serve soon. Nothing was stored; try again after `retry_after` seconds."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotFound(HeedfulError):
    """There is no such thing."""

    code = "not_found"


class Conflict(HeedfulError):
    """What is there is not the version that the change was made for. Nothing was changed."""

    code = "version_conflict"


class RecordsUnavailable(HeedfulError):
    """The definitions cannot be read or written now. Nothing was changed; what is known goes on."""

    code = "records_unavailable"


class SettingsError(HeedfulError):
    """A setting or the environment is not usable: says which, and what would be."""

    code = "settings"


class InUse(SettingsError):
    """Another process has it, and only one may."""

    code = "in_use"


class KeyGone(HeedfulError):
    """Without the key there is no plaintext, in either direction. Nothing was written."""

    code = "key_gone"


class KeyDestroyed(KeyGone):
    """The key was destroyed on purpose: what it closed stays closed for ever."""

    code = "key_destroyed"


class KeyUnavailable(KeyGone):
    """The key cannot be had now: it may be later (`retry_after` seconds), or not before somebody acts (None)."""

    code = "key_unavailable"

    def __init__(self, message: str, *, retry_after: int | None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
