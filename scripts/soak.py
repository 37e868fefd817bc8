"""A soak: a whole network under load while its parts are killed at random; afterwards everything must add up.

Gateway, sequencer, projector, worker, PostgreSQL and the chain are processes; merchants trade through the SDK, ask again when they
have no answer, and send some requests twice. `make soak` takes minutes; `python scripts/soak.py --hours 8` takes a night. Every run
prints its seed, which decides what is asked and what is killed (not, of course, in which order processes get to run).
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import logging
import os
import random
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "sdk")]

import httpx  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402
from sqlalchemy import func, select  # noqa: E402
from sqlalchemy.orm import Session, selectinload  # noqa: E402

from clearing import logs  # noqa: E402
from clearing.accounts.models import Account  # noqa: E402
from clearing.agreements.models import Agreement  # noqa: E402
from clearing.chain.client import ChainClient  # noqa: E402
from clearing.chain.identity import NetworkIdentity  # noqa: E402
from clearing.chain.models import Block, ChainEvent, Entry  # noqa: E402
from clearing.database import Database  # noqa: E402
from clearing.events.models import Event  # noqa: E402
from clearing.network import Child, EmbeddedNetwork  # noqa: E402
from clearing.orders.models import Instruction, Order, OrderState  # noqa: E402
from clearing.reconciliation.rebuild import RebuildService  # noqa: E402
from clearing.reconciliation.service import ReconciliationService  # noqa: E402
from clearing.settlement.models import Position  # noqa: E402
from scripts.services import Postgres, kill_tree  # noqa: E402
from tests.reference.clearing_house import ClearingHouse  # noqa: E402
from tests.reference.records import Role  # noqa: E402
from tongdui import (  # noqa: E402
    APIConnectionError,
    APIError,
    Client,
    IdempotencyInFlightError,
    LocalSigner,
    Movement,
    RateLimitedError,
    ServerError,
    UnprocessableError,
)
from tongdui.orders import AgreementTerms, full_signature  # noqa: E402
from tongdui.words import bytes_of, text_word  # noqa: E402

T = TypeVar("T")
console = Console()

NO_ANSWER = (APIConnectionError, ServerError, RateLimitedError, IdempotencyInFlightError)
MEMBERS = 12
GROWTH = 1.3
"""How much more memory a process may take at the end of its life than after it had warmed up."""
SLACK = 24 * 2**20
_WARM_UP = 45.0
"""Seconds. A worker imports everything again in each of its processes."""
_OPEN = (OrderState.ACCEPTED, OrderState.SUBMITTED)


@dataclass(slots=True)
class Wish:
    """Something that a merchant wants exactly once, under one idempotency key."""

    merchant: str
    kind: str
    member: str
    points: int
    key: str
    movements: set[str] = field(default_factory=set)
    """Ids that the gateway gave it: one, however often it was asked."""
    refused: str | None = None
    asked: int = 0


@dataclass(slots=True)
class Trader:
    """A merchant's client programs: each thread has one, with its own connection."""

    name: str
    program: str
    target: str
    url: str
    key: str
    signer: LocalSigner | None
    rng: random.Random
    wishes: list[Wish] = field(default_factory=list)

    def client(self) -> Client:
        """A connection of one's own."""
        return Client(self.url, self.key, signer=self.signer, timeout=10.0, max_retries=1)

    def trade(self, stop: threading.Event) -> None:
        """Asks for one thing after another until told to stop; what it began, it brings to an answer."""
        with self.client() as client, self.client() as twin:
            while not stop.is_set():
                wish = self._wish()
                self.wishes.append(wish)
                if self.rng.random() < 0.15:
                    double = threading.Thread(target=self._ask, args=(twin, wish))
                    double.start()
                    self._ask(client, wish)
                    double.join()
                else:
                    self._ask(client, wish)
                if self.rng.random() < 0.10:
                    self._ask(client, wish)
                stop.wait(self.rng.random() * 0.05)

    def _wish(self) -> Wish:
        rng = self.rng
        kind = rng.choices(["issue", "redeem", "exchange"], [4, 2, 3])[0]
        return Wish(
            self.name,
            kind,
            f"external:{rng.randrange(MEMBERS)}",
            rng.randint(2, 40),
            f"{self.name}-{rng.getrandbits(64):x}",
        )

    def _ask(self, client: Client, wish: Wish) -> None:
        try:
            movement = insist(lambda: self._send(client, wish))
        except UnprocessableError as error:
            wish.refused = error.code
        except APIError as error:
            wish.refused = f"unexpectedly: {error.code}"
        else:
            wish.movements.add(movement.id)

    def _send(self, client: Client, wish: Wish) -> Movement:
        wish.asked += 1
        common: dict[str, Any] = {
            "member": wish.member,
            "points": wish.points,
            "reference": wish.key,
            "idempotency_key": wish.key,
        }
        match wish.kind:
            case "issue":
                return client.issuances.create(program=self.program, **common)
            case "redeem":
                return client.redemptions.create(program=self.program, **common)
            case _:
                return client.exchanges.create(source_program=self.program, target_program=self.target, **common)


