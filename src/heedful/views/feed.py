"""What goes to the views, as far as the people it is about allow: each view is fed its own purpose only.

New rows are judged once, here, before any view sees them. Rows that go are taken from the views that had them. And
when a person's consent changes, their rows are judged anew and exactly the difference is taken and given, so that
the state is always that of a fold that knew the choice from the beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from heedful.views.history import History
from heedful.views.interpret import RECORD_LINE, Interpreter, Share
from heedful.views.lawful import Carried, Lawful
from heedful.views.outcomes import Outcomes
from heedful.views.rows import Rows
from heedful.views.trials import Trials
from heedful.views.variants import Variants
from heedful.views.view import View
from heedful.vocabulary.consent import ANALYTICS, BITS, CARRIES, EVERY, LEARNING
from heedful.vocabulary.event import Record


class Feed:
    """Feeds the views of one fold. records_of: a person's records of given events, with fingerprints."""

    def __init__(
        self,
        views: Sequence[View],
        history: History,
        outcomes: Outcomes,
        variants: Variants,
        trials: Trials,
        lawful: Lawful,
        interpreter: Interpreter,
        records_of: Callable[[int, NDArray[np.uint64]], list[tuple[Record, int]]],
    ) -> None:
        self._views, self._history, self._outcomes, self._variants = views, history, outcomes, variants
        self._trials = trials
        self._lawful, self._interpreter, self._records_of = lawful, interpreter, records_of

    def learn(self, share: Share, rows: Rows) -> None:
        """Bring what `share` says of decisions and outcomes to their views, as far as its `rows` allow it."""
        shown, reactions, exposures, kept = share.shown, share.reactions, share.exposures, None
        if not (shown or reactions or share.answers or share.references or share.paid or exposures):
            return
        both = LEARNING | ANALYTICS
        if len(rows) and rows.common & both != both:
            said = dict(zip(rows.fingerprint.tolist(), rows.purposes.tolist(), strict=True))
            shown = [one for one in shown if said.get(one.key, EVERY) & LEARNING]
            reactions = [one for one in reactions if said.get(one.fingerprint, EVERY) & LEARNING]

            exposures = [one for one in exposures if said.get(one.fingerprint, EVERY) & ANALYTICS]

            def kept(fingerprint: int) -> bool:
                return bool(said.get(fingerprint, EVERY) & ANALYTICS)

        self._variants.learn(shown, reactions)
        self._trials.learn(exposures)
        if (facts := self._interpreter.facts(share, self._outcomes, kept)) is not None:
            self._outcomes.apply_facts(facts)

    def tell(self, verb: str, rows: Rows) -> None:
        """Bring rows to the history, and to each other view those that may be used for its purpose."""
        if not len(rows):
            return
        common = rows.common
        for view in self._views:
            bit = BITS.get(view.purpose, 0)
            if common & bit == bit:
                getattr(view, verb)(rows)
            elif len(allowed := rows.only(rows.purposes & bit != 0)):
                getattr(view, verb)(allowed)

    def judged(self, rows: Rows, carried: Mapping[int, Carried]) -> Rows:
        """New rows with what they may be used for."""
        if not carried and not self._lawful.spoken:
            if self._lawful.nothing_known == EVERY:
                return rows
            return rows.under(np.full(len(rows), self._lawful.nothing_known, dtype=np.uint8))
        return rows.under(self._lawful.judged(rows.subject, rows.at, rows.fingerprint, carried))

    def as_held(self, rows: Rows) -> Rows:
        """Rows that are taken out, with what the views were given them for."""
        return rows.under(self._history.purposes_of(rows)) if len(rows) and self._lawful.differing else rows

    def of_orders(self, rows: Rows, carried: Mapping[int, Carried]) -> Rows:
        """Lines of orders that became live, maybe of an event of long ago, with what its own row says."""
        if not len(rows):
            return rows
        if not (carried or self._lawful.differing):
            return self.judged(rows, {})
        judged = self.judged(rows, carried)
        own = replace(rows, line=np.full(len(rows), RECORD_LINE, dtype=np.uint16))
        held = self._history.purposes_of(own)
        news = np.array([one in carried for one in rows.fingerprint.tolist()], dtype=np.bool_)
        known = (held & CARRIES != 0) & ~news
        return rows.under(np.where(known, held, judged.purposes).astype(np.uint8))

    def rejudge(self, subjects: Iterable[int]) -> None:
        """Give and take exactly what a change of consent makes different for the rows of these people."""
        for subject in subjects:
            past = self._history.rows(subject)
            if not len(past.at):
                continue
            events = np.full(len(past.at), subject, dtype=np.int32)
            now = self._lawful.judged(events, past.at, past.fingerprint, {})
            moved = (now != past.purposes) | (past.purposes & CARRIES != 0)
            if not moved.any():
                continue
            share = self._interpreter.share(self._records_of(subject, np.unique(past.fingerprint[moved])))
            if share.carried:
                now = self._lawful.judged(events, past.at, past.fingerprint, share.carried)
            lost = past.purposes & ~now
            rows = Rows(
                events, past.item, past.kind, past.at, past.fingerprint, past.line, past.quantity, lost
            )
            self._history.judge(subject, past.purposes & now)
            self._exchange("retract", share, rows)
            self._history.judge(subject, now)
            self._exchange("apply", share, rows.under(now & ~past.purposes))

    def _exchange(self, verb: str, share: Share, rows: Rows) -> None:
        """Take or give what `rows`, and what their events say otherwise, change for the bits that moved. The
        history has been told."""
        for view in self._views:
            if view is self._history:
                continue
            bit = BITS[view.purpose]
            if len(moved := rows.only(rows.purposes & bit != 0)):
                getattr(view, verb)(moved)
        learned, counted = (
            set(rows.fingerprint[rows.purposes & bit != 0].tolist()) for bit in (LEARNING, ANALYTICS)
        )
        shown = [one for one in share.shown if one.key in learned]
        reactions = [one for one in share.reactions if one.fingerprint in learned]
        exposures = [one for one in share.exposures if one.fingerprint in counted]
        facts = self._interpreter.facts(share, self._outcomes, counted.__contains__)
        if verb == "apply":
            self._variants.learn(shown, reactions)
            self._trials.learn(exposures)
            if facts is not None:
                self._outcomes.apply_facts(facts)
        else:
            self._variants.unlearn(shown, reactions)
            self._trials.unlearn(exposures)
            if facts is not None:
                self._outcomes.retract_facts(facts)
