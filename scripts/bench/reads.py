"""Every read that the API offers, of a generated network: each route, each filter, each pair of filters, for each kind of caller.

The routes come from the API's own description. A route or filter for which there is no value here is an error: nobody adds a list
that nobody measures.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI
from sqlalchemy import select

from clearing.kit.database import Database
from clearing.kit.events.models import Event
from clearing.ledger.journal.models import Batch, Entry
from clearing.notifications.webhooks.models import WebhookDelivery
from clearing.parties.access.models import Role
from clearing.parties.access.service import AccessService, Scope, bootstrap_keys
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant
from gateway.http.auth import RULES
from scripts.bench.generated import (
    ENDPOINT,
    GIANT,
    NOBODY,
    ORDER,
    PARTNER,
    QUIET,
    SMALL_PROGRAM,
    Size,
    identifier,
)
from tongdui.encoding import hex_of

MERCHANTS = {"giant": GIANT, "quiet": QUIET, "nobody": NOBODY}
"""The merchants that read, by what they are called in figures."""
OPERATOR = "operator"
NOT_READ = {"/healthz", "/readyz", "/v1/events/stream", "/v1/network", "/v1/sessions/issuers", "/v1/sessions/oidc"}
"""Routes that read no table, or never end."""
_NO_FILTER = {"limit", "cursor", "expand[]"}


@dataclass(frozen=True, slots=True)
class Read:
    """One GET by one caller."""

    route: str
    path: str
    caller: str
    """A merchant's name in `MERCHANTS`, or the operator."""
    query: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    """The same, with names in place of what depends on the network."""

    @property
    def url(self) -> str:
        """The path with its query."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def name(self) -> str:
        """How figures call it: without what depends on the size of the network."""
        filters = " ".join(f"{name}={value}" for name, value in self.labels)
        return f"{self.route} {filters}".strip() + f" as {self.caller}"


class Reads:
    """The reads of one generated network."""

    def __init__(self, app: FastAPI, database: Database, size: Size) -> None:
        self._paths: Mapping[str, Any] = app.openapi()["paths"]
        self._size = size
        self._values = _values(database, size)

    def all(self, *, limit: int, by: Collection[str] = (*MERCHANTS, OPERATOR)) -> Iterator[Read]:
        """Every read by these callers, each once. Pages have `limit` elements."""
        for route, methods in self._paths.items():
            if "get" in methods and route not in NOT_READ:
                parameters = [(each["name"], each["in"]) for each in methods["get"].get("parameters", ())]
                yield from (read for read in self._of_route(route, parameters, limit) if read.caller in by)

    def _of_route(self, route: str, parameters: Sequence[tuple[str, str]], limit: int) -> Iterator[Read]:
        in_path = [name for name, place in parameters if place == "path"]
        names = [name for name, place in parameters if place == "query"]
        filters = [name for name in names if name not in _NO_FILTER]
        paged = [("limit", str(limit))] if "limit" in names else []
        for path, caller in product(self._urls(route, in_path), self._callers(route)):
            chosen = [[*some, *paged] for some in self._chosen(route, filters, caller)]
            if "cursor" in names:
                deep = ("cursor", self._value(route, "cursor")[0])
                chosen += [[*some, deep] for some in chosen if len(some) <= 1 + len(paged)]
            for some in chosen:
                labels = [(name, self._label(route, name, value)) for name, value in some if name != "limit"]
                yield Read(route, path, caller, tuple(some), tuple(labels))

    def _urls(self, route: str, names: Sequence[str]) -> Iterator[str]:
        for some in product(*(self._value(route, name) for name in names)):
            path = route
            for name, value in zip(names, some, strict=True):
                path = path.replace(f"{{{name}}}", value)
            yield path

    def _callers(self, route: str) -> list[str]:
        rule = RULES["GET", route]
        roles = rule.roles - rule.people_of  # the readers have keys; a person's own affairs are a few rows each
        merchants = [*MERCHANTS] if Role.MERCHANT in roles else []
        return [*merchants, OPERATOR] if Role.OPERATOR in roles else merchants

    def _chosen(self, route: str, filters: Sequence[str], caller: str) -> Iterator[list[tuple[str, str]]]:
        allowed = [name for name in filters if name not in _NOT_FOR.get(caller, _NOT_FOR_MERCHANTS)]
        yield []
        for count in range(1, _most(route, caller) + 1):
            for names in combinations(allowed, count):
                values = [self._value(route, name) for name in names]
                if count > 1:  # one that is frequent with one that is rare, and so on
                    values = [sorted({some[0], some[-1]}) for some in values[:1]] + [some[-1:] for some in values[1:]]
                for some in product(*values):
                    yield list(zip(names, some, strict=True))

    def _label(self, route: str, name: str, value: str) -> str:
        if value.replace("_", "").replace(".", "").isalpha() or value.startswith("P"):
            return value
        return f"({self._value(route, name).index(value) + 1})"

    def _value(self, route: str, name: str) -> Sequence[str]:
        """Values of a parameter: frequent ones and rare ones."""
        names = (f"{route} {name}", f"{route.split('/')[2]} {name}", name)
        found = next((self._values[name] for name in names if name in self._values), None)
        if found is None:
            raise LookupError(
                f"scripts/bench/reads.py has no value for {name} of {route}: add a frequent and a rare one"
            )
        return found


_NOT_FOR_MERCHANTS = {"address"}
_NOT_FOR = {OPERATOR: {"direction", "external_id", "q"}}
"""Filters that are refused to the caller."""


def _most(route: str, caller: str) -> int:
    """How many filters are combined. Whoever sees much has much to look through."""
    if route.split("/")[2] in _MOVEMENTS[1:]:  # the list of a kind is the list of movements with that kind
        return 0
    most = {"giant": 2, OPERATOR: 1, "quiet": 1}.get(caller, 0)
    return min(most, 1) if route == "/v1/agreements" else most  # there are few agreements


def _values(database: Database, size: Size) -> dict[str, Sequence[str]]:
    """By the parameter's name, or by the first word of the path and the name."""
    middle = size.last_order // 2
    now = datetime.now(UTC)
    some = str(size.members * 3 // 4 // 10 * 10)
    with database.reading() as session:
        middle_batch = session.scalars(
            select(Batch).order_by(Batch.number).offset(size.entries // 1_600).limit(1)
        ).one()
        leaf = session.scalars(select(Entry.leaf).order_by(Entry.batch.desc()).limit(1)).one()
        delivered = select(Event.id).join(WebhookDelivery, WebhookDelivery.event_seq == Event.seq)
        event = session.scalars(delivered.where(WebhookDelivery.endpoint_id == ENDPOINT).limit(1)).one()
        address = session.get_one(Member, identifier("mem", int(some))).address
    old = (now - timedelta(days=size.days * 9 / 10)).isoformat()
    new = (now - timedelta(days=size.days / 10)).isoformat()
    ids = {
        name: [identifier(prefix, 1)] for name, prefix in (("merchant", "mer"), ("agreement", "agr"), ("hold", "hld"))
    }
    return {
        **ids,
        "program": [f"P{GIANT}", f"P{SMALL_PROGRAM}"],
        "member": [identifier("mem", int(some))],
        "movement": [identifier("exc", ORDER + 80)],
        **{f"{name} movement": [identifier("exc", ORDER + alone)] for name, alone in _ALONE.items()},
        "order": [identifier("ord", 100)],
        "endpoint": [ENDPOINT],
        "statement": [identifier("stm", 40)],
        "merge": [identifier("mrg", 15)],
        "approval": [identifier("apr", 1)],
        "leaf": [hex_of(leaf)],
        "code": [identifier("mcd", 1)],
        "deposits movement": [identifier("dep", 40)],
        "withdrawals movement": [identifier("wdr", 1)],
        # Filters
        "kind": ["exchange", "reverse"],
        "agreements kind": ["exchange", "acceptance"],
        "approvals kind": ["deposit", "withdrawal"],
        "approvals state": ["approved", "requested", "expired"],
        "direction": ["out", "in"],
        "counterparty": [identifier("mer", PARTNER), identifier("mer", GIANT), identifier("mer", NOBODY)],
        "state": ["settled", "submitted", "rejected", "expired", "cancelled"],
        "agreements state": ["active", "proposed"],
        "members state": ["active", "frozen"],
        "merges state": ["done", "proposed", "moving", "cancelled"],
        "holds state": ["pending", "captured", "released", "expired"],
        "webhook_endpoints state": ["pending", "delivered", "failed"],
        "reference": [f"r-{ORDER + 41}", f"r-{size.entries - 3}"],
        "holds reference": ["h-12"],
        "original": [identifier("exc", ORDER + 80)],
        "created[gte]": [old, new],
        "created[lt]": [old, new],
        "external_id": [f"c-{some}"],
        "q": ["c", f"c-{some[:2]}"],
        "address": [address],
        "batch": ["1", str(size.entries // 800)],
        "type": ["order.settled", "exchange.received", "reversal.received", "order.cancelled", "member.frozen"],
        "subject": [identifier("ord", 50)],
        "event": [event],
        "actor": [identifier("key", 1), "bootstrap"],
        "created_by": ["bench"],
        "audit_log type": ["api_key.created", "sequencing.paused"],
        "audit_log subject": [identifier("mem", 411)],
        "audit_log cursor": [identifier("evt", 100)],
        "from": [_day(now, size.days * 9 // 10), _day(now, size.days // 10)],
        "to": [_day(now, size.days // 2), _day(now, 1)],
        "as_of": [_day(now, size.days * 9 // 10), _day(now, 2)],
        "since": [_day(now, 90), _day(now, 1)],
        "days": ["90", "30"],
        "activity cursor": [f"{int(now.timestamp()) // 86_400 - size.days // 2}_1_1_0_0"],
        "partners cursor": ["20"],
        "day[gte]": [_day(now, size.days * 9 // 10), _day(now, size.days // 10)],
        "day[lt]": [_day(now, size.days * 9 // 10), _day(now, size.days // 10)],
        **{f"/v1/expirations/upcoming {name}": [_day(now, -1), _day(now, -80)] for name in ("day[gte]", "day[lt]")},
        "bank_reference[]": ["b-40", "b-1"],
        "deposits state": ["posted", "pending"],
        "withdrawals state": ["posted", "pending"],
        # Deep pages
        **{f"{name} cursor": [f"{middle}_0"] for name in _MOVEMENTS},
        "/v1/entries/export cursor": [f"{middle_batch.number}_0_{middle_batch.head[:8].hex()}"],
        "entries cursor": [f"{size.entries // 800}_0"],
        "/v1/webhook_endpoints/{endpoint}/deliveries cursor": [str(size.entries // 2)],
        "/v1/webhook_endpoints cursor": [identifier("whe", 2)],
        "positions cursor": ["20_0"],
        "merchants cursor": [identifier("mer", 20)],
        "programs cursor": [identifier("prg", 20)],
        "members cursor": [identifier("mem", size.members // 2)],
        "/v1/expirations cursor": [f"{middle}_0"],
        "/v1/expirations/upcoming cursor": [f"{int(now.timestamp()) // 86_400 + 40}_{GIANT}_0x{'8' * 40}"],
        "expirations cursor": [identifier("hld", size.entries // 20)],
        "/v1/members/{member}/accounts/{program}/lots cursor": ["0_0_0"],
        "merges cursor": [identifier("mrg", 15)],
        "agreements cursor": [identifier("agr", 20)],
        "holds cursor": [identifier("hld", size.entries // 20)],
        "deposits cursor": [identifier("dep", size.days * 20)],
        "withdrawals cursor": [identifier("wdr", 10)],
        "statements cursor": [identifier("stm", size.days * 20)],
        "batches cursor": [str(size.entries // 800)],
        "quarantined_events cursor": ["2_0"],
        "events cursor": [identifier("evt", 100)],
        "api_keys cursor": [identifier("key", 1)],
        "approvals cursor": [identifier("apr", 1)],
        "staff cursor": [identifier("sea", 1)],
        "invitations cursor": [identifier("inv", 1)],
    }


_ALONE = {"issuances": 89, "redemptions": 5, "spends": 30, "transfers": 20, "reversals": 100, "expirations": 25}
"""A movement of each kind, counted among those that are alone in their orders."""
_MOVEMENTS = ("movements", "issuances", "redemptions", "exchanges", "spends", "transfers", "reversals", "expirations")


def _day(now: datetime, ago: int) -> str:
    return (now - timedelta(days=ago)).date().isoformat()


def callers(database: Database) -> dict[str, str]:
    """A key of each caller, by its name."""
    with database.session.begin() as session:
        operator = {str(role): token for role, token in bootstrap_keys(session).items()}[OPERATOR]
        access = AccessService(session)
        keys = {
            name: access.create_first(session.get_one(Merchant, number), frozenset(Scope), actor="bench")[1]
            for name, number in MERCHANTS.items()
        }
    return {**keys, OPERATOR: operator}