def chance(seed: int) -> random.Random:
    """A source of decisions that a seed repeats. (Nothing here is a secret.)"""
    return random.Random(seed)  # noqa: S311


def insist(ask: Callable[[], T], seconds: float = 180.0) -> T:
    """Asks again as long as there is no answer."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except NO_ANSWER:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


# -------------------------------------------------------------------- what goes wrong


class Chaos:
    """Kills something every few seconds."""

    def __init__(self, network: EmbeddedNetwork, server: Postgres, rng: random.Random, pause: float) -> None:
        self._network = network
        self._server = server
        self._rng = rng
        self._pause = pause
        self.injected: Counter[str] = Counter()

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.wait(self._pause * self._rng.uniform(0.5, 1.5)):
            what = self._rng.choices(
                ["gateway", "sequencer", "projector", "worker", "database", "chain", "freeze"], [3, 4, 4, 2, 2, 2, 2]
            )[0]
            if what == "database":
                self._server.kill()
                self._server.start()
                self.injected["database killed"] += 1
            elif what == "freeze":
                self._freeze(self._rng.choice(["sequencer", "projector", "gateway"]))
            else:
                self._kill(what)

    def _kill(self, name: str) -> None:
        child = self._network.children[name]
        if child.process is not None and child.running:
            kill_tree(child.process.pid)
            child.starts = 1  # we, not it, are to blame: start it again soon
            lost = " (and lost its newest blocks)" if name == "chain" else ""
            self.injected[f"{name} killed{lost}"] += 1

    def _freeze(self, name: str) -> None:
        """A process that stands still is not dead: its locks and connections are there."""
        child = self._network.children[name]
        if child.process is None or not child.running:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(child.process.pid, signal.SIGSTOP)
            time.sleep(self._rng.uniform(0.5, 3.0))
            os.kill(child.process.pid, signal.SIGCONT)
            self.injected[f"{name} frozen"] += 1


# -------------------------------------------------------------------- memory


@dataclass(slots=True)
class Memory:
    """Resident memory of every process, over its life."""

    samples: dict[tuple[str, int], list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))

    def run(self, children: dict[str, Child], stop: threading.Event) -> None:
        """Samples every second until told to stop."""
        while not stop.wait(1.0):
            for name, child in list(children.items()):
                if child.process is not None and child.running:
                    size = sum(map(_resident, _tree(child.process.pid)))
                    self.samples[name, child.process.pid].append((time.monotonic(), size))

    def rows(self) -> Iterator[tuple[str, int, float, bool]]:
        """Name, highest, growth over the longest life after warming up, and whether that is flat."""
        for name in sorted({name for name, _ in self.samples}):
            lives = [life for (owner, _), life in self.samples.items() if owner == name]
            longest = max(lives, key=lambda life: life[-1][0] - life[0][0])
            warm = [size for at, size in longest if at - longest[0][0] > _WARM_UP]
            highest = max(size for life in lives for _, size in life)
            if len(warm) < 20:
                yield name, highest, 0.0, True
                continue
            quarter = len(warm) // 4
            early, late = statistics.median(warm[:quarter]), statistics.median(warm[-quarter:])
            # The chain is anvil, which keeps every block in memory: that is not ours to judge.
            yield name, highest, late / early - 1, name == "chain" or late <= early * GROWTH + SLACK


def _tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    found = [pid]
    with contextlib.suppress(OSError):
        for child in children.read_text().split():
            found += _tree(int(child))
    return found


def _resident(pid: int) -> int:
    """Its proportional share: what a worker's processes have in common counts once."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


# -------------------------------------------------------------------- what must be true


@dataclass(slots=True)
class Findings:
    """What was checked."""

    rows: list[tuple[str, str, bool]] = field(default_factory=list)

    def check(self, what: str, detail: object, holds: bool) -> None:
        """Notes one check."""
        self.rows.append((what, str(detail), holds))

    @property
    def good(self) -> bool:
        """Whether all of them hold."""
        return all(holds for _, _, holds in self.rows)


