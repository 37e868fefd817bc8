"""Starts audits as processes of this machine, which end with the console."""

from __future__ import annotations

import os
import subprocess
import sys
from subprocess import Popen

from console.audit_jobs.files import CANCEL
from console.audit_jobs.runs import Runs
from console.settings import Settings

_PATIENCE = 5.0
"""Seconds for jobs to stop with the console. What takes longer stops by itself."""


class Jobs:
    """The jobs that this console has started."""

    def __init__(self, settings: Settings) -> None:
        self.runs = Runs(settings.audit_directory, settings.audits_kept) if settings.audit_directory else None
        self._started: list[Popen[bytes]] = []

    def start(self, id: str) -> None:  # noqa: A002
        """Begins an audit, or lets it go on where it was. Raises Busy if another one runs."""
        assert self.runs is not None
        run = self.runs.get(id)
        assert run is not None
        self._forget_ended()
        with self.runs.turn(id) as lock:
            (run.directory / CANCEL).unlink(missing_ok=True)  # here, because somebody may cancel before the job is up
            self._started.append(
                Popen(  # noqa: S603 (our own command)
                    [sys.executable, "-m", "console.audit_jobs.job", str(run.directory)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=None,  # what goes wrong with the job itself stands in the console's own log
                    env=_environment(),
                    pass_fds=(lock,),
                    start_new_session=True,
                )
            )

    def _forget_ended(self) -> None:
        for job in self._started:
            if job.poll() is not None:
                _let_go(job)
        self._started = [job for job in self._started if job.poll() is None]

    def close(self) -> None:
        """Lets the jobs stop: each keeps what it has checked."""
        for job in self._started:
            _let_go(job)
        for job in self._started:
            try:
                job.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                continue


def _let_go(job: Popen[bytes]) -> None:
    """Closes the pipe by which a job knows that its console is there."""
    if job.stdin is not None:
        job.stdin.close()


def _environment() -> dict[str, str]:
    """The console's environment without its settings: an audit is told everything on its command line."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
