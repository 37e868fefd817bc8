"""What happens to a network with two or more of everything when one of them dies. After each trial everything must add up."""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.outages.network import PAIRS, ROUNDS, WORKERS, Network
from tests.soak.checks import Findings
from tests.soak.load import Wish
from tongdui import testing, yuan

_numbers = itertools.count(1)
REDIS_AWAY = 5.0
"""Seconds."""


def story(network: Network, findings: Findings) -> str:
    """Deploys, starts everything and brings merchants on board."""
    network.site.command("migrate")
    deployed = network.deploy()
    findings.check("deployed", deployed.stderr, deployed.returncode == 0)
    network.start_all()
    said = httpx.get(f"{network.url}/readyz", timeout=60).json()["checks"]["database"]["detail"]
    findings.check("/readyz says that commits wait for the standby", said, said.endswith("commits wait for a standby"))
    network.onboard(network.settings.rpc_url)
    network.subscribe()
    network.join_gift()
    movements = [network.settle(kind) for kind in ("issue", "exchange", "spend", "redeem")]
    return f"{len(network.site.processes)} processes; {len(movements)} movements settled"


def gateways_killed(network: Network, findings: Findings) -> str:
    """Each gateway dies under load, and is started again."""
    return _each(network, network.gateways)


def daemons_killed(network: Network, findings: Findings) -> str:
    """Sequencer and projector: the one that works dies under load, and the one that waits goes on."""
    return _each(network, [kind for kind in PAIRS if kind != "signer"])


def signer_killed(network: Network, findings: Findings) -> str:
    """The signer that works dies; the other one signs what the treasury asks for next."""
    _deposit(network)
    name = network.leader("signer")
    network.kill(name)
    begun = time.monotonic()
    _deposit(network)
    seconds = time.monotonic() - begun
    network.start(name)
    return f"a deposit was booked in {seconds:.1f} s from its death"


def workers_killed(network: Network, findings: Findings) -> str:
    """Each worker dies under load: webhooks go on."""
    return _each(network, [*WORKERS, *ROUNDS, "beat-1"])


def redis_killed(network: Network, findings: Findings) -> str:
    """Redis dies under load, and comes back: nothing but jobs waits for it."""
    with network.trading():
        usual = network.seconds_to_settle()
        network.redis.kill()
        without = network.seconds_to_settle()
        time.sleep(REDIS_AWAY)
        network.redis.start()
        again = network.seconds_to_settle()
    return f"without it a movement settled in {without:.1f} s; before {usual:.1f} s, afterwards {again:.1f} s"


def database_killed(network: Network, findings: Findings) -> str:
    """The primary dies under load, and the standby takes its place; a new standby follows it, and takes its place likewise."""
    seen = []
    for _ in range(2):
        with network.trading():
            usual = network.seconds_to_settle()
            network.pair.primary.kill()
            old = network.pair.primary
            network.pair.promote()
            seconds = network.seconds_to_settle()
        old.close()
        network.pair.follow()
        seen.append(f"{seconds:.1f} s (before: {usual:.1f} s)")
    return f"a movement settled in {' and '.join(seen)} from the primary's death"


def machine_gone(network: Network, findings: Findings) -> str:
    """The primary's machine vanishes: its connections stay open, and nobody answers on them any more."""
    with network.trading():
        usual = network.seconds_to_settle()
        network.machine.vanish()
        old = network.pair.primary
        network.pair.promote()
        seconds = network.seconds_to_settle()
    old.close()
    said = httpx.get(f"{network.url}/readyz", timeout=60).json()["checks"]["database"]["detail"]
    findings.check(
        "/readyz says that commits wait for none any more", said, said.endswith("commits wait for no standby")
    )
    return f"a movement settled in {seconds:.1f} s from then; before it took {usual:.1f} s"


def upgrade(network: Network, findings: Findings) -> str:
    """Each process is told to stop and started anew, one after the other, as for a new version: no request fails."""
    with network.trading(), _bare_requests(network) as (answers, longest):
        for name in [
            *network.gateways,
            *(f"{kind}-{number}" for kind in PAIRS for number in (1, 2)),
            *WORKERS,
            *ROUNDS,
        ]:
            code = network.site.stop(name, signal.SIGTERM)
            findings.check(f"{name} ends when it is told to", code, code in (0, -signal.SIGTERM))
            network.start(name)
            if name in network.gateways:
                network.await_gateway(name)
        network.seconds_to_settle()
    failed = {answer: count for answer, count in answers.items() if not answer.startswith("2")}
    findings.check(
        "no request failed, although nobody repeated any", dict(answers), not failed and sum(answers.values()) > 0
    )
    return f"{sum(answers.values())} requests, none failed; the longest took {max(longest):.1f} s"


def _each(network: Network, names: list[str]) -> str:
    """Kills each of these (of a pair, the one that leads) under load; says how long a movement took that was asked for then."""
    seen = []
    with network.trading():
        usual = network.seconds_to_settle()
        for kind in names:
            name = network.leader(kind) if kind in PAIRS else kind
            network.kill(name)
            seen.append(f"{name} {network.seconds_to_settle():.1f} s")
            network.start(name)
            if name in network.gateways:
                network.await_gateway(name)
    return f"a movement settled after the death of {', '.join(seen)}; before it took {usual:.1f} s"


def _deposit(network: Network) -> None:
    reference = f"outage-{next(_numbers)}"
    testing.deposit(network.market.treasury, network.market.operator, network.station.merchant, yuan(1), reference)


@contextmanager
def _bare_requests(network: Network) -> Iterator[tuple[Counter[str], list[float]]]:
    """Meanwhile, issuances one after another by a client that repeats nothing: what came of them, and how long each took."""
    answers, seconds, stop = Counter[str](), [0.0], threading.Event()

    def run(number: int) -> None:
        with httpx.Client(base_url=network.url, timeout=60) as http:
            for count in itertools.count():
                if stop.is_set():
                    return
                begun = time.monotonic()
                try:
                    answers[str(_issue(network, http, f"bare-{number}-{count}").status_code)] += 1
                except httpx.HTTPError as error:
                    answers[type(error).__name__] += 1
                seconds.append(time.monotonic() - begun)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield answers, seconds
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _issue(network: Network, http: httpx.Client, key: str) -> httpx.Response:
    wish = Wish("bare", key, (key,))
    network.wishes.append(wish)
    body = {"program": "GIFT", "member": "external:0", "points": 1, "reference": key}
    headers = {"Authorization": f"Bearer {network.gift_key}", "Idempotency-Key": key}
    answer = http.post("/v1/issuances", json=body, headers=headers)
    if answer.is_success:
        wish.answers.add(answer.json()["id"])
    return answer