def check_wishes(findings: Findings, session: Session, wishes: list[Wish]) -> None:
    """Every wish has one answer and one effect, and nothing happened that nobody wished for."""
    effects = Counter(session.scalars(select(Instruction.reference)))
    states = dict.fromkeys(OrderState, 0)
    for state, count in session.execute(select(Order.state, func.count()).group_by(Order.state)):
        states[state] = count
    accepted = [wish for wish in wishes if wish.movements]
    refused = [wish for wish in wishes if wish.refused is not None]
    asked = sum(wish.asked for wish in wishes)
    findings.check("wishes (requests sent)", f"{len(wishes)} ({asked})", bool(wishes))
    both = [wish for wish in wishes if bool(wish.movements) == (wish.refused is not None)]
    findings.check("each was accepted or refused, not both and not neither", len(both), not both)
    odd = Counter(wish.refused for wish in refused if str(wish.refused).startswith("unexpectedly"))
    findings.check("refused for business reasons only", dict(odd) or f"{len(refused)} refused", not odd)
    twice = [wish for wish in accepted if len(wish.movements) > 1 or effects[wish.key] != 1]
    findings.check("accepted ones have exactly one movement", f"{len(accepted)} accepted", not twice)
    ghosts = [wish for wish in refused if effects[wish.key]]
    findings.check("refused ones have none", len(ghosts), not ghosts)
    strangers = set(effects) - {wish.key for wish in wishes}
    findings.check("no movement that nobody asked for", len(strangers), not strangers)
    is_open = states[OrderState.ACCEPTED] + states[OrderState.SUBMITTED]
    text = ", ".join(f"{count} {state}" for state, count in states.items() if count)
    findings.check("no order lost on its way", text, not is_open)


def check_entries(findings: Findings, session: Session) -> None:
    """An entry for every instruction of a settled order, and no other."""
    settled = select(func.coalesce(func.sum(Order.size), 0)).where(Order.state == OrderState.SETTLED)
    wanted, found = session.scalar(settled), session.scalar(select(func.count()).select_from(Entry))
    findings.check("an entry for each settled instruction", f"{found} of {wanted}", wanted == found)
    told = select(func.count(func.distinct(Event.subject))).where(Event.type == "order.settled")
    orders = session.scalar(select(func.count()).select_from(Order).where(Order.state == OrderState.SETTLED))
    findings.check("an event for each settled order", orders, session.scalar(told) == orders)


def check_model(findings: Findings, session: Session, network: EmbeddedNetwork) -> None:
    """The reference model, told the same story, ends with the same balances and positions."""
    model, wrong = replay(session, network)
    findings.check("the reference model accepts what the chain accepted", f"{wrong} differ", wrong == 0)
    balances = {(a.address, a.program): a.posted for a in session.scalars(select(Account)) if a.posted}
    theirs = {key: points for key, points in model.balances.items() if points}
    findings.check("balances equal the reference model's", f"{len(balances)} accounts", balances == theirs)
    positions = {p.merchant_number: p.position for p in session.scalars(select(Position))}
    expected = {number: merchant.position for number, merchant in model.merchants.items()}
    findings.check("positions equal the reference model's", f"{len(positions)} merchants", positions == expected)
    reserved = sum(a.reserved for a in session.scalars(select(Account)))
    reserved += sum(p.reserved for p in session.scalars(select(Position)))
    findings.check("nothing is reserved any more", reserved, reserved == 0)


def replay(session: Session, network: EmbeddedNetwork) -> tuple[ClearingHouse, int]:
    """The model after everything that was registered and every order that settled; how many orders it saw otherwise."""
    admin, by = "0x" + "ad" * 20, "0x" + "0b" * 20
    identity = NetworkIdentity.of(network.settings)
    offset = identity.utc_offset_seconds
    model = ClearingHouse(identity.domain, admin, text_word("Tongdui"), offset, int(time.time()))
    for role in Role:
        model.set_role(admin, role, by, True)
    times = {number: timestamp for number, timestamp in session.execute(select(Block.number, Block.timestamp))}  # noqa: C416
    keys = {
        row.arguments["merchant"]: row.arguments["key"].lower()
        for row in session.scalars(select(ChainEvent).where(ChainEvent.name == "SignerChanged"))
    }
    for row in session.scalars(select(ChainEvent).order_by(ChainEvent.block_number, ChainEvent.log_index)):
        model.now = times[row.block_number]
        _retell(session, model, by, keys, row)
    wrong = 0
    firsts = select(Entry.merchant, Entry.nonce, func.min(Entry.block_number), func.count())
    firsts = firsts.group_by(Entry.merchant, Entry.nonce, Entry.batch).order_by(Entry.batch, func.min(Entry.index))
    for merchant, nonce, block, count in session.execute(firsts).all():
        query = select(Order).where(Order.merchant_number == merchant, Order.nonce == nonce)
        order = session.scalars(query.options(selectinload(Order.instructions))).one()
        model.now = times[block]
        before = len(model.events)
        model.execute(by, [order.signed()], lambda _: None)
        wrong += sum(name == "EntryPosted" for name, _ in model.events[before:]) != count
    return model, wrong


