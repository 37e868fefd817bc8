"""`make bench`: measurements, one JSON object a line. One run measures everything that is compared.

Gas is exact. Speed depends on the machine: compare a figure with the ceiling and the baseline of the same run.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from clearing.chain.client import ChainClient
from clearing.kit import logs
from clearing.kit.database import Database
from clearing.ledger.journal.models import Entry
from clearing.pipeline.projector import Projector
from clearing.runtime.embedded.network import EmbeddedNetwork
from scripts.bench.bare_chain import PROGRAMS, BareChain, member, reference
from scripts.bench.baseline import Baseline
from scripts.bench.generated import Size
from scripts.bench.growth import growth_figures
from scripts.bench.till import till_figures
from scripts.dev.services import Anvil, Postgres, anvil, postgres
from tongdui import Client, Exchange, Issue, LocalSigner
from tongdui.orders import Instruction, Kind, SignedOrder

ENTRIES = 100
"""Instructions in a batch whose gas is measured."""
ORDER = 400
"""Exchanges in an order of the bulk path: the gateway takes no more, because more might not fit into one transaction."""
CLIENTS = 8
"""Clients that submit such orders at once, each for its own members."""
CHAIN_ARGUMENTS = ("--gas-limit", "60000000")


def report(figure: str, value: float, unit: str, **details: Any) -> None:
    """Prints a figure."""
    rounded = value if isinstance(value, int) else round(value, 3)
    print(json.dumps({"figure": figure, "value": rounded, "unit": unit, **details}), flush=True)


# -------------------------------------------------------------------- gas


def issue_to_all(bare: BareChain, points: int) -> None:
    """Gives every member points in every program, so that later entries change existing balances."""
    for program in range(1, PROGRAMS + 1):
        bare.execute([bare.order(program, issues(program, points))])


def issues(program: int, points: int, expiry_day: int = 0) -> list[Instruction]:
    """Makes an issue to each member."""
    return [
        Instruction(Kind.ISSUE, member(i), points + i, program, expiry_day=expiry_day, ref=reference(i))
        for i in range(ENTRIES)
    ]


def exchange(bare: BareChain, number: int, source: int, target: int, points: int = 1_000) -> Instruction:
    """Makes an exchange of the n-th member."""
    agreement = bare.agreements[source, target]
    return Instruction(
        Kind.EXCHANGE, member(number), points + number, source, agreement, min_out=points // 2, ref=reference(number)
    )


RING = ((1, 2), (2, 3), (3, 4), (4, 1))
"""Four programs, each exchanged for the next one."""


def own_orders(bare: BareChain, pairs: Sequence[tuple[int, int]] = RING) -> list[SignedOrder]:
    """Makes an exchange of each member, each in an order of its own, over some pairs of the four programs."""
    orders = []
    for number in range(ENTRIES):
        source, target = pairs[number % len(pairs)]
        orders.append(bare.order(source, [exchange(bare, number, source, target)]))
    return orders


def one_order(bare: BareChain) -> SignedOrder:
    """Makes one order with an exchange of each member."""
    return bare.order(1, [exchange(bare, number, 1, 2 + number % 3) for number in range(ENTRIES)])


def bench_gas(chain: Anvil) -> None:
    """Measures the whole gas of an entry: calldata, signature, event, leaf, caps, positions, fee, nonce."""
    bare = BareChain(chain.url)
    issue_to_all(bare, 10**6)
    every_pair = list(bare.agreements)
    bare.execute(own_orders(bare, every_pair))  # from here on the day's counters of every agreement exist
    report("gas_issue_in_order_of_100", bare.execute([bare.order(1, issues(1, 500, 30_000))]).gas_per_entry, "gas")
    for pairs in (RING, every_pair):
        cost = bare.execute(own_orders(bare, pairs)).gas_per_entry
        report("gas_exchange_own_order_batch_of_100", cost, "gas", programs=PROGRAMS, agreements=len(pairs))
    cost = bare.execute([one_order(bare)]).gas_per_entry
    report("gas_exchange_in_order_of_100", cost, "gas", programs=PROGRAMS, agreements=PROGRAMS - 1)
    alone = bare.execute([bare.order(1, [exchange(bare, 0, 1, 2)])])
    report("gas_exchange_alone", alone.gas_per_entry, "gas")
    bare.close()
    baseline = Baseline(chain.url)
    report("gas_exchange_usual_way", baseline.gas_of_one(), "gas", way="ERC-20 burn, mint and pay, one transaction")


# -------------------------------------------------------------------- speed of the chain


def bench_ceiling(chain: Anvil, batches: int) -> dict[str, float]:
    """Measures how many exchanges a second the chain executes if batches are encoded and signed beforehand."""
    bare = BareChain(chain.url)
    issue_to_all(bare, 10**9)
    ceilings = {}
    for name, make in (("one_signature_each", own_orders), ("one_signature_per_100", lambda b: [one_order(b)])):
        raws = [bare.batch([order for _ in range(4) for order in make(bare)]) for _ in range(batches)]
        seconds = timed(partial(send_all, bare, raws))
        ceilings[name] = batches * 4 * ENTRIES / seconds
        report(f"ceiling_{name}", ceilings[name], "exchanges/s", exchanges=batches * 4 * ENTRIES)
    bare.close()
    return ceilings


def send_all(bare: BareChain, raws: Sequence[bytes]) -> None:
    """Sends transactions one by one and waits until a block contains the last one."""
    hashes = [bare.send(raw) for raw in raws]
    bare.wait(hashes[-1])


def bench_usual_way(chain: Anvil, transfers: int) -> float:
    """Measures one transaction per transfer through web3.py, all of them sent before the first is awaited."""
    baseline = Baseline(chain.url)
    rate = transfers / timed(lambda: baseline.exchange_many(transfers))
    report("usual_way", rate, "exchanges/s", exchanges=transfers)
    return rate


def timed(work: Callable[[], object]) -> float:
    """Returns the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


