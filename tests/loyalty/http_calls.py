"""Calls of the programme's API, with a key of each role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx
from fastapi.testclient import TestClient

from loyalty.app import create_app
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.staff.models import Role
from loyalty.staff.service import KeyService

_numbers = count(1)


@dataclass(slots=True)
class Api:
    """The programme's API."""

    database: Database
    http: TestClient
    secrets: Mapping[Role, str]

    def get(self, path: str, role: Role | None = Role.MANAGER, **params: Any) -> httpx.Response:
        """Looks."""
        return self.http.get(path, params=params, headers=self._headers(role))

    def post(
        self, path: str, body: Any = None, role: Role | None = Role.MANAGER, *, key: str | None = ""
    ) -> httpx.Response:
        """Changes something, with a fresh idempotency key unless one is given, or none for None."""
        own = {} if key is None else {"Idempotency-Key": key or f"test-{next(_numbers)}"}
        return self.http.post(path, json={} if body is None else body, headers={**self._headers(role), **own})

    def _headers(self, role: Role | None) -> dict[str, str]:
        return {} if role is None else {"Authorization": f"Bearer {self.secrets[role]}"}


def api_on(database: Database, settings: Settings | None = None) -> Api:
    """The API on a database, which gets a key for each role."""
    with database.session.begin() as session:
        secrets = {role: KeyService(session).add(f"the {role}", role, actor="test")[1] for role in Role}
    return Api(database, TestClient(create_app(database, settings), raise_server_exceptions=False), secrets)
