"""A soak: puts a whole network under load and kills its parts at random; afterwards everything must add up.

Gateway, sequencer, projector, worker, PostgreSQL and the chain are processes. Merchants trade through the SDK, repeat requests that
got no answer, and send some requests twice. The last part of a run has no faults. `make soak` takes minutes;
`python -m tests.soak --hours 8` takes a night. Every run prints its seed, which decides the requests and the faults (but not, of
course, how processes are scheduled).
"""

from __future__ import annotations

import argparse
import logging
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "sdk")]

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from clearing.kit import logs  # noqa: E402
from clearing.runtime.embedded.network import EmbeddedNetwork  # noqa: E402
from scripts.dev.services import Postgres  # noqa: E402
from tests.soak.chaos import Chaos, Memory  # noqa: E402
from tests.soak.checks import Findings, verify  # noqa: E402
from tests.soak.hooks import IMPATIENT, merchants_server  # noqa: E402
from tests.soak.load import Trader, chance, onboard  # noqa: E402

console = Console() if sys.stdout.isatty() else Console(width=130)

CALM = 1 / 3
"""The share of the run without faults, at its end and for ten minutes at most, so that memory is measured over long lives."""


def soak(minutes: float, seed: int, pause: float, threads: int) -> bool:
    """Makes one run; returns whether everything held."""
    rng = chance(seed)
    console.print(f"[bold]Soak[/bold] for {minutes:g} minutes, seed {seed}")
    with (
        Postgres() as server,
        tempfile.TemporaryDirectory(prefix="tongdui-soak-") as directory,
        merchants_server(seed) as (hook, delivered),
    ):
        url = server.new_database("soak")
        with EmbeddedNetwork(Path(directory), database_url=url, overrides=IMPATIENT) as network:
            traders = onboard(network, rng, threads, hook)
            chaos, memory = Chaos(network, server, rng, pause), Memory()
            stop, calm, end = threading.Event(), threading.Event(), threading.Event()
            busy = [threading.Thread(target=trader.run, args=(stop,)) for trader in traders]
            watching = threading.Thread(target=memory.run, args=(network.children, end))
            breaking = threading.Thread(target=chaos.run, args=(calm,))
            for thread in (*busy, watching, breaking):
                thread.start()
            quiet = min(minutes * 60 * CALM, 600.0)
            _progress(minutes * 60 - quiet, traders, chaos, "faults go on")
            calm.set()
            _progress(quiet, traders, chaos, "load goes on")
            stop.set()
            for thread in (breaking, *busy):
                thread.join()
            findings = verify(network, server, [wish for trader in traders for wish in trader.wishes], delivered)
            end.set()
            watching.join()
            _judge(findings, traders, memory)
            _show(chaos, traders, findings)
            if not findings.good:
                keep = Path(tempfile.mkdtemp(prefix="tongdui-soak-logs-"))
                for file in (Path(directory) / "logs").iterdir():
                    (keep / file.name).write_bytes(file.read_bytes())
                console.print(f"[red]The logs are in {keep}; repeat with --seed {seed}[/red]")
            return findings.good


def _progress(seconds: float, traders: Sequence[Trader], chaos: Chaos, phase: str) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        wishes = sum(len(trader.wishes) for trader in traders)
        faults = sum(chaos.injected.values())
        console.print(f"  {phase} for {left:5.0f} s; {wishes} wishes, {faults} faults so far", style="dim")
        time.sleep(min(left, 10.0))


def _judge(findings: Findings, traders: Sequence[Trader], memory: Memory) -> None:
    faults = [f"{trader.name}: {trader.fault}" for trader in traders if trader.fault is not None]
    findings.check("every client got an answer in the end", faults or f"{len(traders)} clients", not faults)
    for name, seen, flat in memory.rows():
        findings.check(f"memory of the {name} is flat", seen, flat)


def _show(chaos: Chaos, traders: Sequence[Trader], findings: Findings) -> None:
    asked = Table(title="Asked")
    for heading in ("what", "wishes", "requests", "by restarted clients", "accepted", "refused"):
        asked.add_column(heading, justify="left" if heading == "what" else "right")
    wishes = [wish for trader in traders for wish in trader.wishes]
    for kind in sorted({wish.kind for wish in wishes}):
        some = [wish for wish in wishes if wish.kind == kind]
        counts = (
            len(some),
            sum(wish.asked for wish in some),
            sum(wish.restarts for wish in some),
            sum(bool(wish.answers) for wish in some),
            sum(wish.refused is not None for wish in some),
        )
        asked.add_row(kind, *map(str, counts))
    refusals = Counter(wish.refused for wish in wishes if wish.refused is not None)
    asked.caption = ", ".join(f"{count} {code}" for code, count in refusals.most_common()) or None
    console.print(asked)
    injected = Table(title="Injected")
    injected.add_column("fault")
    injected.add_column("times", justify="right")
    for what, times in sorted(chaos.injected.items()):
        injected.add_row(what, str(times))
    console.print(injected)
    checked = Table(title="Checked")
    for heading in ("what", "found", ""):
        checked.add_column(heading)
    for what, detail, holds in findings.rows:
        checked.add_row(what, detail, "[green]holds[/green]" if holds else "[red]DOES NOT HOLD[/red]")
    console.print(checked)


def main() -> int:
    """Runs the soak; returns exit code 0 if everything held."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="length of the run (default: %(default)s)")
    parser.add_argument("--hours", type=float, help="length of the run in hours")
    parser.add_argument("--seed", type=int, default=None, help="repeat the requests and faults of an earlier run")
    parser.add_argument(
        "--pause", type=float, default=6.0, help="seconds between faults, on average (default: %(default)s)"
    )
    parser.add_argument(
        "--threads", type=int, default=2, help="client programs of each merchant (default: %(default)s)"
    )
    chosen = parser.parse_args()
    logs.configure(logging.WARNING)
    minutes = chosen.hours * 60 if chosen.hours is not None else chosen.minutes
    seed = chosen.seed if chosen.seed is not None else secrets.randbelow(10**9)
    return 0 if soak(minutes, seed, chosen.pause, chosen.threads) else 1


if __name__ == "__main__":
    sys.exit(main())
