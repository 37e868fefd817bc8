"""Kill an import anywhere and run it again, or run it twice at once: nothing is lost, and nothing happens twice."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.till import DAY, Till, new_till
from tests.e2e.witness import WAIT, Witness
from tests.support.nightly import by_day
from tongdui.encoding import hex_of

pytestmark = pytest.mark.timeout(900)

_SALES = 120
_CUSTOMERS = 12
_IMPORT = """
import os, sys
import httpx
from tongdui import Client, LocalSigner
from tongdui.till import TillImport, _import, _takeback, read_till

# Small orders and pages, so that there are many places to stop at.
_import.ORDER_SIZE, _import.PAGE, _takeback.REVERSALS = 7, 20, 5

class Talking(httpx.HTTPTransport):
    def handle_request(self, request):
        print("asking", request.method, request.url.path, flush=True)
        response = super().handle_request(request)
        print("answered", response.status_code, flush=True)
        return response

signer = LocalSigner(os.environ["TEST_SIGNER"])
options = {"signer": signer, "max_retries": 8, "transport": Talking()}
with Client(os.environ["TEST_URL"], os.environ["TEST_KEY"], **options) as client, read_till(sys.argv[1]) as sheet:
    result = TillImport(client, "FUEL", reverse=True).run(sheet)
print("result", result.document(), flush=True)
sys.exit(1 if result.needs_attention else 0)
"""


@pytest.fixture
def till(witness: Witness, tmp_path: Path) -> Till:
    return new_till(witness, tmp_path)


class Day:
    """A first file, and a second one in which some sales are new, some worth less, and some come back."""

    def __init__(self, till: Till, dice: random.Random) -> None:
        self.points: dict[str, int] = {}
        """What each sale is worth in the end."""
        self.balances: Counter[int] = Counter()
        self.first: list[str] = []
        self.second: list[str] = []
        self.reversals: dict[str, int] = {}
        """Points by the reference without its number at the end."""
        for number in range(_SALES):
            self._sale(till, number, dice)

    def _sale(self, till: Till, number: int, dice: random.Random) -> None:
        customer, pieces, price = number % _CUSTOMERS + 1, dice.randint(2, 9), dice.randint(1, 40)

        def row(sale: str, pieces: int, minute: int = number) -> str:
            # Each sale has an article of its own, so it is plain which one a return takes back.
            amount, article = f"{pieces * price}.00", f"Tea {number}"
            return till.tea(sale, amount, quantity=str(pieces), customer=customer, time=_time(minute), article=article)

        worth, name = 2 * pieces * price, str(number)
        fate = dice.choice(["stays", "is new", "is worth less", "comes back", "is voided"])
        self.points[_reference(till, name)] = worth
        if fate != "is new":
            self.first.append(row(name, pieces))
        if fate == "is worth less":
            self.second.append(row(name, 1))
            self.reversals[_reference(till, name)] = worth - 2 * price
        else:
            self.second.append(row(name, pieces))
        if fate == "is voided":
            self.second.append(row(name, -pieces))
            self.reversals[_reference(till, name)] = worth
        if fate == "comes back":
            self.second.append(row(f"R{number}", -1, number + 600))
            self.reversals[_reference(till, f"R{number}")] = 2 * price
        given_back = sum(self.reversals.get(_reference(till, key), 0) for key in (name, f"R{number}"))
        self.balances[customer] += worth - given_back


def _time(minute: int) -> str:
    return f"{6 + minute // 60:02d}:{minute % 60:02d}:00"


def _reference(till: Till, number: str) -> str:
    return f"till:{DAY}:{till.name}-{number}"


def _start(till: Till, path: Path) -> subprocess.Popen[str]:
    party = till.witness.fuel
    environment = {
        "TEST_URL": till.witness.network.url,
        "TEST_KEY": party.api_key,
        "TEST_SIGNER": hex_of(party.signer._key),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", _IMPORT, str(path)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def _kill(process: subprocess.Popen[str], dice: random.Random) -> str | None:
    """Kill a process at a random request or answer, or while it sends an order. Returns where; None if it ended before."""
    assert process.stdout is not None
    what, times = dice.choice([("", dice.randint(1, 80)), ("asking POST /v1/orders", dice.randint(1, 4))])
    while times:
        line = process.stdout.readline()
        if not line:
            process.communicate()
            return None
        times -= what in line
    time.sleep(dice.choice([0, dice.uniform(0, 0.05)]))
    process.kill()
    process.communicate()
    return line.partition("_")[0].strip()


def _check(till: Till, day: Day) -> None:
    issued = list(till.issuances())
    assert {str(found.reference): found.points for found in issued} == day.points
    assert len(issued) == len(day.points), "a sale was issued twice"
    taken: Counter[str] = Counter()
    for found in till.reversals():
        assert found.is_settled
        taken[str(found.reference).rpartition("~")[0]] += found.points
    assert dict(taken) == day.reversals
    assert {customer: till.points(customer) for customer in day.balances} == dict(day.balances)


def test_an_import_that_is_killed_anywhere_is_made_good_by_running_it_again(till: Till) -> None:
    seed = int(os.environ.get("TONGDUI_TEST_SEED") or random.SystemRandom().randrange(10**6))
    print(f"seed {seed}: set TONGDUI_TEST_SEED to repeat it")
    dice = random.Random(seed)
    day = Day(till, dice)
    kills: list[str] = []
    for rows in (day.first, day.second):
        path = till.file(rows)
        for _ in range(by_day(4, at_night=12)):
            place = _kill(_start(till, path), dice)
            if place is None:
                break
            kills.append(place)
        process = _start(till, path)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output[-3000:]
    print(f"killed {len(kills)} times: {Counter(kills)}")
    assert kills
    _check(till, day)


def test_two_imports_at_the_same_time_do_everything_once(till: Till) -> None:
    day = Day(till, random.Random(9))
    for rows in (day.first, day.second):
        path = till.file(rows)
        for process in [_start(till, path) for _ in range(3)]:
            output, _ = process.communicate(timeout=300)
            assert "Traceback" not in output, output[-3000:]
        last = _start(till, path)
        output, _ = last.communicate(timeout=300)
        assert last.returncode == 0, output[-3000:]
    _check(till, day)


def test_two_imports_that_take_back_what_is_owed_take_it_once(till: Till) -> None:
    """Both see the same debt and the same balance; the reference lets only one of them take each instalment."""
    client = till.witness.fuel.client
    till.run(*(till.row(str(n), "100.00", time=_time(n), customer=n) for n in range(1, 7)))
    for number in range(1, 7):
        member = f"external:{till.customer(number)}"
        client.redemptions.create(program="FUEL", member=member, points=10 * number, wait=WAIT).settled()
    path = till.file(till.row(f"R{n}", "-100.00", quantity="-10", time="18:00:00", customer=n) for n in range(1, 7))
    for process in [_start(till, path) for _ in range(2)]:
        output, _ = process.communicate(timeout=300)
        assert "Traceback" not in output, output[-3000:]
    assert sorted(found.points for found in till.reversals()) == [40, 50, 60, 70, 80, 90]
    assert {till.points(number) for number in range(1, 7)} == {0}
