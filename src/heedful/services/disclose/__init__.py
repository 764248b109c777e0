"""Access and portability: everything we hold about one person, in one file that they and a program can read."""

from heedful.services.disclose.archive import Disclose, Disclosed, Model
from heedful.services.disclose.cells import cell

__all__ = ["Disclose", "Disclosed", "Model", "cell"]
