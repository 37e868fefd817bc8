"""Commands of this project as processes of their own that need no seconds to load their modules: see `ForkServer`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from clearing.runtime.embedded.fork_server import SHARED, Forked

_TIMEOUT = 120.0


def start(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    log: Path,
    errors: Path | None = None,
    directory: Path | None = None,
) -> Forked:
    """Starts `python -m` with these arguments; what it says is appended to the log; its errors to their own, if given."""
    SHARED.load()
    whole = [sys.executable, "-m", *command]
    return SHARED.start(command[0], whole, environment=environment, output=log, errors=errors, directory=directory)


def run(command: Sequence[str], *, environment: Mapping[str, str], directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs `python -m` with these arguments in a directory, like `subprocess.run`."""
    with tempfile.TemporaryDirectory() as elsewhere:
        output, errors = Path(elsewhere) / "output", Path(elsewhere) / "errors"
        process = start(command, environment=environment, log=output, errors=errors, directory=directory)
        try:
            code = process.wait(_TIMEOUT)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, code, output.read_text(), errors.read_text())
