"""Runs a command and turns whatever happens into an exit code and a sentence. No traceback ever reaches the user."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from typer import Exit, TyperException
from typer.main import get_command

from ._app import app
from ._failures import Failure, failure_of, usage_failure
from ._outcomes import GOOD, NONE

_COMPLETE = "_TONGDUI_COMPLETE"
_JSON_INTO_A_FILE = {("audit", "run")}
"""Commands whose `--json` names a file: what they say is for people all the same."""


def run(arguments: Sequence[str]) -> int:
    """Run the command with these arguments. Returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show must not end a command
    as_json = "--json" in arguments and tuple(arguments[:2]) not in _JSON_INTO_A_FILE
    try:
        return _invoke(list(arguments))
    except Exit as ended:
        return ended.exit_code
    except SystemExit as ended:  # typer's completion ends the process itself
        return NONE if ended.code else GOOD
    except BrokenPipeError:  # `tongdui events tail | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return GOOD
    except TyperException as error:
        failure = usage_failure(error)
    except KeyboardInterrupt as error:
        failure = failure_of(error)
    except Exception as error:  # noqa: BLE001 - the last one that can say it in a sentence
        failure = failure_of(error)
    _show(failure, as_json=as_json)
    return failure.exit_code


def _invoke(arguments: list[str]) -> int:
    command = get_command(app)
    if _COMPLETE in os.environ:
        from typer._completion_classes import completion_init

        completion_init()
        command.main(arguments, prog_name="tongdui", complete_var=_COMPLETE)
    with command.make_context("tongdui", arguments) as context:
        code = command.invoke(context)
    return code if isinstance(code, int) else GOOD


def _show(failure: Failure, *, as_json: bool) -> None:
    try:
        print(failure.as_json() if as_json else failure.as_text(), file=sys.stderr, flush=True)
    except OSError:  # nobody reads it: the exit code still says it
        failure.exit_code = failure.exit_code or NONE