def _retell(session: Session, model: ClearingHouse, by: str, keys: dict[int, str], row: ChainEvent) -> None:
    told = row.arguments
    match row.name:
        case "MerchantRegistered" if told["merchant"]:
            number = told["merchant"]
            model.register_merchant(by, number, bytes_of(told["name"]), keys[number], told["creditLimitMicros"])
        case "ProgramRegistered":
            words = bytes_of(told["code"]), bytes_of(told["name"])
            model.register_program(by, told["program"], told["merchant"], *words)
        case "AgreementRegistered":
            agreement = session.scalars(select(Agreement).where(Agreement.number == told["agreement"])).one()
            terms = AgreementTerms(**{f.name: getattr(agreement, f.name) for f in dataclasses.fields(AgreementTerms)})
            signatures = [full_signature(s) for s in (agreement.source_signature, agreement.target_signature) if s]
            model.register_agreement(by, told["agreement"], terms, *signatures)
        case "Deposited":
            model.deposit(by, told["merchant"], told["micros"], bytes_of(told["bankRef"]))


# -------------------------------------------------------------------- the run


def onboard(network: EmbeddedNetwork, rng: random.Random) -> list[Trader]:
    """Two merchants, one of which signs by itself; two programs, an agreement each way, money and members."""
    operator = Client(network.url, network.api_keys["operator"])
    treasury = Client(network.url, network.api_keys["treasury"])
    traders = []
    for name, code, local in (("Gas", "FUEL", True), ("Cinema", "CINE", False)):
        signer = LocalSigner.generate() if local else None
        signing: dict[str, Any] = {"signer_address": signer.address} if signer else {"managed_key": True}
        merchant = operator.merchants.create(name=name, wait=30.0, **signing)
        operator.programs.create(merchant=merchant, code=code, name=code, wait=30.0)
        scopes = ["issue", "exchange", "redeem", "agree", "members", "settle", "read"]
        key = operator.api_keys.create(merchant=merchant, scopes=scopes)
        treasury.deposits.create(merchant=merchant, micros=10**13, bank_reference=f"bank-{name}", wait=30.0)
        assert key.secret is not None
        target = "CINE" if code == "FUEL" else "FUEL"
        traders.append(Trader(name, code, target, network.url, key.secret, signer, chance(rng.getrandbits(64))))
    gas, cinema = (trader.client() for trader in traders)
    for number in range(MEMBERS):
        gas.members.create(external_id=str(number))
        code = gas.members.create_link_code(f"external:{number}").code
        cinema.members.create(external_id=str(number), link_code=code)
    until = datetime.now(UTC) + timedelta(days=30)
    for proposer, signer_, source, target_, rate in (
        (gas, cinema, "FUEL", "CINE", "9/10"),
        (cinema, gas, "CINE", "FUEL", "10/11"),
    ):
        agreement = proposer.agreements.propose(
            source_program=source,
            target_program=target_,
            rate=rate,
            unit_price_micros=10_000,
            max_points=1_000,
            daily_cap=10**9,
            fee_bps=50,
            valid_until=until,
            wait=30.0,
        )
        if proposer is cinema:  # whose key the gateway holds: it signs when it is told to
            agreement = proposer.agreements.sign(agreement, wait=30.0)
        agreement = signer_.agreements.sign(agreement, wait=30.0)
        assert agreement.state == "active", agreement.state
    return traders


