"""`python -m healer` is the command `healer`."""

from healer.cli.main import main

main()
