"""The two files that people open first: a page without any script, and a plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #bbb;padding:.3rem .6rem;text-align:left;"
    "overflow-wrap:anywhere}"
)

_FILES = {
    "events.jsonl": "every event as it was received, one JSON object a line: what, when (by your device, "
    "when sent, when "
    "received, and the time we use), through which source, with everything that came with it",
    "events.csv": "the same as a table",
    "decisions.jsonl": "every answer that was chosen for you: what was shown and in which place, the "
    "score, how likely "
    "chance made it, the reason, the model, experiments, and what was considered and not shown",
    "decisions.csv": "the same as a table, a row for each item shown",
    "consents.csv": "every choice about what your data may be used for",
    "profile.json": "what is derived from your events",
    "models.json": "fitted models that had read your events when they were made",
    "purposes.json": "what data is used for, on which legal ground, for how long, and who receives it",
    "index.html": "this overview as a page",
    "README.txt": "this overview as text",
    "summary.json": "how much stands in each file",
}


class Contents(NamedTuple):
    """What the overview tells of. told: how much there is (`Disclosed`)."""

    told: Any
    profile: Mapping[str, Any]
    models: Sequence[Mapping[str, Any]]
    purposes: Sequence[Mapping[str, Any]]
    contact: str


def html(contents: Contents) -> str:
    """The page. Everything that came from outside is escaped, and a policy lets no script or address load."""
    told, profile = contents.told, contents.profile
    facts = [
        ("Made", told.made), ("Events", told.events), ("Answers chosen for you", told.decisions),
        ("Choices about your data", told.consents), ("First event", profile.get("firstSeen")),
        ("Last event", profile.get("lastSeen")),
        ("Responsible", contents.contact or "the operator of this service"),
    ]  # fmt: skip
    interests = [(one["category"], one["events"]) for one in profile.get("interests", ())]
    lists = [
        ("What you looked at last", profile.get("recentItems", ())), ("What you have",
        profile.get("ownedItems", ())),
        ("What you asked not to see", profile.get("hiddenItems", ())),
    ]  # fmt: skip
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Your data</title>",
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<style>{_STYLE}</style><h1>Your data</h1>",
        _table((), facts),
        "<h2>What is derived</h2>",
        "<p>Interests are counts of your own events by category. Nothing else is inferred about you.</p>",
        _table(("category", "events"), interests),
        *(f"<h3>{escape(name)}</h3><p>{_list(items)}</p>" for name, items in lists),
        "<h2>How items are chosen</h2>",
        "<p>Items are proposed because people who looked at the same things looked at them next, because they are "
        "popular or new, or because they are described alike. A ranking adds these up; the reason that "
        "counted most stands "
        "beside each item in decisions.csv. No decision with legal or similar effect is made.</p>",
        "<h2>Models that read your events</h2>",
        _table(("id", "kind", "for", "made", "state"), [tuple(model.values()) for model in contents.models]),
        "<h2>Purposes</h2>",
        _table(
            ("purpose", "place", "ground", "categories", "recipients", "kept for"),
            [_purpose(one) for one in contents.purposes],
        ),
        f"<h2>Files</h2>{_table(('file', 'what it holds'), [(name, _FILES[name]) for name in told.files])}",
        "<h2>Your rights</h2>",
        f"<p>{escape(_RIGHTS)}</p></html>",
    ]
    return "\n".join(parts)


def readme(contents: Contents) -> str:
    """The text."""
    told = contents.told
    files = "\n".join(f"{name}\n    {_FILES[name]}" for name in told.files)
    held = ((told.events, "events"), (told.decisions, "answers chosen for you"), (told.consents, "choices"))
    counted = ", ".join(f"{count} {name}" for count, name in held)
    responsible = contents.contact or "the operator of this service"
    return f"Your data, as of {told.made}\n\n{counted}\nResponsible: {responsible}\n\n{files}\n\n{_RIGHTS}\n"


_RIGHTS = (
    "You may have this corrected, restricted or erased, object to profiling, take your data elsewhere in the "
    "files above, and complain to a supervisory authority. Ask the operator of the service that you used."
)


def _purpose(one: Mapping[str, Any]) -> tuple[object, ...]:
    kept = f"{one['retention_days']} days" if one["retention_days"] else "until erased"
    place = "everywhere else" if one["jurisdiction"] == "*" else one["jurisdiction"]
    receivers = ", ".join(one["recipients"]) or "nobody"
    return one["purpose"], place, one["legal_basis"], ", ".join(one["data_categories"]), receivers, kept


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    if not rows:
        return "<p>None.</p>"
    top = f"<tr>{''.join(f'<th>{escape(name)}' for name in head)}" if head else ""
    return f"<table>{top}{''.join(f'<tr>{_cells(row)}' for row in rows)}</table>"


def _cells(row: Sequence[object]) -> str:
    return "".join(f"<td>{escape('' if one is None else str(one))}" for one in row)


def _list(items: Sequence[object]) -> str:
    return escape(", ".join(map(str, items))) or "Nothing."
