"""Somebody at a terminal: a process with a terminal of its own, and what is typed into it."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress


def typed(
    command: Sequence[str], environment: Mapping[str, str], answers: Sequence[tuple[str, str]]
) -> tuple[int, str]:
    """Runs a command at a terminal. Each answer is typed when its question has been asked. Returns exit code and screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **environment}, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 (one system call)
    )  # fmt: skip
    os.close(theirs)
    screen, waiting, deadline = "", list(answers), time.monotonic() + 120
    with suppress(OSError):  # what a terminal says when its last process has ended
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            if not (read := os.read(ours, 4096)):
                break
            screen += read.decode()
            if waiting and waiting[0][0] in screen:
                os.write(ours, f"{waiting.pop(0)[1]}\n".encode())
    os.close(ours)
    return process.wait(60), screen
