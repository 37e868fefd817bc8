"""The programs of docs/examples run as their page says, on a network of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from clearing.runtime.embedded.ports import free_port
from tests.gateway.site import until
from tests.support.qr_codes import scanned
from tongdui import Client, LocalSigner, testing

pytestmark = pytest.mark.timeout(900)
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


class Stage:
    """A network with the examples' merchants on board, and a directory for each of them."""

    def __init__(self, network: testing.Network, directory: Path) -> None:
        self.network = network
        self.directory = directory
        self._environment = {
            **os.environ,
            "TONGDUI_HOME": str(network.directory),
            "TONGDUI_URL": network.url,
            "TONGDUI_RPC_URL": network.rpc_url,
            "VIDEO_PORT": str(free_port()),
        }

    def environment(self, merchant: str) -> dict[str, str]:
        """The environment in which a merchant runs its program: what its file exports."""
        file = self.network.directory / "examples" / f"{merchant}.env"
        lines = file.read_text().splitlines() if file.exists() else []
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines)
        return {**self._environment, **{name: value.strip("'") for name, value in pairs}}

    def home(self, merchant: str) -> Path:
        """Where the merchant's program runs."""
        home = self.directory / merchant
        home.mkdir(exist_ok=True)
        return home

    def run(self, merchant: str, *arguments: str, program: str | None = None, status: int = 0) -> str:
        """Runs a merchant's program to its end; what it printed. The program is called like the merchant, or `program`."""
        done = subprocess.run(
            [sys.executable, str(EXAMPLES / f"{program or merchant}.py"), *arguments],
            cwd=self.home(merchant),
            env=self.environment(merchant),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout.strip()

    def start(self, merchant: str, *arguments: str) -> subprocess.Popen[str]:
        """Starts a program that does not end by itself. What it prints goes into its `output.log`."""
        with (self.home(merchant) / "output.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, str(EXAMPLES / f"{merchant}.py"), *arguments],
                cwd=self.home(merchant),
                env=self.environment(merchant),
                stdout=log,
                stderr=log,
                text=True,
            )

    def printed(self, merchant: str) -> str:
        """What a started program has printed so far."""
        return (self.home(merchant) / "output.log").read_text()

    @cached_property
    def station(self) -> Client:
        """The gas station, without starting its program each time."""
        mine = self.environment("station")
        signer = LocalSigner.from_keystore(mine["TONGDUI_KEYSTORE"], mine["TONGDUI_KEYSTORE_PASSWORD"])
        return Client(mine["TONGDUI_URL"], mine["TONGDUI_API_KEY"], signer=signer)

    def issue(self, card: str, points: int) -> None:
        """Points for a member of the gas station."""
        self.station.members.create(external_id=card)
        member = f"external:{card}"
        self.station.issuances.create(program="FUEL", member=member, points=points, wait=60).settled()

    def link_code(self, card: str) -> str:
        """A code with which another merchant registers the member."""
        return self.station.members.create_link_code(f"external:{card}").code

    def code(self, card: str, points: int) -> str:
        """A code with which another merchant takes the member's points."""
        return str(self.station.members.create_code(f"external:{card}", points=points).code)

    def points(self, card: str) -> dict[str, int]:
        """A member's points of each program."""
        accounts = self.station.members.accounts(f"external:{card}")
        return {account.program: account.available for account in accounts}

    def position(self, name: str) -> int:
        """A merchant's position in micros."""
        merchant = next(m for m in self.network.operator.merchants.list() if m.name == name)
        return self.network.operator.positions.get(merchant.id).position_micros


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with testing.network(tmp_path_factory.mktemp("network")) as network:
        stage = Stage(network, tmp_path_factory.mktemp("merchants"))
        assert "on board" in stage.run("onboard")
        yield stage
        stage.station.close()


def test_the_stations_app_gives_points_and_codes_for_them(stage: Stage) -> None:
    assert stage.run("station", "issue", "A-0", "1000") == "1000 FUEL for A-0"
    code = stage.run("station", "code", "A-0", "1000")
    payload = scanned((stage.home("station") / "code.svg").read_text())
    assert payload == "tongdui:code:" + code.replace("-", "")
    assert "start the brushes" in stage.run("car_wash", "wash", "16", payload), "the wash scans it off the screen"
    assert stage.run("station", "balance", "A-0") == "0 FUEL"


def test_the_cinema_sells_a_ticket_for_another_programs_points(stage: Stage) -> None:
    stage.issue("A-1", 300)
    stage.run("cinema", "join", "C-1", stage.run("station", "link", "A-1"))
    before = stage.position("Cinema")
    ticket = stage.run("cinema", "ticket", "C-1", stage.code("A-1", 100))
    assert "100 FUEL in, 90 CINE redeemed" in ticket
    assert "received 0.81 CNY" in ticket
    assert stage.points("A-1") == {"FUEL": 200}, "the CINE went into the ticket"
    assert stage.position("Cinema") - before == 810_000
    (received,) = [line for line in stage.run("cinema", "received").splitlines() if "exchange" in line]
    assert "100 FUEL gave 90 CINE to C-1 and 0.81 CNY to us, proven" in received


def test_with_too_few_points_there_is_no_ticket_and_nothing_moves(stage: Stage) -> None:
    stage.issue("A-2", 99)
    stage.run("cinema", "join", "C-2", stage.link_code("A-2"))
    assert "no ticket" in stage.run("cinema", "ticket", "C-2", stage.code("A-2", 100), status=1)
    assert stage.points("A-2") == {"FUEL": 99}


def test_the_car_wash_takes_points_by_code_and_gives_them_back(stage: Stage) -> None:
    stage.issue("A-3", 2_000)
    before = stage.position("Sparkle Wash")
    code = stage.code("A-3", 1_000)
    assert "1000 FUEL taken, 9.00 CNY received" in stage.run("car_wash", "wash", "17", code)
    assert stage.position("Sparkle Wash") - before == 9_000_000
    assert "sale 17 is paid already" in stage.run("car_wash", "wash", "17", code)
    assert "used already" in stage.run("car_wash", "wash", "18", code, status=1)
    assert "400 FUEL given back, 3.60 CNY returned" in stage.run("car_wash", "refund", "17", "400")
    assert stage.points("A-3")["FUEL"] == 1_400
    assert "no refund" in stage.run("car_wash", "refund", "17", "601", status=1)
    assert "600 FUEL given back" in stage.run("car_wash", "refund", "17")
    assert stage.points("A-3")["FUEL"] == 2_000
    assert stage.position("Sparkle Wash") == before


def test_the_video_platform_turns_an_exchange_into_a_month_or_undoes_it(stage: Stage) -> None:
    for number in ("5", "6"):
        stage.issue(f"A-{number}", 2_000)
        stage.run("video_platform", "join", f"V-{number}", stage.link_code(f"A-{number}"))
    stage.run("video_platform", "close", "V-6")
    serving = stage.start("video_platform", "serve")
    try:
        until(lambda: "waiting at" in stage.printed("video_platform"))
        for card in ("A-5", "A-6"):
            assert "1000 FUEL became 500 VIDEO" in stage.run("station", "exchange", card, "1000", "VIDEO")
        until(lambda: "a month for V-5, 500 VIDEO redeemed" in stage.printed("video_platform"))
        until(lambda: "no month for V-6, 1000 FUEL given back" in stage.printed("video_platform"))
    finally:
        serving.terminate()
        serving.wait(30)
    assert json.loads(stage.run("video_platform", "months")) == {"V-5": 1}
    assert stage.points("A-5") == {"FUEL": 1_000, "VIDEO": 0}
    assert stage.points("A-6") == {"FUEL": 2_000, "VIDEO": 0}


HEADER = "time,sale number,customer,article,quantity,unit,amount"


DAYS = EXAMPLES.parents[1] / "scripts" / "demo" / "data"


def test_the_gas_station_imports_the_day_that_its_page_names(stage: Stage) -> None:
    def night(file: str) -> list[str]:
        return stage.run("station", "night", str(DAYS / file), program="gas_station").splitlines()

    assert night("fuel_day_before.csv") == ["2 sales issued for 758 FUEL, 0 were issued before"]
    first, *returns = night("fuel_day.csv")
    assert first == "165 sales issued for 56192 FUEL, 0 were issued before"
    assert sorted(returns) == [
        "4 FUEL taken back for return R500902",
        "536 FUEL taken back for return R500903",
        "59 FUEL taken back for return R500901",  # 558.80 gave 558, and 499.00 are left
    ]
    assert night("fuel_day.csv") == ["0 sales issued for 0 FUEL, 165 were issued before"]
    paid = stage.run("station", "pump", "17", "FC-1011", "2", "1.35", program="gas_station")
    assert "1.35 litres: 135 FUEL taken, 65 are free again" in paid


def test_the_gas_station_imports_its_till_holds_points_at_the_pump_and_takes_a_return_back(stage: Stage) -> None:
    """A day's file, a filling paid with points, and the return of goods whose points are partly spent."""
    yesterday = (datetime.now(ZoneInfo("Asia/Shanghai")) - timedelta(days=1)).strftime("%Y-%m-%d")
    sales = [
        f"{yesterday} 08:00:00,0001,A-7,95#,32.10,L,262.26",
        f"{yesterday} 08:00:00,0001,,Engine oil,1,pcs,268.00",
        f"{yesterday} 08:05:00,0002,A-7,Tea,x,pcs,5.00",
    ]
    back = f"{yesterday} 19:00:00,R1,A-7,Engine oil,-1,pcs,-268.00"

    def night(*rows: str, status: int) -> str:
        (stage.home("station") / "day.csv").write_text("\n".join((HEADER, *rows)) + "\n")
        return stage.run("station", "night", "day.csv", program="gas_station", status=status)

    def pump(filling: str, most: str, drawn: str, status: int = 0) -> str:
        return stage.run("station", "pump", filling, "A-7", most, drawn, program="gas_station", status=status)

    first = night(*sales, status=1)
    assert "1 sales issued for 798 FUEL, 0 were issued before" in first
    assert "day.csv:4: quantity" in first, "the row that cannot be read is named"
    sales[2] = sales[2].replace("x", "1")
    assert "1 sales issued for 10 FUEL, 1 were issued before" in night(*sales, status=0)
    assert stage.points("A-7")["FUEL"] == 808

    assert "800 FUEL held: the pump is free for 8 litres" in (filled := pump("27", "8", "3.129"))
    assert "312 FUEL taken, 488 are free again" in filled
    assert "filling 27 is paid already" in pump("27", "4", "3.129")
    assert "nothing drawn, nothing taken" in pump("28", "4", "0")
    assert "the pump stays locked" in pump("29", "5", "1", status=1)
    assert stage.points("A-7")["FUEL"] == 496

    # The oil gave 536 points, of which 496 are left. The rest is owed until the member has earned it again.
    returned = night(back, status=1)
    assert "496 FUEL taken back for return R1" in returned
    assert "40 FUEL owed for return R1" in returned
    assert stage.points("A-7")["FUEL"] == 0
    stage.issue("A-7", 100)
    assert "40 FUEL taken back for return R1" in night(back, status=0)
    assert stage.points("A-7")["FUEL"] == 60
    assert "taken back" not in night(*sales, back, status=0), "and never again"
    assert stage.points("A-7")["FUEL"] == 60


def test_a_second_run_of_the_onboarding_changes_nothing(stage: Stage) -> None:
    merchants = len(list(stage.network.operator.merchants.list()))
    stage.run("onboard", status=1)
    assert len(list(stage.network.operator.merchants.list())) == merchants