def quiesce(network: EmbeddedNetwork, database: Database, seconds: float = 180.0) -> bool:
    """Waits until nothing is on its way and the gateway calls everything healthy."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with database.reading() as session:
            is_open = session.scalar(select(func.count()).select_from(Order).where(Order.state.in_(_OPEN)))
        with contextlib.suppress(httpx.TransportError):
            if not is_open and httpx.get(f"{network.url}/healthz", timeout=10).status_code == httpx.codes.OK:
                return True
        time.sleep(0.5)
    return False


def verify(network: EmbeddedNetwork, server: Postgres, wishes: list[Wish]) -> Findings:
    """All checks, after the storm."""
    findings = Findings()
    database = Database(network.settings.database_url)
    findings.check("comes to rest", "everything healthy, nothing on its way", quiesce(network, database))
    with database.reading() as session:
        check_wishes(findings, session, wishes)
        check_entries(findings, session)
        check_model(findings, session, network)
    client = ChainClient(network.rpc_url, timeout=120)
    report = ReconciliationService(database, client, network.settings).run()
    findings.check("database = contract = events", f"{sum(report.checked.values())} comparisons", report.is_clean)
    empty = Database(server.new_database("rebuilt"))
    service = RebuildService(empty, client, network.settings)
    service.prepare()
    ours, theirs = service.compare(database)
    findings.check("rebuilt from the chain: bit for bit the same", ours.overall[:16], ours == theirs)
    environment = {**network._environment(), "PYTHONPATH": f"{ROOT}:{ROOT / 'sdk'}"}
    code = subprocess.run(
        [sys.executable, "-m", "clearing", "reconcile"], env=environment, capture_output=True, check=False
    ).returncode
    findings.check("`clearing reconcile` says so, too", f"exit code {code}", code == 0)
    client.close()
    empty.close()
    database.close()
    return findings


def soak(minutes: float, seed: int, pause: float, threads: int) -> bool:
    """One run; whether everything held."""
    rng = chance(seed)
    console.print(f"[bold]Soak[/bold] for {minutes:g} minutes, seed {seed}")
    with Postgres() as server, tempfile.TemporaryDirectory(prefix="tongdui-soak-") as directory:
        url = server.new_database("soak")
        with EmbeddedNetwork(Path(directory), database_url=url) as network:
            traders = onboard(network, rng)
            chaos, memory = Chaos(network, server, rng, pause), Memory()
            stop, calm = threading.Event(), threading.Event()
            clones = [
                dataclasses.replace(t, rng=chance(rng.getrandbits(64)), wishes=[])
                for t in traders
                for _ in range(threads)
            ]
            busy = [threading.Thread(target=trader.trade, args=(stop,)) for trader in clones]
            watching = threading.Thread(target=memory.run, args=(network.children, calm))
            breaking = threading.Thread(target=chaos.run, args=(stop,))
            for thread in (*busy, watching, breaking):
                thread.start()
            _progress(minutes * 60, clones, chaos)
            stop.set()
            for thread in (breaking, *busy):
                thread.join()
            findings = verify(network, server, [wish for trader in clones for wish in trader.wishes])
            calm.set()
            watching.join()
            _show(chaos, memory, findings)
            if not findings.good:
                keep = Path(tempfile.mkdtemp(prefix="tongdui-soak-logs-"))
                for file in (Path(directory) / "logs").iterdir():
                    (keep / file.name).write_bytes(file.read_bytes())
                console.print(f"[red]The logs are in {keep}; repeat with --seed {seed}[/red]")
            return findings.good


def _progress(seconds: float, traders: list[Trader], chaos: Chaos) -> None:
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 10.0))
        wishes = sum(len(trader.wishes) for trader in traders)
        console.print(
            f"  {max(left, 0):5.0f} s left, {wishes} wishes, {sum(chaos.injected.values())} faults", style="dim"
        )


def _show(chaos: Chaos, memory: Memory, findings: Findings) -> None:
    injected = Table(title="Injected")
    injected.add_column("fault")
    injected.add_column("times", justify="right")
    for what, times in sorted(chaos.injected.items()):
        injected.add_row(what, str(times))
    console.print(injected)
    for name, highest, growth, flat in memory.rows():
        detail = f"at most {highest / 2**20:.0f} MiB, {growth:+.0%} over its longest life"
        findings.check(f"memory of the {name} is flat", detail, flat)
    checked = Table(title="Checked")
    for heading in ("what", "found", ""):
        checked.add_column(heading)
    for what, detail, holds in findings.rows:
        checked.add_row(what, detail, "[green]holds[/green]" if holds else "[red]DOES NOT HOLD[/red]")
    console.print(checked)


def main() -> int:
    """Runs it; exit code 0 if everything held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="how long (default: %(default)s)")
    parser.add_argument("--hours", type=float, help="how long, in hours")
    parser.add_argument("--seed", type=int, default=None, help="repeats an earlier run's wishes and faults")
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
