"""The log in memory keeps the contract."""

from __future__ import annotations

import pytest
from tests.contracts.log_contract import AnyLog, LogContract

from heedful.log.memory import MemoryLog


class TestMemoryLog(LogContract):
    @pytest.fixture
    def log(self) -> AnyLog:
        return MemoryLog()
