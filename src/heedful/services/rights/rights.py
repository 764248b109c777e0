"""Everything about a person's rights behind one name, as the faces call it."""

from __future__ import annotations

from dataclasses import dataclass

from heedful.privacy.purposes import Purposes
from heedful.services.disclose import Disclose
from heedful.services.rights.opendsr import OpenDsr
from heedful.services.rights.person import Me
from heedful.services.rights.requests import Requests


@dataclass(frozen=True, slots=True)
class Rights:
    """The services of one process. purposes: the registry. contact: who is responsible, in words."""

    disclose: Disclose
    requests: Requests
    me: Me
    opendsr: OpenDsr
    purposes: Purposes
    contact: str
