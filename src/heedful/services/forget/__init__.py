"""Forgetting: take somebody, or what somebody sent, out of everything, and prove it."""
