"""How one of several variants is chosen, with a probability that is known exactly."""
