"""How good lists are, with intervals over people, and which figures may stand in one table."""
