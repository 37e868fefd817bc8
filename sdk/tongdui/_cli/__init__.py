"""The `tongdui` command. What a command needs is imported when it runs, so that `--help` and typing errors answer at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What follows `tongdui` on the command line. By default those of this process.

    Returns:
        The exit code: 0 for a good outcome, 1 for a bad one, 2 when there is none.
    """
    try:
        from ._run import run
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in {"typer", "rich", "shellingham", "annotated_doc"}:
            raise
        print(
            "tongdui: the command line needs typer and rich; install them: pip install 'tongdui[cli]'", file=sys.stderr
        )
        return 2
    return run(sys.argv[1:] if arguments is None else list(arguments))
