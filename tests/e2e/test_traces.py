"""One trace an order: from the partner's call to its settlement and its webhook, through every process of a whole network."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clearing.kit.database import Database
from clearing.runtime.embedded.network import EmbeddedNetwork
from scripts.dev.services import Postgres
from tests.support.trace_collector import CollectedSpan, TraceCollector, deaf_collector
from tests.support.webhook_receiver import WebhookReceiver
from tongdui import Client, LocalSigner
from tongdui.testing import Network, Participant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WAIT = 60.0
_PATIENCE = 120.0
CUSTOMER = "Zhang-San-4711"
REFERENCE = "receipt-of-Zhang-San"


@dataclass
class Traced:
    """A network, a gas station with a member, and a program of the station's that runs in a process of its own."""

    network: EmbeddedNetwork
    people: Network
    station: Participant
    cinema: Participant
    variables: dict[str, str]

    def run(self, work: str, **variables: str) -> Any:
        """Lets the program do a piece of work; what it says came of it."""
        command = [sys.executable, "-m", "tests.support.traced_partner", work]
        environment = {**os.environ, **self.variables, "PARTNER_REFERENCE": secrets.token_hex(8), **variables}
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def log(self, name: str) -> str:
        return (self.network.directory / "logs" / f"{name}.log").read_text()

    def traceparents(self) -> dict[str, str | None]:
        """What is stored with each order."""
        database = Database(self.network.settings.database_url)
        with database.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT id, traceparent FROM orders").all()
        database.close()
        return {str(order): traceparent for order, traceparent in rows}


def start(directory: Path, database_url: str | None = None, **variables: str) -> Iterator[Traced]:
    """A network whose processes, and only they, have these variables."""
    with EmbeddedNetwork(directory, database_url=database_url, overrides=variables) as network:
        clients = {role: Client(network.url, network.api_keys[role]) for role in ("operator", "treasury", "auditor")}
        people = Network(network.url, network.rpc_url, directory, network.api_keys, **clients)
        key = secrets.token_bytes(32)
        station, cinema = join(people, key), people.join("CINE")
        agreement = people.agree(station, cinema, rate="1/2")
        acceptance = people.agree_acceptance(station, cinema)
        member, other = (station.client.members.create(external_id=name) for name in (CUSTOMER, "Li-Si-4712"))
        station.client.issuances.create(program="FUEL", member=member, points=1_000, wait=WAIT).settled()
        partner = {
            "PARTNER_URL": network.url,
            "PARTNER_API_KEY": station.api_key,
            "PARTNER_SIGNER_KEY": key.hex(),
            "PARTNER_RPC_URL": network.rpc_url,
            "PARTNER_AGREEMENT": agreement.id,
            "PARTNER_ACCEPTANCE": acceptance.id,
            "PARTNER_MEMBER": f"external:{CUSTOMER}",
            "PARTNER_OTHER_MEMBER": other.id,
        }
        yield Traced(network, people, station, cinema, partner)
        people.close()


def join(people: Network, key: bytes) -> Participant:
    """The gas station, whose key the test knows."""
    generate = LocalSigner.generate
    LocalSigner.generate = classmethod(lambda cls: cls(key))  # type: ignore[assignment,method-assign]
    try:
        return people.join("FUEL")
    finally:
        LocalSigner.generate = generate  # type: ignore[method-assign]


@pytest.fixture(scope="module")
def collector() -> Iterator[TraceCollector]:
    with TraceCollector() as found:
        yield found


