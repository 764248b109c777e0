"""A person's rights: what they ask for, by when it is answered, and what is done."""
