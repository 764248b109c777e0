"""How success is measured: a file for each definition, and the arithmetic behind the figures."""