@pytest.fixture(scope="module")
def traced(
    collector: TraceCollector, postgres_server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    """All of its processes send their spans to the collector. The gateway has two workers, so it forks, too."""
    variables = {**collector.variables, "TONGDUI_GATEWAY_WORKERS": "2"}
    database_url = postgres_server.new_database(f"traced_{os.getpid()}")
    yield from start(tmp_path_factory.mktemp("traced"), database_url, **variables)


def one(spans: list[CollectedSpan], name: str) -> CollectedSpan:
    found = [span for span in spans if span.name == name]
    assert len(found) == 1, f"{name}: {sorted(span.name for span in spans)}"
    return found[0]


def of_order(collector: TraceCollector, order: str, *names: str) -> list[CollectedSpan]:
    """The whole trace of an order, once it has a settlement and spans of these names."""

    def trace_of(spans: list[CollectedSpan]) -> str | None:
        return next((span.trace for span in spans if span.attributes.get("tongdui.order") == order), None)

    def is_whole(spans: list[CollectedSpan]) -> bool:
        trace = trace_of(spans)
        return trace is not None and set(names) <= {span.name for span in spans if span.trace == trace}

    spans = collector.await_spans(is_whole)
    return collector.of_trace(trace_of(spans) or "")


EXCHANGE = ("tongdui Exchanges.create", "POST /v1/exchanges", "accept", "batch", "settle")


def test_an_exchange_is_one_trace_from_the_call_to_the_webhook(traced: Traced, collector: TraceCollector) -> None:
    with WebhookReceiver() as receiver:
        endpoint = traced.station.client.webhook_endpoints.create(url=receiver.url, types=["order.settled"])
        made = traced.run("exchange", **collector.variables, OTEL_SERVICE_NAME="till")
        spans = of_order(collector, made["order"], *EXCHANGE, "webhook")
        traced.station.client.webhook_endpoints.change(endpoint, enabled=False)

    call, server = one(spans, "tongdui Exchanges.create"), one(spans, "POST /v1/exchanges")
    accept, batch, settle, webhook = (one(spans, name) for name in ("accept", "batch", "settle", "webhook"))
    assert (call.process, call.parent, server.parent) == ("till", "", call.id)
    assert {span.parent for span in (accept, batch, settle, webhook)} == {server.id}
    assert [span.process for span in (server, accept, batch, settle, webhook)] == [
        *("tongdui-gateway", "tongdui-gateway", "tongdui-sequencer", "tongdui-projector", "tongdui-worker"),
    ]
    assert server.attributes["http.route"] == "/v1/exchanges"
    assert server.attributes["http.response.status_code"] == 201
    told = {name.removeprefix("tongdui."): value for name, value in settle.attributes.items()}
    entry = next(iter(traced.station.client.entries.list()))
    assert (told["order"], told["state"], told["transaction"]) == (made["order"], "settled", made["tx_hash"])
    assert (told["batch"], told["block"] > 0) == (entry.batch, True)  # type: ignore[operator]
    assert batch.attributes["tongdui.transaction"] == made["tx_hash"]
    assert accept.began <= batch.ended <= settle.ended
    assert (webhook.attributes["tongdui.event"], webhook.attributes["tongdui.webhook_endpoint"]) == (
        "order.settled",
        endpoint.id,
    )
    assert receiver.requests[-1].headers["traceparent"].split("-")[1:3] == [webhook.trace, webhook.id]


def test_the_partners_own_span_is_the_parent(traced: Traced, collector: TraceCollector) -> None:
    made = traced.run("within_own_span", PARTNER_COLLECTOR=collector.url)
    spans = of_order(collector, made["order"], "sale", *EXCHANGE)
    sale, call, server = (one(spans, name) for name in ("sale", "tongdui Exchanges.create", "POST /v1/exchanges"))
    assert (sale.process, sale.parent) == ("till", "")
    assert (call.parent, server.parent) == (sale.id, call.id)


def test_a_forked_process_records_its_own_calls(traced: Traced, collector: TraceCollector) -> None:
    traces = [of_order(collector, made["order"], *EXCHANGE) for made in traced.run("forked", **collector.variables)]
    calls = [one(spans, "tongdui Exchanges.create") for spans in traces]
    assert len({call.trace for call in calls}) == 2


def test_every_kind_of_order_has_its_trace(traced: Traced, collector: TraceCollector) -> None:
    orders = traced.run("every_kind", **collector.variables)
    calls = ("Issuances", "Redemptions", "Exchanges", "Spends", "Transfers", "Reversals", "Holds", "Orders")
    traces = set()
    for order, resource in zip(orders, calls, strict=True):
        name = "tongdui Holds.capture" if resource == "Holds" else f"tongdui {resource}.create"
        spans = of_order(collector, order, name, "batch", "settle")
        (settle,) = [span for span in spans if span.name == "settle" and span.attributes["tongdui.order"] == order]
        server = next(span for span in spans if span.id == settle.parent)
        assert server.process == "tongdui-gateway"
        assert server.parent == one(spans, name).id
        traces.add(settle.trace)
    assert len(traces) == len(orders)


def test_orders_that_are_accepted_together_keep_their_traces(traced: Traced, collector: TraceCollector) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        orders = traced.run("many", **collector.variables)
        traces = [of_order(collector, order, "accept", "batch", "settle") for order in orders]
        assert len({spans[0].trace for spans in traces}) == len(orders)
        common = {link for spans in traces for link in one(spans, "accept").links}
        if common and (batches := {link for spans in traces for link in one(spans, "batch").links}):
            break
        assert time.monotonic() < deadline, "20 requests at once were never accepted together"
    for shared in (common, batches):
        for trace, span in shared:
            collector.await_spans(lambda spans, span=span: any(found.id == span for found in spans))  # type: ignore[misc]
            (joint,) = [found for found in collector.of_trace(trace) if found.id == span]
            assert (joint.parent, len(joint.links)) == ("", joint.attributes["tongdui.orders"])
            mine = {
                server.id
                for spans in traces
                if (trace, span) in one(spans, joint.name).links
                for server in spans
                if server.id == one(spans, joint.name).parent
            }
            assert mine <= {linked for _, linked in joint.links}


def test_a_refusal_says_its_code_and_an_unsampled_call_leaves_nothing(
    traced: Traced, collector: TraceCollector
) -> None:
    assert traced.run("refused", **collector.variables) == "not_found"
    spans = collector.await_spans(lambda found: any(span.name == "tongdui Members.get" for span in found))
    (call,) = [span for span in spans if span.name == "tongdui Members.get"]
    collector.await_spans(lambda found: any(span.parent == call.id for span in found))
    (server,) = [span for span in collector.spans if span.parent == call.id]
    assert (call.failed, call.attributes["error.type"]) == (True, "not_found")
    assert server.attributes["tongdui.problem"] == "not_found"
    assert server.attributes["http.response.status_code"] == 404

    made = traced.run("exchange", **collector.variables, OTEL_TRACES_SAMPLER="always_off")
    assert traced.traceparents()[made["order"]] is None


def test_no_span_has_a_secret_or_names_a_member(traced: Traced, collector: TraceCollector) -> None:
    traced.run("exchange", **collector.variables, PARTNER_REFERENCE=REFERENCE)
    found = traced.station.client.members.list(external_id=CUSTOMER).page().data
    assert [member.external_id for member in found] == [CUSTOMER]
    collector.await_spans(lambda spans: any(span.attributes.get("url.query") == "REDACTED" for span in spans))
    sent = b"".join(collector.raw)
    keys = [traced.station.api_key, *traced.network.api_keys.values()]
    secret = [traced.variables["PARTNER_SIGNER_KEY"], *keys, *(key.split("_")[-1] for key in keys)]
    for telling in (*secret, CUSTOMER, "Zhang", REFERENCE, found[0].id):
        assert telling.encode() not in sent, telling


def test_a_line_of_the_log_names_its_trace(traced: Traced, collector: TraceCollector) -> None:
    made = traced.run("exchange", **collector.variables)
    server = one(of_order(collector, made["order"], *EXCHANGE), "POST /v1/exchanges")
    lines = [json.loads(line) for line in traced.log("gateway").splitlines() if line.startswith("{")]
    (line,) = [line for line in lines if line.get("order") == made["order"]]
    assert line["trace_id"] == server.trace


def test_without_variables_nothing_is_loaded_or_stored(traced: Traced, collector: TraceCollector) -> None:
    assert traced.run("modules") == []
    assert traced.run("modules", **collector.variables)


@pytest.mark.parametrize("kind", ["away", "deaf"])
def test_a_dead_collector_changes_nothing(kind: str, tmp_path: Path) -> None:
    """It refuses connections, or takes them and never answers."""
    with deaf_collector() as url:
        address = url if kind == "deaf" else "http://127.0.0.1:9"
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_BSP_SCHEDULE_DELAY": "50"}
        networks = start(tmp_path, **variables)
        traced = next(networks)
        with WebhookReceiver() as receiver:
            traced.station.client.webhook_endpoints.create(url=receiver.url, types=["order.settled"])
            made = traced.run("exchange", **variables)
            deadline = time.monotonic() + _PATIENCE
            while not any(request.body["subject"] == made["order"] for request in receiver.seen):
                assert time.monotonic() < deadline, "the webhook has not come"
                time.sleep(0.05)
        daemons = ("projector", "sequencer", "signer", "gateway", "worker", "rounds")
        assert next(networks, None) is None
        for name in daemons:
            assert traced.log(name).count("Traceback") == 0, traced.log(name)
            assert traced.log(name).count("export") <= 4, traced.log(name)  # a worker has several processes
