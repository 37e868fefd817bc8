"""Whoever exports a till's file at night and has it taken in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from loyalty.jobs import work
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.staff.models import Role
from tests.loyalty.intake.shop import Shop, done

HEADER = "time,till,sale number,customer,article,quantity,unit,amount,original"


@dataclass(slots=True)
class BackOffice:
    """A station's back office."""

    shop: Shop
    database: Database
    directory: Path

    def written(self, *rows: str, header: str = HEADER, name: str = "day.csv") -> Path:
        """A file with these rows."""
        path = self.directory / name
        path.write_text("\n".join((header, *rows, "")), encoding="utf-8")
        return path

    def send(self, path: Path, role: Role = Role.CASHIER, **asked: Any) -> httpx.Response:
        """Sends a file over HTTP."""
        api = self.shop.api
        headers = {**api._headers(role), "Idempotency-Key": f"file-{next(self.shop.numbers)}"}
        query = {"station": "S17", "name": path.name, **asked}
        return api.http.post("/v1/till-files", params=query, content=path.read_bytes(), headers=headers)

    def work(self, mappings: Path | None = None) -> int:
        """What the worker does each minute."""
        return work.take_in_till_files(Settings(database_url=self.database.url, till_mappings=mappings))

    def take_in(self, *rows: str, **asked: Any) -> dict[str, Any]:
        """Sends a file with these rows and has the worker take it in; what became of it."""
        answer = self.send(self.written(*rows), **asked)
        assert answer.status_code == 202, answer.text
        self.work()
        return self.seen(answer.json())

    def seen(self, file: dict[str, Any]) -> dict[str, Any]:
        """The file as it is now."""
        return done(self.shop.api.get(f"/v1/till-files/{file['id']}"))

    def refusals(self, file: dict[str, Any]) -> list[tuple[str, int, str, str]]:
        """What was not booked: fate, line, field and the number of the document, the first first."""
        return [(one["fate"], one["line"], one["field"], one["number"]) for one in self._refusals(file)]

    def details(self, file: dict[str, Any]) -> list[str]:
        """Why."""
        return [one["detail"] for one in self._refusals(file)]

    def _refusals(self, file: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = done(self.shop.api.get(f"/v1/till-files/{file['id']}/refusals", limit=200))[
            "data"
        ]
        return found[::-1]

    def sales(self) -> list[dict[str, Any]]:
        """All sales with their lines and awards, the first one first."""
        listed = done(self.shop.api.get("/v1/sales", limit=200))["data"]
        return [self.shop.seen(sale) for sale in reversed(listed)]


def fates(file: dict[str, Any]) -> tuple[int, int, int, int]:
    """How many were booked, known already, different, refused."""
    found = file["fates"]
    return found["booked"], found["known"], found["differs"], found["refused"]


def fuel(number: int | str, customer: str = "", *, litres: str = "40", yuan: str = "320.00", minute: int = 0) -> str:
    """A row of petrol."""
    return f"2026-07-07 12:{minute:02}:00,1,{number},{customer},95#,{litres},L,{yuan},"


def tea(
    number: int | str, customer: str = "", *, pieces: int = 1, yuan: str = "", original: str = "", minute: int = 0
) -> str:
    """A row of tea."""
    amount = yuan or f"{pieces * 3}.00"
    return f"2026-07-07 12:{minute:02}:00,1,{number},{customer},Tea,{pieces},瓶,{amount},{original}"
