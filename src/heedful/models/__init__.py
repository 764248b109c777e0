"""What is fitted, measured and compared: siblings that know views and numbers, and no service."""
