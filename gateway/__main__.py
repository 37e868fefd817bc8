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
    parser = argparse.ArgumentParser(prog="gateway", description=DESCRIPTION)
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that share the port (default: TONGDUI_GATEWAY_WORKERS, or 1)",
    )
    chosen = parser.parse_args(arguments)
    from clearing.runtime.failures import run_or_explain  # imported now, so that `--help` does not wait for it

    sys.exit(run_or_explain(lambda: _serve(chosen.workers)))


def _serve(workers: int | None) -> int:
    from clearing.kit.config import load_settings

    given = {} if workers is None else {"gateway_workers": workers}
    configured = load_settings(**given)  # before the imports below: wrong settings are refused at once
    from clearing.runtime.preflight.address import check_gateway_address
    from clearing.runtime.preflight.gateway_workers import check_gateway_workers
    from clearing.runtime.preflight.keys import check_secrets
    from clearing.runtime.preflight.process import check_process
    from clearing.runtime.preflight.sealed import check_sealed
    from gateway.server import run

    check_gateway_workers(configured)
    check_process(configured)
    check_gateway_address(configured)
    check_secrets(configured, "gateway")
    check_sealed(configured, "gateway")
    return run(configured)


if __name__ == "__main__":
    main()
