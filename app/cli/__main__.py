"""`python -m app.cli`: the command line without its entry point, as the service starts its own parts."""

from app.cli.group import main

main()
