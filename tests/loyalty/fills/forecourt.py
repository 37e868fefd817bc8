"""A station's pumps, bays and cameras, each with its own key."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from tests.loyalty.intake.shop import DAY, Shop, done

PLATE = {"kind": "plate", "value": "京A·12345"}


@dataclass(slots=True)
class Thing:
    """A device and its secret."""

    forecourt: Forecourt
    id: str
    secret: str
    point: str | None

    def post(self, event: dict[str, Any]) -> httpx.Response:
        """Posts an event, under an idempotency key of its own."""
        headers = {"Authorization": f"Bearer {self.secret}", "Idempotency-Key": f"own-{next(self.forecourt.numbers)}"}
        return self.forecourt.shop.api.http.post("/v1/devices/events", json=event, headers=headers)

    def saw(self, kind: str, minute: int, **more: Any) -> dict[str, Any]:
        """Posts what it saw at a minute of the day; what was kept."""
        return done(self.post(self.event(kind, minute, **more)))

    def event(self, kind: str, minute: int, **more: Any) -> dict[str, Any]:
        """An event as it is sent."""
        time = f"{DAY}T{12 + minute // 60}:{minute % 60:02}:00+08:00"
        return {"number": f"e{next(self.forecourt.numbers)}", "kind": kind, "time": time, **more}


@dataclass(slots=True)
class Forecourt:
    """The devices of a shop's station."""

    shop: Shop
    numbers: count[int] = field(default_factory=lambda: count(1))

    def add(self, kind: str, point: str | None = None, **more: Any) -> Thing:
        """Adds a device."""
        new = {"station": "S17", "name": f"{kind} {point}", "kind": kind, "point": point, **more}
        made = done(self.shop.api.post("/v1/devices", new))
        return Thing(self, made["id"], made["secret"], made["point"])

    def pump(self, point: str = "P3") -> Thing:
        """Adds a pump."""
        return self.add("pump", point, category="fuel")

    def customer(self, plate: str = "京A·12345") -> str:
        """Somebody with a plate joins."""
        customer = self.shop.customer()
        done(self.shop.api.post(f"/v1/customers/{customer}/identifiers", {"kind": "plate", "value": plate}))
        return customer

    def fills(self, **filters: Any) -> list[dict[str, Any]]:
        """The fills, the newest first."""
        found: list[dict[str, Any]] = done(self.shop.api.get("/v1/fills", **filters))["data"]
        return found

    def sales(self) -> list[dict[str, Any]]:
        """The sales that are right, the first one first."""
        listed = done(self.shop.api.get("/v1/sales", limit=200))["data"]
        return [self.shop.seen(sale) for sale in reversed(listed) if sale["replaced_by"] is None]


def given(litres_milli: int = 38_200) -> dict[str, Any]:
    """What a pump says it has given out."""
    return {
        "article": "95",
        "unit": "l",
        "quantity_milli": litres_milli,
        "unit_price_micros": 8_000_000,
        "amount_micros": litres_milli * 8_000,
    }
