"""Which page an address belongs to, where the address itself may take forms only."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.routing import compile_path

from pages.paging import address_with

START = "/"


class Addresses:
    """Every address of the console, as routes name them: `/members/{member}/freeze`."""

    def __init__(self, routers: Iterable[tuple[str, APIRouter]]) -> None:
        """Of these routers, each below its path."""
        self._forms: list[tuple[str, re.Pattern[str]]] = []
        self._pages: set[str] = set()
        for prefix, router in routers:
            for route in router.routes:
                name, methods = prefix + getattr(route, "path", ""), getattr(route, "methods", None) or ()
                if "GET" in methods:
                    self._pages.add(name)
                if "POST" in methods:
                    self._forms.append((name, compile_path(name)[0]))

    def opening(self, request: Request) -> str:
        """The address that can be opened for what is sent to this one: /members/x for /members/x/freeze, with its query.

        The names of routes are compared, not what stands in the address: what is sent to /people/invitations/x/revoke is about
        /people, not about a person whose id is "invitations".
        """
        path = request.url.path
        name = next((name for name, expression in self._forms if expression.match(path)), None)
        if name is None:
            return START
        named, parts = name.split("/"), path.split("/")
        for length in range(len(named), 1, -1):
            if "/".join(named[:length]) in self._pages:
                return address_with(request, {}, "/".join(parts[:length]))
        return START
