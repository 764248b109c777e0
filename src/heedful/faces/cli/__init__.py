"""The command line. Says what it does, shows progress on a terminal, and speaks JSON when asked."""
