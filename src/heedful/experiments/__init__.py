"""Experiments: which arm a unit is in, and whether it helped."""
