"""A gas station that sends its sales."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

from loyalty.earning.rule_sets import RuleSet, write_rule_set
from loyalty.network.debts import DebtService
from loyalty.network.members import as_member
from loyalty.network.models import Wish, WishState
from loyalty.network.wish_repository import WishRepository
from loyalty.staff.models import Role
from tests.loyalty.earning.programmes import CLASSIC
from tests.loyalty.http_calls import Api

DAY = "2026-07-07"


@dataclass(slots=True)
class Shop:
    """A station, its tills and its customers."""

    api: Api
    numbers: count[int] = field(default_factory=lambda: count(1))

    def open(self, rules: RuleSet | None = CLASSIC) -> None:
        """Adds the station, and puts rules into force."""
        station = {"id": "S17", "name": "Changjiang Road", "region": "north"}
        assert self.api.post("/v1/stations", station).status_code == 200
        if rules is not None:
            self.publish(rules)

    def publish(self, rules: RuleSet) -> dict[str, Any]:
        """Puts rules into force."""
        draft = done(
            self.api.post(
                "/v1/rule-sets", {"program": "FUEL", "rules": json.loads(write_rule_set(rules))}, Role.MARKETING
            )
        )
        return done(self.api.post(f"/v1/rule-sets/{draft['id']}/publish", {"reason": "a test"}))

    def customer(self, card: str | None = None, **more: Any) -> str:
        """Somebody joins; the id."""
        identifiers = [{"kind": "card", "value": card or f"CARD{next(self.numbers):06}"}]
        return str(done(self.api.post("/v1/customers", {"identifiers": identifiers, **more}))["id"])

    def sale(self, *lines: dict[str, Any], number: str | None = None, **more: Any) -> dict[str, Any]:
        """A sale as the till sends it."""
        found = {
            "station": "S17",
            "business_day": DAY,
            "till": "1",
            "number": number or str(next(self.numbers)),
            "time": f"{DAY}T15:30:00+08:00",
            "lines": [{"number": at, **line} for at, line in enumerate(lines or (fuel(40),), start=1)],
        }
        return found | more

    def sell(self, *lines: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Sends a sale; what was booked."""
        return done(self.send(self.sale(*lines, **more)))

    def send(self, sale: dict[str, Any]) -> httpx.Response:
        """Sends a sale."""
        return self.api.post("/v1/sales", sale, Role.CASHIER)

    def give_back(
        self, sale: dict[str, Any], *lines: tuple[int, int, int], role: Role = Role.CASHIER, **more: Any
    ) -> httpx.Response:
        """Sends a return of some lines of a sale: number, thousandths, micros."""
        names = ("number", "quantity_milli", "amount_micros")
        body = {
            "station": "S17",
            "business_day": DAY,
            "till": "1",
            "number": f"R{next(self.numbers)}",
            "sale": {name: sale[name] for name in ("business_day", "till", "number")},
            "lines": [dict(zip(names, line, strict=True)) for line in lines],
        }
        return self.api.post("/v1/returns", body | more, role)

    def in_debt(self, customer: str, **more: Any) -> str:
        """Has a customer owe what the return of a sale should take back and the network does not find; the last debt's id."""
        sale = self.sell(fuel(40), customer=customer, **more)
        done(self.give_back(sale, (1, 40_000, 320_000_000)))
        with self.api.database.session.begin() as session:
            wishes = WishRepository(session)
            reversals = [wish for wish in wishes.open_of([as_member(customer)]) if wish.original_id is not None]
            for original in wishes.originals(reversals).values():
                original.state = WishState.SETTLED
            return [DebtService(session).book(reversal, 0).id for reversal in reversals][-1]

    def seen(self, sale: dict[str, Any]) -> dict[str, Any]:
        """The sale as it is now."""
        return done(self.api.get(f"/v1/sales/{sale['id']}"))

    def wish(self, reference: str) -> Wish | None:
        """The wish with a reference."""
        with self.api.database.reading() as session:
            return WishRepository(session).with_reference(reference)


def fuel(litres: int, yuan: int = 0) -> dict[str, Any]:
    """A line of petrol."""
    return {
        "article": "95",
        "category": "fuel",
        "quantity_milli": litres * 1_000,
        "unit": "l",
        "amount_micros": (yuan or litres * 8) * 1_000_000,
    }


def goods(category: str, fen: int) -> dict[str, Any]:
    """One piece from the shop."""
    return {
        "article": category,
        "category": category,
        "quantity_milli": 1_000,
        "unit": "piece",
        "amount_micros": fen * 10_000,
    }


def points(sale: dict[str, Any]) -> dict[str, int]:
    """What each rule gave."""
    return {award["rule"]: award["points"] for award in sale["awards"]}


def done(answer: httpx.Response) -> dict[str, Any]:
    """The answer of what has worked."""
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: httpx.Response, status: int, code: str, pointer: str | None = None) -> str:
    """What a refusal says."""
    said = answer.json()
    assert (answer.status_code, said["code"]) == (status, code), said
    if pointer is not None:
        assert pointer in [error["pointer"] for error in said["errors"]], said
    return str(said["detail"])
