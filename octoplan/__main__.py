"""`python -m octoplan`."""

from octoplan.cli.main import main

main()
