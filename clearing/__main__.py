"""`python -m clearing`."""

from .cli import main

main()
