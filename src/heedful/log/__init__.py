"""What happened, in order, written once."""
