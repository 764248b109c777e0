"""A seeded world of shoppers and items with known truth, to try things on."""
