"""The chapters of the story, in order. Everything goes through the SDK and HTTP."""

from __future__ import annotations

import signal
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from loyalty.staff.models import Role
from scripts.demo.display import Display, percentile, short_hash
from scripts.demo.node import AGREEMENT_REGISTERED, DEPOSITED, MERCHANT_REGISTERED, Log, Node, number
from scripts.demo.participants import WAIT, Participants
from scripts.demo.programme import Programme, programme, week
from tongdui import (
    APIError,
    Client,
    Exchange,
    Issue,
    Movement,
    Position,
    Receipt,
    TongduiError,
    VerificationError,
    format_micros,
    yuan,
)
from tongdui.audit.options import Options
from tongdui.audit.run import audit
from tongdui.till import TillImport, TillResult, TillSheet, read_till

DATA = Path(__file__).resolve().parent / "data"
SAMPLE_DAYS = ("2026-04-16", "2026-04-15", "2026-04-14")
"""The days of the files, the latest first."""
TILL_ZONE = ZoneInfo("Asia/Shanghai")
LIN, ZHAO, CHEN = "external:FC-1015", "external:FC-1006", "external:FC-1003"
"""The gas station's ids of three customers with many points."""
NAMES = {LIN: "Lin", ZHAO: "Zhao", CHEN: "Chen"}
CARDS = {"CINE": "GY-{}", "MART": "FS-{}", "VIP": "{}@xinghe"}
"""How the other merchants number their members."""
HUNDRED = 100
RUSH = 60


@dataclass(frozen=True, slots=True)
class Step:
    """A movement of the story."""

    who: str
    what: str
    movement: Movement


