"""How far an audit is, on standard error: a bar for people, or a JSON document a line for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from tongdui.audit import options as audit

_SECONDS_A_LINE = 1.0


@contextmanager
def shown(how: str) -> Iterator[audit.OnProgress]:
    """Shows the progress that it is told.

    Args:
        how: `bar`, `json` or `none`; `auto` is a bar on a terminal, and nothing elsewhere.
    """
    if how == "auto":
        how = "bar" if sys.stderr.isatty() else "none"
    if how == "json":
        yield _Lines()
    elif how == "none":
        yield _say_nothing
    else:
        columns = (
            TextColumn("block {task.completed:,} of {task.total:,}"),
            BarColumn(),
            TextColumn("{task.fields[entries]:,} entries, {task.fields[rate]:,} a second"),
            _Findings("{task.fields[findings]:,} findings"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            yield _Bar(bars)


def _say_nothing(_: audit.Progress) -> None:
    """Shows no progress."""


class _Findings(TextColumn):
    """Nothing, as long as nothing was found."""

    def render(self, task: object) -> Text:
        rendered: Text = super().render(task)  # type: ignore[arg-type]
        return rendered if task.fields["findings"] else Text("")  # type: ignore[attr-defined]


class _Bar:
    """A bar over the blocks of this run, with its rate and the time that is left."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task: TaskID | None = None

    def __call__(self, progress: audit.Progress) -> None:
        fields: dict[str, Any] = {
            "total": progress.last_block - progress.first_block + 1,
            "completed": progress.block - progress.first_block + 1,
            "entries": progress.entries,
            "rate": int(progress.entries / max(progress.seconds, 0.001)),
            "findings": progress.findings,
        }
        if self._task is None:
            self._task = self._bars.add_task("", **fields)
        self._bars.update(self._task, **fields)


class _Lines:
    """A document a second, and one for the last block."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, progress: audit.Progress) -> None:
        now = time.monotonic()
        if now >= self._next or progress.block == progress.last_block:
            self._next = now + _SECONDS_A_LINE
            print(json.dumps(asdict(progress)), file=sys.stderr, flush=True)
