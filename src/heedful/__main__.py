"""`python -m heedful` is the `heedful` command."""

from heedful.compose import main

main()