# -------------------------------------------------------------------- speed of the network


@dataclass(slots=True)
class Partners:
    """A small onboarded network, driven over HTTP."""

    network: EmbeddedNetwork
    database: Postgres
    fuel: Client
    members: list[str]


@contextmanager
def partners() -> Iterator[Partners]:
    """Runs the whole network on PostgreSQL, with two merchants, an agreement, and members who have points."""
    with tempfile.TemporaryDirectory() as directory, postgres() as database:
        network = EmbeddedNetwork(Path(directory), database_url=database.url)
        with network:
            fuel = onboard(network)
            members = register(fuel, [f"m{i}" for i in range(CLIENTS * ORDER)])
            for start in range(0, len(members), ORDER):
                some = members[start : start + ORDER]
                fuel.orders.create([Issue(program="FUEL", member=m, points=10**6) for m in some], wait=30).settled()
            yield Partners(network, database, fuel, members)
            fuel.close()


def onboard(network: EmbeddedNetwork) -> Client:
    """Registers `fuel` and `cine` with programs, an agreement and money; returns the client of `fuel`."""
    operator = Client(network.url, network.api_keys["operator"])
    treasury = Client(network.url, network.api_keys["treasury"])
    clients = []
    for code in ("FUEL", "CINE"):
        signer = LocalSigner.generate()
        merchant = operator.merchants.create(
            name=code.lower(), signer_address=signer.address, credit_limit_micros=10**15, wait=30
        )
        key = operator.api_keys.create(
            role="merchant", merchant=merchant.id, scopes=["issue", "redeem", "exchange", "agree", "members", "read"]
        )
        operator.programs.create(merchant=merchant.id, code=code, name=code, wait=30)
        treasury.deposits.create(merchant=merchant.id, micros=10**15, bank_reference=f"opening-{code}")
        clients.append(Client(network.url, key.secret, signer=signer))
    fuel, cine = clients
    agreement = fuel.agreements.propose(
        source_program="FUEL",
        target_program="CINE",
        rate="9/10",
        unit_price_micros=10_000,
        fee_bps=10,
        max_points=10**6,
        daily_cap=10**12,
        valid_until=datetime.now(UTC) + timedelta(days=365),
    )
    cine.agreements.sign(agreement.id)
    fuel.agreements.wait(agreement.id)
    for client in (operator, treasury, cine):
        client.close()
    return fuel


