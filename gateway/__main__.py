"""`python -m gateway`, and the command `gateway`: serves the HTTP API with the settings of the environment."""

from __future__ import annotations

import sys

from clearing.kit.config import settings
from clearing.runtime.failures import run_or_explain


def main() -> None:
    """Serves until it is told to stop; exits with 2 when it cannot start."""
    sys.exit(run_or_explain(_serve))


def _serve() -> int:
    configured = settings()  # before the imports below: wrong settings are refused at once
    from clearing.runtime.preflight.process import check_process
    from gateway.server import run

    check_process(configured)
    run(configured)
    return 0


if __name__ == "__main__":
    main()
