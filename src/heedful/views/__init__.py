"""What the log adds up to. Each view is a sum that can be taken back."""
