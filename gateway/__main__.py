"""The command `gateway` (or `python -m gateway`): serves the HTTP API with the settings of the environment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = """
Serves the HTTP API of a Tongdui clearing network until SIGTERM or SIGINT. Its settings are environment variables that begin
with TONGDUI_, or the file that TONGDUI_ENV_FILE names.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is told to stop; exits with 2 when it cannot start."""
    argparse.ArgumentParser(prog="gateway", description=DESCRIPTION).parse_args(arguments)
    from clearing.runtime.failures import run_or_explain  # imported now, so that `--help` does not wait for it

    sys.exit(run_or_explain(_serve))


def _serve() -> int:
    from clearing.kit.config import settings

    configured = settings()  # before the imports below: wrong settings are refused at once
    from clearing.runtime.preflight.address import check_gateway_address
    from clearing.runtime.preflight.process import check_process
    from gateway.server import run

    check_process(configured)
    check_gateway_address(configured)
    run(configured)
    return 0


if __name__ == "__main__":
    main()
