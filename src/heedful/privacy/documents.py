"""Two documents that the law asks a controller for, filled in from the registry: the record of processing
(Article 30 GDPR) and what a data protection impact assessment starts from (Article 35). Theirs to complete,
not to sign unread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heedful.privacy.purposes import Purposes, record_of_processing

MEASURES = (
    ("Encryption at rest", "32(1)(a)", "a data key per person, wrapped by a master key; see docs/vault.md"),
    ("Pseudonyms", "25, 32(1)(a)", "keyed hashes; the raw id stands only inside sealed bodies"),
    (
        "Consent at four gates",
        "6, 7, 25",
        "collect, learn, serve, disclose; unknown is no where the rule is opt-in",
    ),
    ("Erasure with proof", "17, 19", "views are equal to those of a log without the person; signed receipt"),
    ("Access and portability", "15, 20", "heedful disclose; POST /v1/privacy/disclose; GET /v1/me/export"),
    ("Objection, restriction", "18, 21", "standing choices that every gate reads"),
    ("Retention by the clock", "5(1)(e)", "per purpose and per kind of event"),
    ("Smallest group", "5(1)(c)", "no figure about fewer people than the floor leaves"),
    ("Special categories", "9", "names are flagged at creation; items so flagged are not learned from"),
    ("Minors", "8, 25", "no profiling of known minors"),
    ("Explanation", "13(2)(f), 22", "every answer is kept with its reasons and can be told again"),
    ("Accountability", "5(2), 30", "hash-chained ledgers of consent and of administration; request log"),
)
"""Name, article of the GDPR, how."""

RISKS = (
    ("Somebody reads another person's answers or data",
    "proof of the subject at every route that answers about one; "
     "tests try every route with every credential", "stolen tokens until they expire"),
    ("Behaviour reveals what was never told (health, religion, …)",
    "no inference of special categories; deny-list at "
     "creation; sensitive items are not learned from", "proxies that the list does not know"),
    ("A small group is singled out by figures", "smallest group with complementary suppression",
    "figures that are "
     "compared over time"),
    ("Data outlives its purpose", "retention by the clock; erasure destroys the key",
    "key backups for up to 7 days; "
     "fitted models until they are refitted"),
    ("Profiling narrows what people see", "exploration, a holdout, reasons, less-like-this, profiling off",
    "people who "
     "never look"),
    ("The log is stolen", "sealed bodies, keys elsewhere", "pseudonym, time and size of each record"),
)  # fmt: skip
"""Risk to people, what is done, what remains."""


def record(purposes: Purposes, contact: str) -> dict[str, Any]:
    """The record of processing."""
    return {
        "controller": contact or "to be filled in",
        "processing": record_of_processing(purposes),
        "measures": [{"measure": name, "article": article, "how": how} for name, article, how in MEASURES],
        "transfers": "none by Heedful; where it runs is the operator's choice",
    }


def assessment(purposes: Purposes, contact: str) -> dict[str, Any]:
    """What an impact assessment starts from. needed: why one is likely to be needed, purpose by purpose."""
    return {
        "controller": contact or "to be filled in",
        "description": "Events of people are folded into profiles and sums, from which items are chosen "
        "for them and "
        "others. No decision with legal or similar effect is supported.",
        "needed": [
            {"purpose": name, "profiling": one.profiling, "specialCategory": one.special_category,
             "discloses": one.discloses}
            for name, one in sorted(purposes.items())
            if one.profiling or one.special_category or one.discloses
        ],
        "necessity": record_of_processing(purposes),
        "risks": [{"risk": risk, "measures": done, "remains": left} for risk, done, left in RISKS],
        "consultation": "to be filled in: the data protection officer's advice, and people's views",
        "outcome": "to be filled in",
    }  # fmt: skip


def markdown(title: str, document: Mapping[str, Any]) -> str:
    """A document as Markdown: texts as paragraphs, lists as tables."""
    parts = [f"# {title}"]
    for name, value in document.items():
        parts.append(f"## {name.capitalize()}")
        parts.append(value if isinstance(value, str) else _table(value))
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "None."
    head = list(rows[0])
    lines = [f"| {' | '.join(name.replace('_', ' ') for name in head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(_cell(row[name]) for name in head)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.replace("|", "\\|").replace("\n", " ") or "none"
