"""Where a request comes from."""

from __future__ import annotations

from fastapi import Request

from clearing.kit.networks import neighbourhood


def client_address(request: Request) -> str:
    """The client's address; empty if there is none. Where a proxy calls that the server trusts (`TONGDUI_TRUSTED_PROXIES`), it is
    the address that the proxy names."""
    return request.client.host if request.client is not None else ""


def client_neighbourhood(request: Request) -> str:
    """The addresses that are counted together with the client's, as one key: it could easily have each of them."""
    return neighbourhood(client_address(request))
