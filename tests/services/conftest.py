"""What the tests of the services share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def every_record_is_worth_a_snapshot() -> Iterator[None]:
    """These folders are too small for one otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("heedful.services.engine.WORTH_A_SNAPSHOT", 1)
        yield
