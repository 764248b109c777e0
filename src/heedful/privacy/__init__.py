"""What a person allows: purposes, the decision, and the signals and calls it is read from."""
