"""Frozen values that every floor speaks in. Standard library and msgspec only; nothing here does I/O."""
