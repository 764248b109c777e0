"""Whether it helps: who gets which arm, what a flag says, and what may be concluded from it."""
