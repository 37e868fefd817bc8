"""Checks the address on which the gateway listens."""

from __future__ import annotations

import socket

from clearing.kit.config import Settings, variable
from clearing.runtime.preflight.refusal import CannotRun


def check_gateway_address(settings: Settings) -> None:
    """Refuses a host that is not this machine's, and a port on which something listens already."""
    host, port = settings.gateway_host, settings.gateway_port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
    except socket.gaierror:
        raise CannotRun(f"{variable('gateway_host')}: there is no host {host}") from None
    except OSError as error:
        raise CannotRun(f"{variable('gateway_port')}: cannot listen on {host}:{port}: {error.strerror}") from None