@dataclass(slots=True)
class Story:
    """Tells the chapters and remembers what happened."""

    participants: Participants
    node: Node
    display: Display
    stalled: set[str] = field(default_factory=set)
    """Orders that waited because the story stopped the sequencer."""
    members: dict[str, str] = field(default_factory=dict)
    """Ids of all members, by address."""
    before: dict[str, Position] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def expect(self, holds: bool, otherwise: str) -> None:
        """Remembers a failed expectation; the demo then ends with a failure."""
        if not holds:
            self.failures.append(otherwise)
            self.display.say(f"[red bold]✗ {otherwise}[/]")

    def client(self, code: str) -> Client:
        """The client of the merchant that runs the program."""
        return self.participants[code].client

    # ---------------------------------------------------------------- onboarding

    def introduce(self) -> None:
        """Shows what runs where."""
        network = self.participants.network
        self.display.chapter("A network on this machine: a chain, a database, a gateway, two daemons")
        self.display.say(f"gateway   {network.url}\nchain     {network.rpc_url}\ncontract  {network.settings.contract}")

    def onboard(self) -> None:
        """Onboards the merchants and shows their agreements and money."""
        self.display.chapter("Four merchants are onboarded")
        with self.display.progress("Onboarding", self.participants.steps) as bar:
            self.participants.onboard(bar.step)
        registered = self.node.logs(MERCHANT_REGISTERED)
        self.display.table(
            ["merchant", "program", "signs with", ">credit limit", "transaction", ">block"],
            [
                (
                    party.merchant.name,
                    f"{party.code} {party.profile.program}",
                    short_hash(party.signer.address),
                    format_micros(yuan(party.profile.credit)),
                    *_where(registered, party.merchant.number),
                )
                for party in self.participants.parties.values()
            ],
        )
        signed = self.node.logs(AGREEMENT_REGISTERED)
        self.display.table(
            ["agreement, signed by both", ">rate", ">a target point costs", ">fee", "transaction", ">block"],
            [
                (
                    f"{source} → {target}",
                    agreement.rate,
                    format_micros(agreement.unit_price_micros),
                    f"{agreement.fee_bps / 100} %",
                    *_where(signed, agreement.number or 0),
                )
                for (source, target), agreement in self.participants.agreements.items()
            ],
        )
        self.display.table(
            ["deposit at the settlement bank", ">amount", "transaction", ">block"],
            [
                (
                    self.participants.merchant_name(number(log.topics[0])),
                    format_micros(number(log.data)),
                    short_hash(log.tx_hash),
                    log.block_number,
                )
                for log in self.node.logs(DEPOSITED)
            ],
        )
        self.before = self._positions()

    # ---------------------------------------------------------------- at the pump

    def import_day(self) -> None:
        """Turns a day of sales into points, once, and takes back those of what customers bring back."""
        self.display.chapter("A day at the pump: fuel_day.csv")
        with _sheet("fuel_day_before.csv") as sheet:
            before = self._import(sheet, "Importing the day before")
        self.expect(len(before.issued) == len(sheet.sales), "the import did not issue every sale of the day before")
        with _sheet("fuel_day.csv") as sheet:
            fates = ", ".join(f"{count} {fate}" for fate, count in sheet.rows_by_fate().items() if count)
            self.display.say(f"{sheet.rows_read} rows: {fates}.\nRule: 1 point a yuan on fuel, 2 on shop goods.")
            first = self._import(sheet, "Importing the day")
            second = self._import(sheet, "Importing it again")
            sales, returns = len(sheet.sales), len(sheet.returns)
        rows = []
        for name, result in (("first import", first), ("the same file again", second)):
            transactions, gas = self._cost(self._issued_in(result))
            rows.append((name, len(result.issued), result.points, len(result.already), transactions, gas))
        self.display.table(["", ">issued now", ">points", ">before", "transactions (blocks)", ">gas per entry"], rows)
        self._show_taken_back(first)
        self.expect(len(first.issued) == sales, "the import did not issue every sale")
        self.expect(not second.orders, "the second import did something")
        self.expect(len(second.already) == sales, "the second import did not find every sale issued")
        self.expect(len(first.reversed) == returns, "the import did not take back the points of every return")
        self.expect(len(second.reversed_before) == returns, "the second import did not find every return reversed")
        self.display.figure("gas_per_issue_in_import", rows[0][-1], "gas", "an issue, as the import batches them")

    def _show_taken_back(self, result: TillResult) -> None:
        """Shows the returns. The sale of one of them is in the file of the day before; the gateway knows it."""
        self.display.table(
            ["return", "customer", "takes back from", ">points", "transaction"],
            [
                (
                    taken.source.number,
                    taken.source.customer,
                    taken.original.reference,
                    taken.points,
                    short_hash(taken.movement.settled().tx_hash) if taken.movement is not None else "missing",
                )
                for taken in result.reversed
            ],
        )

    def import_malformed(self) -> None:
        """Reports malformed rows and imports the good ones."""
        self.display.chapter("A file with malformed rows: fuel_malformed.csv")
        with _sheet("fuel_malformed.csv") as sheet:
            problems = list(sheet.problems)
            self.display.table(
                [">line", "field", "value", "reason"],
                [(problem.line, problem.field, problem.value, problem.reason) for problem in problems],
                title=problems[0].file,
            )
            for held in sheet.held_back:
                self.display.say(f"Sale {held.number} is held back: {held.reason}.")
            result = self._import(sheet, "Importing the good rows")
            self.display.say(
                f"{len(result.issued)} good sales: {result.points} points issued. "
                f"{len(problems)} malformed rows: nothing issued, nothing lost."
            )
            self.expect(len(result.issued) == len(sheet.sales), "not every good sale was issued")

    def _import(self, sheet: TillSheet, what: str) -> TillResult:
        """Imports without remembering earlier imports, as a new process would."""
        with self.display.progress(what, len(sheet.sales)) as bar:
            result = TillImport(self.client("FUEL"), "FUEL", reverse=True).run(sheet, bar.at)
        self.expect(not result.needs_attention, f"some sales need attention: {result.document()}")
        for movement in self._issued_in(result):
            self.members[str(movement.member)] = str(movement.external_id)
        return result

    def _issued_in(self, result: TillResult) -> list[Movement]:
        """The issuances of an import."""
        orders = (self.client("FUEL").orders.get(order) for order in result.orders)
        return [movement for order in orders for movement in order.movements if movement.object == "issuance"]

    def programme(self, directory: Path) -> None:
        """The gas station's own programme decides why points are earned: a week of one customer, and a return."""
        self.display.chapter("The gas station's programme: why a customer gets points")
        with programme(self.participants, directory) as station:
            told = week()
            station.post("/v1/stations", {"id": "S17", "name": "Changjiang Road", "region": "north"})
            station.add_pump("S17")
            for path, field, plan in (
                ("rule-sets", "rules", {"program": "FUEL", "rules": told["rules"]}),
                ("tier-schemes", "scheme", {"scheme": told["tiers"]}),
                ("tasks", "task", {"program": "FUEL", "task": told["task"]}),
                ("referral-schemes", "scheme", {"program": "FUEL", "scheme": told["referral"]}),
            ):
                draft = station.post(f"/v1/{path}", plan, Role.MARKETING)
                self.expect(draft[field]["version"] == 1, f"{path} keeps another version than it was given")
                station.post(f"/v1/{path}/{draft['id']}/publish", {"reason": "the demo"})
            plate = {"kind": "plate", "value": "苏A·88217"}
            customer = station.post("/v1/customers", {"identifiers": [plate]}, Role.CASHIER)["id"]
            sales = [
                station.post("/v1/sales", {"station": "S17", "shown": plate, **sale}, Role.DEVICE)
                for sale in told["sales"]
            ]
            again = station.post("/v1/sales", {"station": "S17", "shown": plate, **told["sales"][0]}, Role.DEVICE)
            self.expect(again["id"] == sales[0]["id"], "a sale that was sent twice was booked twice")
            document = {name: sales[3][name] for name in ("business_day", "till", "number")}
            returned = {"station": "S17", "business_day": "2026-04-17", "till": "1", "number": "R1", "sale": document}
            station.post("/v1/returns", {**returned, "lines": told["returned"]}, Role.CASHIER)
            friend = self._bring_a_friend(station, customer, told["sales"][0])
            wishes = {wish["reference"]: wish for wish in station.await_settled()}
            bonuses = [
                (who, bonus)
                for who in (customer, friend)
                for bonus in reversed(station.get(f"/v1/customers/{who}/bonuses")["data"])
            ]
            why = [
                (sale["business_day"], award["explanation"]["en"], wishes[award["reference"]])
                for sale in sales
                for award in sale["awards"]
                if award["points"]
            ]
            why += [
                (
                    "the friend" if who == friend else "",
                    f"{bonus['points']}: {bonus['reason']['en']}",
                    wishes[bonus["reference"]],
                )
                for who, bonus in bonuses
            ]
            self.display.table(
                ["day", "why", "transaction", ">block"],
                [(day, says, short_hash(wish["tx_hash"]), wish["block_number"]) for day, says, wish in why],
            )
            taken = sum(wish["points"] for wish in wishes.values() if wish["kind"] == "reverse")
            self.display.say(
                f"The pump saw the plate; the customer did nothing. The filter came back: {taken} points are taken back."
            )
            self._show_way(station, customer)
            for who in (customer, friend):
                member = f"external:{who}"
                known = self.client("FUEL").members.get(member)
                self.members[str(known.id)] = who
                posted = sum(account.posted for account in self.client("FUEL").members.accounts(member))
                wished = sum(
                    wish["points"] if wish["kind"] == "issue" else -wish["points"]
                    for wish in wishes.values()
                    if wish["member"] == member
                )
                self.expect(posted == wished, f"the chain has {posted} points of {who}, the programme {wished}")
            self.display.say(f"The nightly check, loyalty check: {station.check()}.")

    def _bring_a_friend(self, station: Programme, customer: str, sale: dict[str, Any]) -> str:
        """The customer hands on a code; a friend joins with it and fills up today. The friend's id."""
        code = station.post(f"/v1/customers/{customer}/referral-code", {}, Role.CASHIER)["code"]
        plate = {"kind": "plate", "value": "苏A·10021"}
        joins = {"identifiers": [plate], "referral_code": code}
        friend = station.post("/v1/customers", joins, Role.CASHIER)
        now = datetime.now(ZoneInfo("Asia/Shanghai"))
        today = {"business_day": f"{now:%Y-%m-%d}", "time": now.isoformat(), "number": "9901"}
        station.post("/v1/sales", {"station": "S17", "shown": plate, **sale, **today}, Role.DEVICE)
        return str(friend["id"])

    def _show_way(self, station: Programme, customer: str) -> None:
        """The customer's tier, and what is missing for the next one."""
        way = station.get(f"/v1/customers/{customer}/tier")
        missing = f"{way['missing']['litres']} litres or {way['missing']['spend_fen'] // 100:,} yuan"
        self.display.say(
            f"The customer is {way['level']['name']['en']} since the second fill, so later points count 1.5 times; "
            f"{way['next']['name']['en']} needs {missing} more."
        )
        self.expect(way["level"]["id"] == "silver", f"the customer is {way['level']['id']}, not silver")

    # ---------------------------------------------------------------- elsewhere

    def link_members(self) -> None:
        """A member shows a one-time link code; the other merchant then knows the member by its own external id."""
        self.display.chapter("Members become known elsewhere")
        rows = []
        for member, name in NAMES.items():
            own = self.client("FUEL").members.get(member)
            row = [name, member]
            for code in CARDS:
                link = self.client("FUEL").members.create_link_code(member)
                card = self.card(code, member)
                known = self.client(code).members.create(
                    external_id=card.removeprefix("external:"), link_code=link.code
                )
                self.expect(known.address == own.address, f"{name} became somebody else at {code}")
                row.append(card)
            rows.append([*(cell.removeprefix("external:") for cell in row), short_hash(own.address)])
        self.display.table(["member", "known to FUEL as", *(f"to {code}" for code in CARDS), "on chain"], rows)

    def card(self, code: str, member: str) -> str:
        """Returns a merchant's own id of a member."""
        if code == "FUEL":
            return member
        number = member.rpartition("-")[2]
        return "external:" + CARDS[code].format(NAMES[member].lower() if code == "VIP" else number)

    # ---------------------------------------------------------------- points move

    def move_points(self) -> None:
        """Exchanges and redeems points; the same transactions settle the merchants."""
        self.display.chapter("Points move, and the merchants are settled in the same transaction")
        quote = self.client("FUEL").quotes.create(source_program="FUEL", target_program="MART", points=1_500)
        self.display.say(
            f"Zhao asks first: {quote.points} FUEL give {quote.out} MART, locked until {quote.expires_at:%H:%M:%S} UTC."
        )
        moves: Sequence[Callable[[], Movement]] = (
            lambda: self._exchange(LIN, "FUEL", "CINE", 1_001),
            lambda: self._redeem(LIN, "CINE", 320),
            lambda: self.client("FUEL").exchanges.create(member=ZHAO, points=1_500, quote=quote, wait=WAIT),
            lambda: self._redeem(ZHAO, "MART", 1_200),
            lambda: self._exchange(CHEN, "FUEL", "VIP", 995),
            lambda: self._redeem(CHEN, "VIP", 60),
            lambda: self._exchange(LIN, "CINE", "MART", 100),
            lambda: self._exchange(ZHAO, "MART", "VIP", 150),
            lambda: self._redeem(CHEN, "FUEL", 500),
            lambda: self._issue(LIN, "VIP", 400),
        )
        names = {id_: name for name, id_ in self._ids().items()}
        steps = []
        with self.display.progress("Moving points", len(moves)) as bar:
            for move in moves:
                movement = move()
                steps.append(Step(names[str(movement.member)], _summary(movement, self.participants), movement))
                bar.step(steps[-1].what)
        self._show_steps(steps)

    def _exchange(self, member: str, source: str, target: str, points: int, key: str | None = None) -> Movement:
        return self.client(source).exchanges.create(
            member=self.card(source, member),
            source_program=source,
            target_program=target,
            points=points,
            idempotency_key=key,
            wait=WAIT,
        )

    def _redeem(self, member: str, code: str, points: int) -> Movement:
        return self.client(code).redemptions.create(
            program=code, member=self.card(code, member), points=points, wait=WAIT
        )

    def _issue(self, member: str, code: str, points: int) -> Movement:
        return self.client(code).issuances.create(
            program=code, member=self.card(code, member), points=points, wait=WAIT
        )

    def _show_steps(self, steps: Sequence[Step]) -> None:
        gas = self.node.gas_used(step.movement.settled().tx_hash for step in steps)
        seconds = self._settling()
        rows = []
        for step in steps:
            entry = step.movement.settled()
            rows.append(
                (
                    step.who,
                    step.what,
                    format_micros(entry.settled_micros) if entry.settled_micros else "-",
                    format_micros(entry.fee_micros) if entry.fee_micros else "-",
                    short_hash(entry.tx_hash),
                    entry.block_number,
                    gas[entry.tx_hash],
                    f"{seconds[step.movement.order] * 1000:.0f} ms",
                )
            )
        self.display.table(
            ["member", "what", ">paid", ">fee", "transaction", ">block", ">gas", ">settled"],
            rows,
        )

    def _settling(self) -> dict[str, float]:
        """Returns the seconds from accepted to settled of each order, from the gateway's events."""
        moments: dict[str, dict[str, datetime]] = defaultdict(dict)
        for event in self.participants.auditor.events.list(page_size=200):
            if event.type in {"order.accepted", "order.settled"} and event.created_at is not None:
                moments[event.data["id"]][event.type] = event.created_at
        return {
            order: (at["order.settled"] - at["order.accepted"]).total_seconds()
            for order, at in moments.items()
            if len(at) == 2
        }

    def spend_and_give_back(self) -> None:
        """Spends points at another merchant's till by a member's code, and gives some back; both sides see all of it."""
        self.display.chapter("Another merchant's till: a code, a spend, a return")
        fuel, mart = self.client("FUEL"), self.client("MART")
        self.participants.accept("FUEL", "MART", 9_000)
        position = self._position(mart)
        code = fuel.members.create_code(ZHAO, points=800, program="FUEL")
        self.display.say("Zhao's app shows a code, good once for at most 800 FUEL: the supermarket takes 600 with it.")
        spend = mart.spends.create(
            program="FUEL", member_code=code.code, points=600, reference="till 9, 4711", wait=WAIT
        )
        again = _refused(lambda: mart.spends.create(program="FUEL", member_code=code.code, points=100))
        self.expect(again is not None and again.code == "member_code_invalid", "a code was good twice")
        steps = [
            Step("Zhao", "spends 600 FUEL at MART", spend),
            Step("Zhao", "returns goods for 200", mart.reversals.create(spend, points=200, wait=WAIT)),
            Step(
                "Chen",
                "gives Lin 50 FUEL",
                fuel.transfers.create(program="FUEL", member=CHEN, recipient=LIN, points=50, wait=WAIT),
            ),
        ]
        self._show_steps(steps)
        fee = steps[1].movement.settled().fee_micros  # whoever began the spend bears the fee of what comes back
        self.expect(
            self._position(mart) - position == 400 * 9_000 - fee, "the supermarket was not paid for exactly 400 points"
        )
        seen = {move.id for move in mart.movements.list(counterparty=self.participants["FUEL"].merchant)}
        self.expect({step.movement.id for step in steps[:2]} <= seen, "the supermarket does not see what it received")
        told = [event.type for event in fuel.events.list(type="spend.received")]
        told += [event.type for event in mart.events.list(type="spend.received")]
        self.expect(told == ["spend.received"], "the receiver of a spend was not told once")
        self.display.say(f"The code is used up. Both merchants see {len(seen)} movements between them, whole.")

    def _position(self, client: Client) -> int:
        return next(iter(client.positions.list())).position_micros

    # ---------------------------------------------------------------- what must not happen

    def retry(self) -> None:
        """Repeats a request whose answer was lost: one effect."""
        self.display.chapter("A retry with the same Idempotency-Key")
        before = self._points(LIN, "MART")
        key = "till-4-receipt-88231"
        first = self._exchange(LIN, "FUEL", "MART", 700, key)
        again = self._exchange(LIN, "FUEL", "MART", 700, key)
        gained = self._points(LIN, "MART") - before
        out = first.settled().out
        self.display.table(
            ["request", "answer", "transaction", ">Lin's MART"],
            [
                ("first", first.id, short_hash(first.settled().tx_hash), f"{before:,} → {before + out:,}"),
                ("again, same key", again.id, short_hash(again.settled().tx_hash), f"{before + gained:,}"),
            ],
        )
        self.expect(again == first, "the retry got another answer")
        self.expect(gained == out, "the retry moved points again")

    def refusals(self) -> None:
        """Tries what must be refused; nothing changes, and a deposit then lets the second attempt pass."""
        self.display.chapter("A refusal changes nothing")
        rows = []
        for what, code, attempt in (
            ("Chen redeems 900 VIP, has fewer", "insufficient_points", lambda: self._redeem(CHEN, "VIP", 900)),
            (
                "Lin: 300 VIP → CINE, VIP cannot pay",
                "insufficient_liquidity",
                lambda: self._exchange(LIN, "VIP", "CINE", 300),
            ),
        ):
            before = (self._positions(), self._all_points())
            refusal = _refused(attempt)
            same = before == (self._positions(), self._all_points())
            rows.append((what, refusal.code if refusal else "accepted!", refusal.detail if refusal else "", same))
            self.expect(refusal is not None and refusal.code == code, f"{what}: expected {code}")
            self.expect(same, f"{what}: something changed")
        self.display.table(["attempt", "code", "says", "unchanged"], rows)
        self.participants.deposit("VIP", yuan(100), "ICBC-20260415-VIP-2")
        self.display.say("The video platform deposits 100.00 at the settlement bank; the treasury confirms it. Then:")
        movement = self._exchange(LIN, "VIP", "CINE", 300)
        self._show_steps([Step("Lin", _summary(movement, self.participants), movement)])

    # ---------------------------------------------------------------- gas

    def hundred(self) -> None:
        """Compares one exchange alone with a hundred together."""
        self.display.chapter("An exchange alone, and a hundred in one batch")
        members = self._more_members(HUNDRED + 1)
        alone = self._exchange(members[0], "FUEL", "CINE", 20)
        with self._sequencer_stalled():
            self.display.say("The sequencer is stopped; the gateway still accepts orders. 100 members exchange points.")
            waiting = self._submit_all(members[1:])
        with self.display.progress("Settling", HUNDRED) as bar:
            orders = []
            for movement in waiting:
                orders.append(self.client("FUEL").exchanges.wait(movement, WAIT))
                bar.step()
        self.stalled |= {movement.order for movement in orders}
        together = self.client("FUEL").orders.create(
            [Exchange(member=m, source_program="FUEL", target_program="MART", points=20) for m in members[1:]],
            wait=WAIT,
        )
        rush = self._rush(members[1 : 1 + RUSH])
        rows = []
        for name, what, movements in (
            ("gas_per_exchange_alone", "an exchange alone", [alone]),
            ("gas_per_exchange_in_100_orders", "an exchange, 100 in a batch, own orders", orders),
            ("gas_per_exchange_in_order_of_100", "an exchange, 100 in a batch, one order", together.movements),
            ("gas_per_redemption_in_a_rush", "a redemption, four busy pumps", rush),
        ):
            transactions, gas = self._cost(movements)
            rows.append((what, len(movements), transactions, gas))
            self.display.figure(name, gas, "gas", what)
        self.display.table(["", ">entries", "transactions (blocks)", ">gas per entry"], rows)

    def _more_members(self, count: int) -> list[str]:
        """Registers new members of the gas station with 100 points each."""
        fuel = self.client("FUEL")
        with self.display.progress(f"{count} more members", count) as bar, ThreadPoolExecutor(4) as pool:

            def join(number: int) -> str:
                name = f"FC-{2000 + number}"
                member = fuel.members.create(external_id=name)
                self.members[member.id] = name
                bar.step(name)
                return f"external:{name}"

            members = list(pool.map(join, range(count)))
        fuel.orders.create([Issue(program="FUEL", member=m, points=100) for m in members], wait=WAIT).settled()
        return members

    def _submit_all(self, members: Sequence[str]) -> list[Movement]:
        """Submits an exchange for each member, in an order of its own, without waiting for the chain."""
        fuel = self.client("FUEL")
        with self.display.progress("Submitting 100 orders", len(members)) as bar, ThreadPoolExecutor(4) as pool:

            def exchange(member: str) -> Movement:
                found = fuel.exchanges.create(member=member, source_program="FUEL", target_program="CINE", points=20)
                bar.step(member)
                return found

            return list(pool.map(exchange, members))

    def _rush(self, members: Sequence[str]) -> list[Movement]:
        """Has four pumps redeem points at once, each for one customer after the other."""
        fuel = self.client("FUEL")
        with self.display.progress("Four pumps redeem points", len(members)) as bar, ThreadPoolExecutor(4) as pool:

            def redeem(member: str) -> Movement:
                found = fuel.redemptions.create(program="FUEL", member=member, points=5, wait=WAIT)
                bar.step(member)
                return found

            return list(pool.map(redeem, members))

    @contextmanager
    def _sequencer_stalled(self) -> Iterator[None]:
        """Stops the sequencer's process, but not while it writes to the database, which would block everyone else."""
        process = self.participants.network.children["sequencer"].process
        assert process is not None
        try:
            for _ in range(20):
                process.send_signal(signal.SIGSTOP)
                if self.participants.can_write():
                    break
                process.send_signal(signal.SIGCONT)
                time.sleep(0.05)
            else:
                raise TongduiError("nobody can write to the database while the sequencer is stopped")
            yield
        finally:
            process.send_signal(signal.SIGCONT)

    def _cost(self, movements: Sequence[Movement]) -> tuple[str, int]:
        """Returns how many transactions in which blocks, and the gas per movement, from the chain's receipts."""
        if not movements:
            return "none", 0
        entries = [movement.settled() for movement in movements]
        gas = self.node.gas_used(entry.tx_hash for entry in entries)
        blocks = [entry.block_number for entry in entries]
        first, last = min(blocks), max(blocks)
        return f"{len(gas)} ({first}{f' to {last}' if last > first else ''})", sum(gas.values()) // len(entries)

    # ---------------------------------------------------------------- who has what

    def balances(self) -> None:
        """Shows the members' points, and the merchants' positions before and after."""
        self.display.chapter("Who has what")
        rows = []
        for name, member in self._ids().items():
            accounts = {a.program: a for a in self.participants.auditor.members.accounts(member)}
            rows.append(
                (name, *(accounts[code].posted if code in accounts else 0 for code in self.participants.parties))
            )
        self.display.table(["member", *(f">{code}" for code in self.participants.parties)], rows)
        after = self._positions()
        total = [sum(p.position_micros for p in some.values()) for some in (self.before, after)]
        self.display.table(
            ["merchant", ">position before", ">after", ">change", ">can still pay"],
            [
                (
                    self.participants.merchant_name(self._number(merchant)),
                    format_micros(self.before[merchant].position_micros),
                    format_micros(now.position_micros),
                    format_micros(now.position_micros - self.before[merchant].position_micros),
                    format_micros(now.liquidity_micros),
                )
                for merchant, now in after.items()
            ],
            footer=("all", format_micros(total[0]), format_micros(total[1]), format_micros(total[1] - total[0]), ""),
        )
        self.display.say("All positions together changed by the deposit: 100.00.")

    # ---------------------------------------------------------------- proofs

    def receipts(self) -> list[Receipt]:
        """Verifies every entry's receipt against the chain alone, and shows that a forged one fails."""
        self.display.chapter("Receipts, verified against the chain without the gateway")
        leaves = [entry.leaf for entry in self.participants.auditor.entries.list(page_size=200)]
        found = []
        with self.display.progress("Fetching receipts from the gateway", len(leaves)) as bar:
            for leaf in leaves:
                found.append(self.participants.auditor.entries.receipt(leaf))
                bar.step()
        kept = _KeptTransport()
        verified = 0
        with self.display.progress("Verifying them against the chain", len(found)) as bar:
            for receipt in found:
                try:
                    self._verify(receipt, kept)
                    verified += 1
                except VerificationError as error:
                    self.expect(False, f"receipt {receipt.leaf}: {error}")
                bar.step()
        forged = found[0].model_copy(
            update={"entry": found[0].entry.model_copy(update={"points": found[0].entry.points + 1})}
        )
        try:
            self._verify(forged, kept)
            failed_check = ""
        except VerificationError as error:
            failed_check = error.check
        kept.really_close()
        self.display.say(
            f"{verified} of {len(found)} receipts are valid. One with a point added by hand fails (check: {failed_check})."
        )
        self.expect(failed_check == "leaf", "a forged receipt passed")
        self.display.figure("receipts_verified", verified, "receipts", "receipts verified against the chain")
        with tempfile.TemporaryDirectory() as directory:  # a receipt is a file that anyone can check years later
            path = found[0].save(Path(directory) / "receipt.json")
            self._verify(Receipt.load(path), _KeptTransport())
        return found

    def _verify(self, receipt: Receipt, transport: httpx.BaseTransport) -> None:
        network = self.participants.network
        receipt.verify(
            rpc_url=network.rpc_url,
            contract=network.settings.contract,
            chain_id=network.settings.chain_id,
            transport=transport,
        )

    def audit(self, receipts: Sequence[Receipt]) -> None:
        """Lets the auditor's kit prove everything from the chain alone, and compares what it found with the gateway."""
        self.display.chapter("The audit: everything proven from the chain alone, compared with the gateway")
        network = self.participants.network
        with self.display.waiting("tongdui audit run"):
            outcome = audit(Options((network.rpc_url,), network.settings.contract.lower(), workers=0), lambda _: None)
        for finding in outcome.findings:
            self.expect(False, f"{finding.rule}: {finding.subject}: expected {finding.expected}, found {finding.found}")
        figures = outcome.report.figures
        posted, reserved = self._posted()
        gateway = {self._number(p.merchant): p.position_micros for p in self._positions().values()}
        entries = {row.what: row.count for row in figures.counts}["entries"]
        rows = [
            *(
                self._compared(f"{row.code}: points in circulation", row.outstanding, posted[row.code], _points)
                for row in figures.programs
            ),
            self._compared("points still reserved", 0, reserved, str),
            *(
                self._compared(f"{row.name}: position", row.position_micros, gateway.get(row.merchant), _money)
                for row in figures.merchants
            ),
            self._compared("entries, each with a valid receipt", entries, len({r.leaf for r in receipts}), str),
        ]
        self.display.table(["", ">proven from the chain", "the gateway says", ""], rows)
        if outcome.holds:
            self.display.say("All holds. `tongdui audit run` writes all of it as a page.")

    def _compared(
        self, subject: str, proven: int, said: int | None, form: Callable[[object], str]
    ) -> tuple[object, ...]:
        """Makes a row: whether the gateway says what is proven."""
        self.expect(said == proven, f"{subject}: expected {proven}, found {said}")
        return subject, form(proven), "the same" if said == proven else form(said), said == proven

    def _posted(self) -> tuple[Counter[str], int]:
        """Returns the points by program over all members, as the gateway knows them, and the reserved points."""
        posted: Counter[str] = Counter()
        reserved = 0
        with self.display.progress("Asking the gateway for every balance", len(self.members)) as bar:
            for member, name in self.members.items():
                for account in self.participants.auditor.members.accounts(member):
                    posted[account.program] += account.posted
                    reserved += account.reserved
                bar.step(name)
        return posted, reserved

    # ---------------------------------------------------------------- the end

    def figures(self) -> None:
        """Shows what was measured."""
        self.display.chapter("Figures")
        seconds = [value for order, value in self._settling().items() if order not in self.stalled]
        for share in (0.5, 0.99):
            name = f"p{share * 100:.0f}"
            milliseconds = round(percentile(seconds, share) * 1000)
            what = f"from accepted to settled, {name} of {len(seconds)} orders"
            self.display.figure(f"accepted_to_settled_{name}", milliseconds, "ms", what)
        self.display.show_figures()

    # ---------------------------------------------------------------- asking

    def _ids(self) -> dict[str, str]:
        return {name: self.client("FUEL").members.get(member).id for member, name in NAMES.items()}

    def _points(self, member: str, code: str) -> int:
        accounts = self.client("FUEL").members.get(member)
        found = self.participants.auditor.members.accounts(accounts.id)
        return next((account.posted for account in found if account.program == code), 0)

    def _all_points(self) -> list[object]:
        return [list(self.participants.auditor.members.accounts(member)) for member in self._ids().values()]

    def _positions(self) -> dict[str, Position]:
        return {position.merchant: position for position in self.participants.auditor.positions.list()}

    def _number(self, merchant: str) -> int:
        return next((p.merchant.number for p in self.participants.parties.values() if p.merchant.id == merchant), 0)


