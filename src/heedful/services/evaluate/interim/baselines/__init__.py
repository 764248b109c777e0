"""Simple recommenders that learn from each event: what a pipeline must beat before it is believed.

They stand for themselves: none uses a view, so that a mistake in ours cannot flatter us.
"""
