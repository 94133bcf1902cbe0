"""`python -m server` is `graphnexus`."""

from server.cli import main

main()
