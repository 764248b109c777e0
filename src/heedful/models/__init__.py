"""What is fitted to the log, how fits are kept, and what replaying the log says of them."""
