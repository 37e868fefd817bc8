"""How a process ends that cannot do its work: a sentence on standard error and exit code 2, never a traceback or SQL.

This module imports next to nothing, so that wrong settings are refused before anything heavy is loaded.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from clearing.kit.config import SettingsError
from clearing.runtime.preflight.refusal import CannotRun

FAILED = 2
"""Exit code of a command that could not do its work."""


def run_or_explain(run: Callable[[], int]) -> int:
    """Runs a command and returns its exit code. A failure that has an explanation is printed and ends in FAILED."""
    try:
        return run()
    except (SettingsError, CannotRun) as error:
        sys.stderr.write(f"{error}\n")
    except Exception as error:
        from clearing.runtime.explanations import explanation  # deferred: it knows the errors of everything we use

        sentence = explanation(error)
        if sentence is None:
            raise
        sys.stderr.write(f"{sentence}\n")
    return FAILED
