"""The command `console` (or `python -m console`): serves the pages with the settings of the environment."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

DESCRIPTION = """
Serves the web console of a Tongdui clearing network until SIGTERM or SIGINT. Its settings are environment variables that begin with
TONGDUI_CONSOLE_, or the file that TONGDUI_ENV_FILE names.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is told to stop; exits with 2 when it cannot start."""
    argparse.ArgumentParser(prog="console", description=DESCRIPTION).parse_args(arguments)
    from pydantic import ValidationError  # imported now, so that `--help` does not wait for it

    from console.settings import UnknownSettings, load_settings, mistakes_of
    from pages.assets import NotBuilt, manifest

    try:
        settings = load_settings()
        manifest()
    except ValidationError as error:
        sys.stderr.write(f"{mistakes_of(error)}\n")
        sys.exit(2)
    except (NotBuilt, UnknownSettings) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    from console.server import run

    sys.exit(run(settings))


if __name__ == "__main__":
    main()
