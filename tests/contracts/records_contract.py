"""What every store of definitions keeps: each promise of `Records`, as tests.

A test class per implementation inherits `RecordsContract` and gives the fixture `records`; one whose state
several processes share also gives `beside`, a second opening of the same store.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heedful.records.memory import MemoryRecords
from heedful.records.records import ANY, Draft, Records
from heedful.vocabulary.errors import Conflict
from heedful.vocabulary.time import Instant


def draft(name: str = "home", body: bytes = b"{}", *, kind: str = "placement", at: int = 7) -> Draft:
    return Draft(kind, name, body, "ann", Instant(at), f"note {at}")


def gone(name: str = "home", *, kind: str = "placement") -> Draft:
    return Draft(kind, name, b"", "bob", Instant(9), "", "delete")


class RecordsContract:
    @pytest.fixture
    def records(self) -> Records:
        raise NotImplementedError

    def test_a_definition_is_there_as_it_was_put(self, records: Records) -> None:
        made = records.put(draft(body='{"é":1}'.encode()))
        assert (made.version, made.author, made.created, made.note) == (1, "ann", 7, "note 7")
        assert records.current("placement", "home") == made
        assert records.version("placement", "home", 1) == made
        assert records.version("placement", "home", 2) is None

    def test_what_was_never_put_is_not_there(self, records: Records) -> None:
        assert records.current("placement", "home") is None
        assert records.list("placement") == []
        assert records.versions("placement", "home") == []
        assert records.audit("placement", "home") == []
        assert records.revision() == 0

    def test_every_change_appends_a_version_and_the_old_ones_stay(self, records: Records) -> None:
        made = [records.put(draft(body=b"%d" % number, at=number)) for number in range(5)]
        assert [one.version for one in made] == [1, 2, 3, 4, 5]
        assert records.versions("placement", "home") == made[::-1]
        assert records.versions("placement", "home", limit=2) == made[:2:-1]
        assert records.versions("placement", "home", before=4, limit=2) == [made[2], made[1]]
        assert records.current("placement", "home") == made[-1]

    def test_kinds_and_names_do_not_meet(self, records: Records) -> None:
        for kind in ("placement", "experiment"):
            for name in ("b", "a", "Ä", "a b", "%"):
                records.put(draft(name, kind.encode(), kind=kind))
        assert [one.name for one in records.list("placement")] == ["%", "a", "a b", "b", "Ä"]
        assert {one.body for one in records.list("experiment")} == {b"experiment"}
        assert {one.version for one in records.list("experiment")} == {1}

    def test_a_deleted_definition_is_gone_and_its_past_is_not(self, records: Records) -> None:
        records.put(draft())
        assert records.put(gone()).deleted
        assert records.current("placement", "home") is None
        assert records.list("placement") == []
        assert [one.version for one in records.versions("placement", "home")] == [2, 1]
        assert records.put(draft(), expected=0).version == 3

    @pytest.mark.parametrize("expected", [0, 1, 3])
    def test_a_change_made_for_another_version_is_refused_and_changes_nothing(
        self, records: Records, expected: int
    ) -> None:
        records.put(draft())
        records.put(draft(body=b"2"), expected=1)
        before, revision = records.current("placement", "home"), records.revision()
        with pytest.raises(Conflict, match="version 2 is in force"):
            records.put(draft(body=b"3"), expected=expected)
        assert records.current("placement", "home") == before
        assert records.revision() == revision
        assert len(records.audit("placement", "home")) == 2

    def test_a_change_can_ask_that_something_is_there_whatever_it_is(self, records: Records) -> None:
        with pytest.raises(Conflict, match="there is none"):
            records.put(draft(), expected=ANY)
        records.put(draft(), expected=0)
        assert records.put(gone(), expected=ANY).version == 2
        with pytest.raises(Conflict):
            records.put(gone(), expected=ANY)

    def test_the_audit_says_who_did_what_to_which_version(self, records: Records) -> None:
        records.put(draft(at=1))
        records.put(draft(at=2))
        records.put(gone())
        records.put(Draft("placement", "home", b"{}", "cy", Instant(10), "back", "rollback"))
        records.put(draft("other"))
        audit = records.audit("placement", "home")
        assert [(one.author, one.action, one.before, one.after) for one in audit] == [
            ("cy", "rollback", 0, 4), ("bob", "delete", 2, 3), ("ann", "put", 1, 2), ("ann", "put", 0, 1),
        ]  # fmt: skip
        assert [one.number for one in audit] == sorted((one.number for one in audit), reverse=True)
        assert records.audit("placement", "home", limit=1) == audit[:1]

    def test_the_revision_grows_with_every_change_and_with_nothing_else(self, records: Records) -> None:
        seen = [records.revision()]
        for step in (draft(), draft("other"), gone(), draft(kind="experiment")):
            records.put(step)
            seen.append(records.revision())
            assert records.revision() == seen[-1]
        assert seen == sorted(set(seen))

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.lists(
            st.tuples(
                st.sampled_from("ab"),
                st.sampled_from([b"", b"1", b"2"]),
                st.sampled_from([None, 0, 1, 2, ANY]),
            ),
            max_size=12,
        )
    )
    def test_it_does_what_the_one_in_memory_does(
        self, records: Records, steps: list[tuple[str, bytes, int | None]]
    ) -> None:
        twin, kind = MemoryRecords(), f"kind{records.revision()}"  # a kind of its own for each example
        for name, body, expected in steps:
            made: list[object] = []
            for store in (records, twin):
                try:
                    made.append(store.put(draft(name, body, kind=kind), expected=expected))
                except Conflict as error:
                    made.append(str(error))
            assert made[0] == made[1]
        assert records.list(kind) == twin.list(kind)
        for name in "ab":
            assert records.versions(kind, name) == twin.versions(kind, name)
            assert [msg.after for msg in records.audit(kind, name)] == [
                msg.after for msg in twin.audit(kind, name)
            ]