@contextmanager
def _sheet(name: str) -> Iterator[TillSheet]:
    """Reads a file of the demo as if its days were the last ones: points live from the day of the sale."""
    text = (DATA / name).read_text()
    for ago, day in enumerate(SAMPLE_DAYS, start=1):
        text = text.replace(day, f"{datetime.now(TILL_ZONE).date() - timedelta(days=ago)}")
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / name
        path.write_text(text)
        with read_till(path) as sheet:
            yield sheet


def _summary(movement: Movement, participants: Participants) -> str:
    """Describes a settled movement in a few words."""
    entry = movement.settled()
    match movement.object:
        case "exchange":
            target = next(a.target_program for a in participants.agreements.values() if a.id == movement.agreement)
            return f"{entry.points:,} {movement.program} → {entry.out:,} {target}"
        case "issuance":
            return f"gets {entry.points:,} {movement.program}"
        case _:
            return f"redeems {entry.points:,} {movement.program}"


def _refused(attempt: Callable[[], object]) -> APIError | None:
    try:
        attempt()
    except APIError as error:
        return error
    return None


def _where(logs: Iterable[Log], wanted: int) -> tuple[str, int | str]:
    """Returns transaction and block of the event whose first topic is this number."""
    found = next((log for log in logs if number(log.topics[0]) == wanted), None)
    return (short_hash(found.tx_hash), found.block_number) if found else ("missing", "missing")


def _points(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _money(value: object) -> str:
    return format_micros(value) if isinstance(value, int) else str(value)


class _KeptTransport(httpx.HTTPTransport):
    """A connection that outlives the client that uses it."""

    def __init__(self) -> None:
        super().__init__(verify=False)  # plain HTTP on this machine

    def close(self) -> None:
        """Stays open for the next receipt."""

    def really_close(self) -> None:
        """Closes it."""
        super().close()
