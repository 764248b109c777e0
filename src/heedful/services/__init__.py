"""Verbs: what Heedful does when asked. The only writers to the log."""
