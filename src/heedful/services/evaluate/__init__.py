"""Walk what happened in event time, answer before learning, and say how good the answers were."""
