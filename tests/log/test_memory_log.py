"""The log in memory keeps the contract."""

from __future__ import annotations

import pytest

from heedful.log.memory import MemoryLog
from tests.contracts.log_contract import AnyLog, LogContract


class TestMemoryLog(LogContract):
    @pytest.fixture
    def log(self) -> AnyLog:
        return MemoryLog()
