"""The verbs: collect, recommend, verify and their like. Only services write to the log."""
