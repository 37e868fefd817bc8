"""`python -m clearing`."""

from clearing.runtime.cli import main

main()
