"""How a slate is made: sources propose, filters remove with a reason, the ranker scores, reasons say why."""
