"""What somebody has chosen for a privileged call, whatever it is."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from clearing.runtime.preflight.refusal import CannotRun

_LONGEST_REASON = 200
_LONGEST_TIMEOUT = 86_400


@dataclass(frozen=True, slots=True)
class Choices:
    """The options that all these commands share."""

    reason: str
    dry_run: bool
    print_call: bool
    direct: bool
    yes: bool
    as_json: bool
    timeout: float
    key_file: Path | None
    password_file: Path | None

    @classmethod
    def of(cls, chosen: argparse.Namespace) -> Choices:
        """Reads the options. Raises CannotRun for those that make no sense, or not together."""
        choices = cls(
            (chosen.reason or "").strip(),
            chosen.dry_run,
            chosen.print_call,
            chosen.direct or chosen.key_file is not None,
            chosen.yes,
            chosen.json,
            chosen.timeout,
            chosen.key_file,
            chosen.password_file,
        )
        if choices.dry_run and choices.print_call:
            raise CannotRun("--print-call: sends nothing, as --dry-run does; leave one of them out")
        if choices.password_file is not None and choices.key_file is None:
            raise CannotRun("--password-file: is the password of --key-file, which is not there")
        if not 0 < choices.timeout <= _LONGEST_TIMEOUT:
            raise CannotRun(f"--timeout: must be more than 0 and at most {_LONGEST_TIMEOUT} seconds")
        if len(choices.reason) > _LONGEST_REASON:
            raise CannotRun(f"--reason: has {len(choices.reason)} characters; at most {_LONGEST_REASON} are kept")
        return choices

    @property
    def sends(self) -> bool:
        """Whether anything is to happen."""
        return not self.dry_run and not self.print_call

    def require_reason(self) -> str:
        """Why somebody does this; asked for on a terminal."""
        reason = self.reason
        if not reason and sys.stdin.isatty():
            sys.stderr.write("Why? (for the audit log) ")
            sys.stderr.flush()
            reason = sys.stdin.readline().strip()
        if not reason:
            raise CannotRun("--reason: is missing; say why, for the audit log")
        return reason[:_LONGEST_REASON]

    def require_consent(self) -> bool:
        """Whether the person at the terminal says yes."""
        if self.yes:
            return True
        if not sys.stdin.isatty():
            raise CannotRun(
                "--yes: is missing, and there is no terminal to ask for consent; --dry-run shows what it would do"
            )
        sys.stderr.write("Go on? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")
