"""`make bench BENCH_ARGS=--growth`: what each read of the API, the console's pages, a quote, an exchange and the rounds cost in a
small network and in a large one.

Both networks are generated, because the large one would take years. A figure has the time and the rows examined at both sizes. Rows
are exact; times depend on what else the machine does.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection

from clearing.kit.config import RATE_LIMITS, Settings
from clearing.kit.database import Database
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.keyrings import Keyrings
from clearing.parties.merchants.models import SignerKey
from gateway.app import create_app
from scripts.bench.console import addresses, console_of, look
from scripts.bench.generated import GIANT, PARTNER, Size, generate
from scripts.bench.plans import cost, is_read, statements
from scripts.bench.reads import Read, Reads, callers
from scripts.bench.rounds import round_figures
from scripts.dev.services import postgres

SMALL = Size(accounts=10_000, entries=30_000)
LIMIT = 50
"""Elements a page."""
REPEATS = 2
"""The quickest counts: the others waited for something else."""
_PASSWORD = "growth"  # noqa: S105 (of a network that lives for a minute)
_keys = count()


class Cost(NamedTuple):
    """What a request costs."""

    milliseconds: float
    rows: int | None
    """That its statements examine; None for rounds, which change them."""


@dataclass(slots=True)
class Site:
    """A gateway of a generated network, without a network between."""

    app: FastAPI
    client: TestClient
    keys: Mapping[str, str]
    connection: Connection
    database: Database
    settings: Settings

    def send(self, method: str, url: str, caller: str, body: Any = None) -> httpx.Response:
        """One request, with an Idempotency-Key of its own if it writes."""
        headers = {"Authorization": f"Bearer {self.keys[caller]}"}
        if method == "POST":
            headers["Idempotency-Key"] = f"growth-{next(_keys)}"
        response: httpx.Response = self.client.request(method, url, headers=headers, json=body)
        assert response.status_code in (200, 201, 202, 403, 404), f"{url}: {response.text}"
        return response

    def cost_of(self, send: Callable[[], object]) -> Cost:
        """What a request costs that can be repeated."""
        with statements(self.database) as seen:
            send()
        rows = sum(cost(self.connection, statement) for statement in seen if is_read(statement))
        self.connection.rollback()
        return Cost(min(_milliseconds(send) for _ in range(REPEATS)), rows)


def growth_figures(large: Size) -> Iterator[dict[str, Any]]:
    """The figures, the reads that grow the most first."""
    few, many = measured(SMALL), measured(large)
    rounds = [name for name in few if few[name].rows is None]
    names = sorted(few.keys() - rounds, key=lambda name: (few[name].rows or 0) - (many[name].rows or 0))
    for name in (*rounds, *names):
        small, big = few[name], many[name]
        ratio = round(big.milliseconds / small.milliseconds, 2)
        times = {"small": round(small.milliseconds, 2), "large": round(big.milliseconds, 2), "ratio": ratio}
        yield {"figure": name, "unit": "ms", **times, "rows_small": small.rows, "rows_large": big.rows}
    most = max(names, key=lambda name: many[name].rows or 0)
    yield {"figure": "most_rows_examined", "value": many[most].rows, "unit": "rows", "read": most}
    slowest = max(names, key=lambda name: many[name].milliseconds)
    yield {"figure": "slowest_read", "value": round(many[slowest].milliseconds, 2), "unit": "ms", "read": slowest}


def measured(size: Size) -> dict[str, Cost]:
    """What each read costs in a network of this size, and each request by which points move."""
    with site_of(size) as (site, reads):
        found = {read.name: site.cost_of(partial(_get, site, read)) for read in reads.all(limit=LIMIT)}
        for name, body in _writes(size).items():
            url = name.removeprefix("POST ")
            found[name] = site.cost_of(partial(site.send, "POST", url, "giant", body))
        found |= _pages(site, size)
        for name, milliseconds in round_figures(
            site.database, site.settings, Keyrings.of(site.settings).managed_keys, size
        ):
            found[name] = Cost(milliseconds, None)
    return found


@contextmanager
def site_of(size: Size) -> Iterator[tuple[Site, Reads]]:
    """A generated network on a PostgreSQL of its own, with its gateway."""
    with postgres() as server, tempfile.TemporaryDirectory() as directory:
        database = Database(server.url)
        database.upgrade()
        seconds = _milliseconds(lambda: generate(database, size)) / 1_000
        made = {"figure": "generated", "value": round(seconds), "unit": "s", "entries": size.entries}
        print(json.dumps(made), flush=True)
        with open_site(database, Path(directory)) as site:
            yield site, Reads(site.app, database, size)
        database.close()


@contextmanager
def open_site(database: Database, directory: Path) -> Iterator[Site]:
    """The gateway of a generated network. The giant and its partner have keys with which it can sign."""
    with database.session.begin() as session:
        for number in (GIANT, PARTNER):
            address, keystore = Keyring(_PASSWORD).create()
            session.add(SignerKey(address=address, merchant_number=number, keystore=keystore))
    settings = Settings.model_validate(
        {
            "database_url": database.url,
            "rpc_url": "http://127.0.0.1:9",
            "contract": "0x" + "c0" * 20,
            "keystore_dir": directory,
            "managed_keys_password": _PASSWORD,
            **dict.fromkeys(RATE_LIMITS, 0),
        }
    )
    app = create_app(settings, database)
    with TestClient(app) as client, database.engine.connect() as connection:
        yield Site(app, client, callers(database), connection, database, settings)


def _get(site: Site, read: Read) -> httpx.Response:
    return site.send("GET", read.url, read.caller)


def _pages(site: Site, size: Size) -> dict[str, Cost]:
    """What the console's pages cost, with all that the gateway does for them."""
    app = create_app(site.settings, site.database)  # of its own: an application runs in one loop
    with console_of(app, site.database) as people:
        return {name: site.cost_of(partial(look, people[who], path)) for name, who, path in addresses(size)}


def _writes(size: Size) -> dict[str, Any]:
    """Requests of the giant, by their route."""
    member = f"external:c-{size.members * 3 // 4 // 10 * 10}"
    exchange = {"source_program": f"P{GIANT}", "target_program": f"P{PARTNER}", "points": 10}
    items = [{"kind": "exchange", "member": member, **exchange} for _ in range(100)]
    return {
        "POST /v1/quotes": exchange,
        "POST /v1/exchanges": {"member": member, **exchange},
        "POST /v1/orders": {"instructions": items},
        "POST /v1/holds": {"member": member, "program": f"P{GIANT}", "points": 1, "expires_in": 60},
        "POST /v1/members/lookup": {"members": [f"external:c-{n}" for n in range(0, 500, 10)]},
        "POST /v1/movements/lookup": {"kind": "exchange", "references": [f"r-{n}" for n in range(1, 1_000, 2)]},
    }


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1_000
