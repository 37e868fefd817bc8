"""Free TCP ports on this machine."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable

HOST = "127.0.0.1"
_PORTS = range(10_000, 20_000)
"""Below the range from which the system takes ports for outgoing connections: one of those could hold the port of a child that is
being restarted."""
_TRIES = 100


class NoFreePortError(Exception):
    """Something listens on every port that was tried."""


def free_port() -> int:
    """A port on which nothing listens now."""
    return first_free(random.SystemRandom().sample(_PORTS, _TRIES))


def first_free(candidates: Iterable[int]) -> int:
    """The first of these ports on which nothing listens now. Raises NoFreePortError."""
    for port in candidates:
        if is_free(port):
            return port
    raise NoFreePortError("no free port; stop what listens on this machine")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may linger
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
