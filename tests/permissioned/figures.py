"""What a network settles on a real chain, one exchange at a time and in large orders, and how long it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import func, select

from clearing.ordering.orders.models import Order
from scripts.bench.bulk import run_bulk
from scripts.bench.load import as_fast_as_answered
from scripts.bench.measuring import percentile
from scripts.bench.partners import ORDER, Owner, source_of
from scripts.bench.singles import expect_settled, signed_requests
from tests.permissioned.network import Figure, Network
from tests.soak.checks import Findings
from tongdui import testing

SECONDS = 20.0
CONNECTIONS = (1, 64)
_MOST_A_SECOND = 200
"""For so many exchanges a second orders are signed beforehand. When they end, the load ends."""
_MONEY = 10**15


def figures(network: Network, findings: Findings) -> str:
    """What settles a second, one at a time and in large orders."""
    network.notes_wishes = False  # each answer of these loads is checked when it comes
    network.start(confirmations=1)
    source = source_of(_owner(network, "FAST"), _owner(network, "SHOW"))
    port = int(network.url.rpartition(":")[2])
    for connections in CONNECTIONS:
        requests = iter(signed_requests(source, int(_MOST_A_SECOND * SECONDS)))
        with _times(network) as times:
            load = as_fast_as_answered(port, requests, expect_settled, connections=connections, seconds=SECONDS)
        _note(network, f"singles_{connections}", load.rate, times)
    run_bulk(source, 1.0)  # a client looks each member up once
    with _times(network) as times:
        bulk = run_bulk(source, SECONDS)
    _note(network, f"bulk_{ORDER}", bulk.settled_per_second, times)
    return "; ".join(f"{figure.name} {figure.value:.1f} {figure.unit}" for figure in network.figures[-9:])


def _note(network: Network, name: str, rate: float, times: list[float]) -> None:
    network.figures += [
        Figure(f"permissioned_{name}_settled", rate, "exchanges/s"),
        Figure(f"permissioned_{name}_accepted_to_settled_p50", percentile(times, 50), "s"),
        Figure(f"permissioned_{name}_accepted_to_settled_p99", percentile(times, 99), "s"),
    ]


def _owner(network: Network, code: str) -> Owner:
    one: testing.Participant = network.market.join(code, deposit_micros=_MONEY)
    return Owner(one.merchant, one.program, one.client, one.api_key, one.signer)


@contextmanager
def _times(network: Network) -> Iterator[list[float]]:
    """In the end, the seconds of each order that was accepted meanwhile, from acceptance to settlement."""
    found: list[float] = []
    with network.database.reading() as session:
        last = session.scalar(select(func.max(Order.seq))) or 0
    yield found
    with network.database.reading() as session:
        for accepted, settled in session.execute(select(Order.created_at, Order.settled_at).where(Order.seq > last)):
            assert isinstance(settled, datetime), "each of them was waited for"
            found.append((settled - accepted).total_seconds())
