"""Who gets in, and how: the guard with everything that it may go by, made from the settings."""

from __future__ import annotations

from dataclasses import dataclass

from heedful.faces.http import cookies
from heedful.faces.http.addresses import Network, proxies
from heedful.faces.http.authorization import Guard
from heedful.faces.http.limits import Limits, LimitSettings, Rate
from heedful.faces.http.problem import Problem
from heedful.records.keys import origin_problem
from heedful.records.logins import Logins
from heedful.services.administer import Administer
from heedful.vocabulary.access_settings import AccessSettings, HttpSettings
from heedful.vocabulary.errors import SettingsError
from heedful.vocabulary.time import Clock, SystemClock


@dataclass(frozen=True, slots=True)
class Door:
    """What the routes of people and their like need. The guard goes by the same things."""

    administer: Administer
    guard: Guard
    logins: Logins
    trusted: tuple[Network, ...]
    jar: cookies.Jar


def door_of(
    administer: Administer, access: AccessSettings, http: HttpSettings, clock: Clock | None = None
) -> Door:
    """The door of a data folder, whose secret must be there. Raises SettingsError."""
    jar, trusted = cookies.Jar(access.secure, access.site), proxies(http.proxies)
    guard = Guard(
        lambda: administer.keys,
        tokens=administer.tokens,
        anonymous=administer.anonymous,
        sessions=administer.sessions,
        limits=Limits(_limits(http)),
        trusted=trusted,
        jar=jar,
    )
    return Door(administer, guard, Logins(clock or SystemClock()), trusted, jar)


def check_door(access: AccessSettings, http: HttpSettings, *, alone: bool) -> None:
    """Refuse what would be unsafe or cannot work. alone: whether only this machine reaches the server.

    Raises SettingsError that says what to write.
    """
    proxies(http.proxies)
    wrong = origin_problem(access.site)
    if wrong is not None:
        raise SettingsError(f"access.site: {wrong}")
    if not access.secure and not alone:
        raise SettingsError(
            "access.secure = false lets sessions be read on the way, and is for 127.0.0.1 only; speak TLS "
            "(http.certificate and http.key, or a proxy) and leave it out"
        )


def opened(door: Door | None) -> Door:
    """The door, if the application has one. Raises Problem (`not_ready`)."""
    if door is None:
        raise Problem("not_ready", "This application was built without accounts.")
    return door


def _limits(http: HttpSettings) -> LimitSettings:
    def rate(per_minute: int, part: int) -> Rate:
        return Rate(per_minute, max(1, per_minute // part))

    return LimitSettings(
        key=rate(http.key_per_minute, 4),
        place=rate(http.address_per_minute, 6),
        refused=rate(http.refused_per_minute, 2),
    )
