"""`python -m tongdui._cli`: the command, where its script is not on PATH."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