def register(fuel: Client, names: Sequence[str]) -> list[str]:
    """Registers members with these names; returns their ids."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(lambda name: fuel.members.create(external_id=name).id, names))


def bench_network(seconds: float, usual: float, ceilings: Mapping[str, float]) -> None:
    """Measures settled exchanges a second on the bulk path and CPU time; the time to settle at half that load; memory."""
    with partners() as around:
        run_bulk(around, 2.0)
        before = cpu_by_part(around)
        exchanges = run_bulk(around, seconds)
        after = cpu_by_part(around)
        rate = exchanges.settled_per_second
        with anvil(arguments=CHAIN_ARGUMENTS) as chain:
            usual = max(usual, bench_usual_way(chain, 500))  # once more: the machine may have been busy before
        compared = {"times_usual_way": round(rate / usual, 1)}
        compared |= {f"of_ceiling_{name}": round(rate / ceiling, 3) for name, ceiling in ceilings.items()}
        report("settled", rate, "exchanges/s", exchanges=exchanges.count, order_of=ORDER, clients=CLIENTS, **compared)
        for part, spent in after.items():
            report(f"cpu_{part}", (spent - before[part]) / exchanges.count * 1e5, "ms per 100 exchanges")
        half = run_bulk(around, seconds, size=ENTRIES, pace=rate / 2)
        for percent in (50, 99):
            value = percentile(half.latencies, percent)
            report(f"settle_time_p{percent}", value, "s", order_of=ENTRIES, load=round(half.settled_per_second))
        for name, child in around.network.children.items():
            report(f"memory_{name}", resident_bytes(child.process.pid if child.process else 0), "bytes")
        bench_projection(around)


def cpu_by_part(around: Partners) -> dict[str, float]:
    """Returns the CPU seconds that each part of the network has used, and this process, which runs its clients."""
    roots = {name: child.process.pid for name, child in around.network.children.items() if child.process}
    seconds = {name: cpu_seconds(pid) for name, pid in roots.items()}
    seconds["postgres"] = cpu_seconds(around.database.pid)
    own = resource.getrusage(resource.RUSAGE_SELF)
    return seconds | {"clients": own.ru_utime + own.ru_stime}


def cpu_seconds(pid: int) -> float:
    """Returns the CPU time of a process and all its children, also those that have ended."""
    tree = Path(f"/proc/{pid}")
    fields = (tree / "stat").read_text().rpartition(")")[2].split()
    used = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    children = (task.read_text().split() for task in tree.glob("task/*/children"))
    return used + sum(cpu_seconds(int(child)) for some in children for child in some)


@dataclass(slots=True)
class Run:
    """The result of a load."""

    count: int
    seconds: float
    latencies: list[float]

    @property
    def settled_per_second(self) -> float:
        """Settled exchanges, divided by the time from the first request to the last settlement."""
        return self.count / self.seconds


def run_bulk(around: Partners, seconds: float, size: int = ORDER, pace: float | None = None) -> Run:
    """Has several clients submit orders of `size` exchanges at once; each waits for its own settlement.

    `pace` limits how many exchanges a second they submit together.
    """
    latencies: list[float] = []
    failures: list[BaseException] = []
    end = time.perf_counter() + seconds

    def drive(number: int) -> None:
        members = around.members[number * size : (number + 1) * size]
        requests = [Exchange(member=m, points=10, source_program="FUEL", target_program="CINE") for m in members]
        while time.perf_counter() < end:
            began = time.perf_counter()
            try:
                around.fuel.orders.create(requests, wait=30, detail=False).raise_for_rejection()
            except BaseException as error:  # noqa: BLE001 (reported by the main thread)
                failures.append(error)
                return
            latencies.append(time.perf_counter() - began)
            if pace is not None:
                time.sleep(max(0.0, CLIENTS * size / pace - latencies[-1]))

    began = time.perf_counter()
    threads = [threading.Thread(target=drive, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return Run(len(latencies) * size, time.perf_counter() - began, latencies)


def bench_projection(around: Partners) -> None:
    """Measures how fast an auditor's machine replays the whole chain into an empty database."""
    with tempfile.TemporaryDirectory() as directory:
        database = Database(f"sqlite:///{directory}/audit.db")
        database.upgrade()
        client = ChainClient(around.network.rpc_url)
        projector = Projector(database, client, around.network.settings)

        def replay() -> None:
            while projector.step():
                pass

        seconds = timed(replay)
        with database.session.begin() as session:
            entries = session.scalar(select(func.count()).select_from(Entry)) or 0
        client.close()
        database.close()
        report("audit_replay", entries / seconds, "entries/s", entries=entries)


def percentile(values: Sequence[float], percent: int) -> float:
    """Returns a percentile of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def resident_bytes(pid: int) -> int:
    """Returns the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> int:
    """Runs the chosen benchmarks."""
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument(
        "what", nargs="?", choices=["gas", "speed", "till", "all"], default="all", help="default: %(default)s"
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each load (default: %(default)s)")
    parser.add_argument(
        "--growth", action="store_true", help="only: what reads cost in a small network and a large one"
    )
    parser.add_argument("--accounts", type=int, default=1_000_000, help="of the large one (default: %(default)s)")
    parser.add_argument("--entries", type=int, default=3_000_000, help="of the large one (default: %(default)s)")
    chosen = parser.parse_args()
    logs.configure(logging.WARNING)
    if chosen.growth:
        for line in growth_figures(Size(chosen.accounts, chosen.entries)):
            print(json.dumps(line), flush=True)
        return 0
    with anvil(arguments=CHAIN_ARGUMENTS) as chain:
        if chosen.what in ("gas", "all"):
            bench_gas(chain)
        if chosen.what in ("speed", "all"):
            ceilings = bench_ceiling(chain, batches=20)
            usual = bench_usual_way(chain, 500)
    if chosen.what in ("speed", "all"):
        bench_network(chosen.seconds, usual, ceilings)
    if chosen.what in ("till", "all"):
        for figure, value, unit in till_figures():
            report(figure, value, unit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
