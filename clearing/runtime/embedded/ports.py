"""TCP ports on this machine: which are free, and which a network has claimed."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

HOST = "127.0.0.1"
_PORTS = range(10_000, 20_000)
"""Below the range from which the system takes ports for outgoing connections: one of those could hold the port of a child that is
being restarted."""
_TRIES = 100


class NoFreePortError(Exception):
    """Something listens on every port that was tried, or a network has claimed it."""


@dataclass(slots=True)
class Claims:
    """The ports that one network has from before its parts listen until it ends, also while a part is being restarted.

    Without a claim two networks that start at the same time find the same port free. The chain of one of them cannot listen then,
    and its network would take the other's chain for its own. A claim is the UDP port of the same number: the system gives it to one
    process, and takes it back when that process ends, however it ends.
    """

    _held: list[socket.socket] = field(default_factory=list)

    def claim(self, port: int) -> bool:
        """Claims a port. False if something listens there, or if a network has claimed it."""
        if not is_free(port):
            return False
        held = socket.socket(type=socket.SOCK_DGRAM)
        try:
            held.bind((HOST, port))
        except OSError:
            held.close()
            return False
        self._held.append(held)
        return True

    def claim_first(self, candidates: Iterable[int]) -> int:
        """Claims the first of these ports that can be had. Raises NoFreePortError."""
        return _first(candidates, self.claim)

    def release(self) -> None:
        """Gives all of them back. Safe to call twice."""
        while self._held:
            self._held.pop().close()


def free_port() -> int:
    """A port on which nothing listens now."""
    return first_free(some_ports())


def some_ports() -> list[int]:
    """Ports to try, in random order."""
    return random.SystemRandom().sample(_PORTS, _TRIES)


def first_free(candidates: Iterable[int]) -> int:
    """The first of these ports on which nothing listens now. Raises NoFreePortError."""
    return _first(candidates, is_free)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may linger
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _first(candidates: Iterable[int], suits: Callable[[int], bool]) -> int:
    for port in candidates:
        if suits(port):
            return port
    raise NoFreePortError("no free port; stop what listens on this machine")
