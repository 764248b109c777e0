"""How the audit is told of a change of a definition, before it is made."""

from __future__ import annotations

from heedful.records.audit import TERMINAL, Audit
from heedful.records.records import Definition, Heard


def telling(audit: Audit | None, actor: str, kind: str, verb: str) -> Heard | None:
    """What `Records.put` is given. actor: `terminal` where it is empty. verb: of the action `<kind>.<verb>`.

    None where there is no audit.
    """
    if audit is None:
        return None

    def tell(before: Definition | None, after: Definition) -> None:
        audit.tell(
            actor or TERMINAL,
            f"{kind}.{verb}",
            f"{kind}:{after.name}",
            before=None if before is None else (before.version, before.body),
            after=(after.version, after.body),
        )

    return tell
