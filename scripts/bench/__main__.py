"""`make bench`: measurements, one JSON object a line. One run measures everything that is compared.

Gas is exact. Speed depends on the machine: compare a figure with the ceiling and the baseline of the same run.
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from clearing.kit import logs
from scripts.bench.audit import SIZES, audit_figures
from scripts.bench.bare_chain import PROGRAMS, BareChain, member, reference
from scripts.bench.baseline import Baseline, bench_usual_way
from scripts.bench.bulk import bench_bulk, bench_projection
from scripts.bench.generated import Size
from scripts.bench.growth import growth_figures
from scripts.bench.measuring import report, timed
from scripts.bench.partners import CHAIN_ARGUMENTS, Partners, partners
from scripts.bench.programme import SALES, programme_figures
from scripts.bench.singles import bench_memory, bench_singles
from scripts.bench.till import till_figures
from scripts.dev.services import Anvil, anvil
from tongdui.orders import Instruction, Kind, SignedOrder

ROOT = Path(__file__).resolve().parents[2]
GETH = ROOT / ".build" / "bin" / "geth"
ENTRIES = 100
"""Instructions in a batch whose gas is measured."""


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


def bench_network(around: Partners, seconds: float, usual: float, ceilings: Mapping[str, float]) -> None:
    """Measures single exchanges and the bulk path on one network, and its memory afterwards."""
    bench_singles(around, seconds)
    bench_bulk(around, seconds, usual, ceilings)
    for name, size in around.memory().items():
        report(f"memory_{name}", size, "bytes")
    bench_projection(around)


def bench_permissioned() -> None:
    """Measures a real chain of five geth nodes, where geth is built: what settles, and how long faults keep it waiting."""
    if not GETH.exists():
        print(
            f"{GETH.relative_to(ROOT)} is missing: `make geth` builds it, for figures of a permissioned chain",
            file=sys.stderr,
        )
        return
    subprocess.run([sys.executable, "-m", "tests.permissioned", "--figures"], cwd=ROOT, check=True)


def main() -> int:
    """Runs the chosen benchmarks."""
    chosen = _arguments()
    logs.configure(logging.WARNING)
    if chosen.growth or chosen.programme:
        _by_itself(chosen)
        return 0
    if chosen.minutes:
        with partners(chosen.workers) as around:
            bench_memory(around, chosen.minutes)
        return 0
    _chain_and_network(chosen)
    if chosen.what in ("till", "all"):
        for figure, value, unit in till_figures():
            report(figure, value, unit)
    if chosen.what in ("permissioned", "all"):
        bench_permissioned()
    if chosen.what in ("audit", "all"):
        for figure, value, unit, details in audit_figures(chosen.audited or SIZES):
            report(figure, value, unit, **details)
    return 0


def _by_itself(chosen: argparse.Namespace) -> None:
    """What has nothing to do with the speed of the network."""
    if chosen.growth:
        for line in growth_figures(Size(chosen.accounts, chosen.entries)):
            print(json.dumps(line), flush=True)
    if chosen.programme:
        for figure, value, unit, details in programme_figures(None if chosen.whole else chosen.sales):
            report(figure, value, unit, **details)


def _chain_and_network(chosen: argparse.Namespace) -> None:
    with anvil(arguments=CHAIN_ARGUMENTS) as chain:
        if chosen.what in ("gas", "all"):
            bench_gas(chain)
        if chosen.what in ("speed", "all"):
            ceilings = bench_ceiling(chain, batches=20)
            usual = bench_usual_way(chain.url, 500)
    if chosen.what in ("speed", "all"):
        with partners(chosen.workers) as around:
            bench_network(around, chosen.seconds, usual, ceilings)
    if chosen.what == "singles":
        with partners(chosen.workers) as around:
            bench_singles(around, chosen.seconds)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=["gas", "speed", "singles", "till", "audit", "permissioned", "all"],
        default="all",
        help="default: %(default)s",
    )
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each load (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="processes of the gateway (default: %(default)s)")
    parser.add_argument(
        "--audited", type=int, nargs="+", metavar="ENTRIES", help=f"entries of the audited chains (default: {SIZES})"
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument(
        "--minutes",
        type=float,
        help="measure only the memory of each process after so many minutes of single exchanges",
    )
    length.add_argument("--hour", dest="minutes", action="store_const", const=60.0, help="the same as --minutes 60")
    parser.add_argument(
        "--growth", action="store_true", help="only: what reads cost in a small network and a large one"
    )
    parser.add_argument(
        "--programme", action="store_true", help="only: how fast a programme takes the sales of a supermarket"
    )
    parser.add_argument("--sales", type=int, default=SALES, help="of the supermarket (default: %(default)s)")
    parser.add_argument("--whole", action="store_true", help="all sales of its year")
    parser.add_argument("--accounts", type=int, default=1_000_000, help="of the large one (default: %(default)s)")
    parser.add_argument("--entries", type=int, default=3_000_000, help="of the large one (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
