"""`python -m conference_orchestrator` is the command line."""

from conference_orchestrator.cli import main

main()
