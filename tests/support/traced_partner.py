"""A partner's program that is traced, in a process of its own, because OpenTelemetry is set up once a process.

`python -m tests.support.traced_partner WORK` does the work that is named, and prints what came of it as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from tongdui import AsyncClient, Client, LocalSigner, NotFoundError, Redeem

_WAIT = 60.0


def _arguments() -> dict[str, Any]:
    return {
        "base_url": os.environ["PARTNER_URL"],
        "api_key": os.environ["PARTNER_API_KEY"],
        "signer": LocalSigner(os.environ["PARTNER_SIGNER_KEY"]),
        "rpc_url": os.environ["PARTNER_RPC_URL"],
    }


def exchange() -> Any:
    """One exchange. Its program has no spans of its own."""
    with Client(**_arguments()) as client:
        terms = {"agreement": os.environ["PARTNER_AGREEMENT"], "member": os.environ["PARTNER_MEMBER"]}
        movement = client.exchanges.create(**terms, points=10, reference=os.environ["PARTNER_REFERENCE"], wait=_WAIT)
        return {"order": movement.order, "tx_hash": movement.settled().tx_hash}


def within_own_span() -> Any:
    """One exchange within a span of its own, which its own provider records."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": "till"}))
    collector = f"{os.environ['PARTNER_COLLECTOR']}/v1/traces"
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(endpoint=collector)))
    trace.set_tracer_provider(provider)
    with trace.get_tracer("till").start_as_current_span("sale"):
        return exchange()


def every_kind() -> Any:
    """An order of each kind."""
    with Client(**_arguments()) as client:
        member, other = os.environ["PARTNER_MEMBER"], os.environ["PARTNER_OTHER_MEMBER"]
        create = {"wait": _WAIT}
        issued = client.issuances.create(program="FUEL", member=member, points=50, **create)
        redeemed = client.redemptions.create(program="FUEL", member=member, points=1, **create)
        moved = [
            issued,
            redeemed,
            client.exchanges.create(agreement=os.environ["PARTNER_AGREEMENT"], member=member, points=10, **create),
            client.spends.create(agreement=os.environ["PARTNER_ACCEPTANCE"], member=member, points=2, **create),
            client.transfers.create(program="FUEL", member=member, recipient=other, points=3, **create),
            client.reversals.create(redeemed, **create),
        ]
        hold = client.holds.create(program="FUEL", member=member, points=5)
        captured = client.holds.capture(hold, wait=_WAIT)
        together = client.orders.create([Redeem(program="FUEL", member=member, points=1)] * 2, wait=_WAIT)
        assert all(movement.settled() for movement in (*moved, captured))
        return [*(movement.order for movement in (*moved, captured)), together.id]


def many() -> Any:
    """Exchanges that come together."""

    async def run() -> list[str]:
        async with AsyncClient(**_arguments()) as client:
            terms = {"agreement": os.environ["PARTNER_AGREEMENT"], "member": os.environ["PARTNER_MEMBER"]}
            await client.exchanges.create(**terms, points=2)  # what all need is known then
            made = await asyncio.gather(*(client.exchanges.create(**terms, points=2) for _ in range(20)))
            return [movement.order for movement in made]

    return asyncio.run(run())


def refused() -> Any:
    """A look at a member whom nobody knows, and an order without points."""
    with Client(**_arguments()) as client:
        try:
            client.members.get("external:Zhang-San-NOBODY")
        except NotFoundError as error:
            return error.code
    raise AssertionError("somebody knows the member")


def modules() -> Any:
    """An exchange, and what of OpenTelemetry was imported for it."""
    exchange()
    return sorted(name for name in sys.modules if name.partition(".")[0] == "opentelemetry")


def forked() -> Any:
    """An exchange, and another one in a process that is forked afterwards."""
    made = [exchange()]
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["PARTNER_REFERENCE"] += "-again"
        os.write(theirs, json.dumps(exchange()).encode())
        sys.exit()
    os.waitpid(child, 0)
    return [*made, json.loads(os.read(ours, 65_536))]


WORK = {work.__name__: work for work in (exchange, within_own_span, every_kind, many, refused, modules, forked)}

if __name__ == "__main__":
    print(json.dumps(WORK[sys.argv[1]]()))
