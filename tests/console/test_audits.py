"""Audits in the console: asked for by an auditor, watched, cancelled, resumed after the console was killed, and read. The audit is
the real command, and asks the network's real node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from console.audit_jobs.files import CANCEL, STATE, write_json
from console.audit_jobs.runs import Busy, Run, Runs
from console.settings import load_settings, mistakes_of
from console.visit import LANGUAGE_COOKIE
from scripts.dev.services import free_port
from tests.console.lossy import way_to
from tests.console.sending import opened
from tests.console.served import served
from tests.console.site import Person, Site
from tests.gateway.site import until
from tongdui import yuan

CENT = yuan("0.01")
_PATIENCE = 120
AS_IT_IS = {"nodes": "0", "language": "en"}


def begun(http: httpx.Client, **values: str) -> str:
    """Begins an audit with the form as it is offered; the path of its page."""
    page = opened(http, "/audits/new")
    answer = page.send("/audits/new", **AS_IT_IS, contract=page.value("contract"), **values)
    return answer.leads_to


def bank_file(site: Site, wrong: str) -> bytes:
    """The bank's statement of all that is booked, with a cent more in the line of this reference."""
    today, treasury = site.operator.network.get().today, site.treasury
    booked = [(1, one) for one in treasury.deposits.list()] + [(-1, one) for one in treasury.withdrawals.list()]
    lines = ["Tag;Ref;Betrag"]
    for sign, one in booked:
        micros = sign * one.micros + (CENT if one.bank_reference == wrong else 0)
        lines.append(f"{today};{one.bank_reference};{Decimal(micros) / yuan(1):f}")
    return "\n".join([*lines, ""]).encode()


def ended(directory: Path, path: str) -> Run:
    """The audit of this page when it does not run any more."""
    runs = Runs(directory, 20)

    def found() -> Run | None:
        run = runs.get(path.rpartition("/")[2])
        return run if run is not None and not run.is_running else None

    run = until(found, _PATIENCE)
    assert run is not None
    return run


@pytest.fixture(scope="module")
def audited(site: Site) -> tuple[str, Run]:
    """The page of an audit of the whole network, as it has ended, and what is kept of it."""
    with site.http(site.seats["auditor"]) as http:
        path = begun(http)
    return path, ended(site.network.directory / "audits", path)


def test_an_auditor_reads_what_an_audit_of_the_network_has_found(
    site: Site, audited: tuple[str, Run], someone: Callable[..., Person]
) -> None:
    path, run = audited
    assert (run.state, run.messages) == ("holds", ())
    for language, width in (("zh", "phone"), ("en", "desktop")):
        auditor = someone("auditor", language=language, width=width)
        auditor.open(path)
        auditor.check("audits-one-done")
        auditor.open("/audits")
        assert auditor.page.locator(f"#row-{run.id} .state-good").count() == 1
        auditor.check("audits-list")
    with site.http(site.seats["operator"]) as http:
        page = http.get(path).raise_for_status().text
        assert "All that was checked holds" in page
        report = http.get(f"{path}/files/report.html").raise_for_status()
        assert report.headers["content-type"] == "text/html; charset=utf-8"
        policy = report.headers["content-security-policy"].split("; ")
        assert "sandbox" in policy
        assert "script-src 'none'" in policy
        assert "default-src 'none'" in policy
        document = http.get(f"{path}/files/report.json").raise_for_status().json()
        assert document["findings"] == []
        assert document["scope"]["contract"] == site.operator.network.get().contract.lower()
        for name in run.tables:
            table = http.get(f"{path}/files/{name}").raise_for_status()
            assert table.headers["content-type"] == "text/csv; charset=utf-8"
        for name in ("asked.json", "state.json", "..%2fasked.json", "state.sqlite", "no_such.csv", "bank.csv"):
            assert http.get(f"{path}/files/{name}").status_code == 404, name


def test_the_report_opens_and_can_run_nothing(
    site: Site, audited: tuple[str, Run], someone: Callable[..., Person]
) -> None:
    auditor = someone("auditor", language="en")
    auditor.open(f"{audited[0]}/files/report.html")
    assert "127.0.0.1" in auditor.page.url
    auditor.picture("audits-report")


def test_nobody_but_auditors_and_the_operator_sees_an_audit_or_its_report(site: Site, audited: tuple[str, Run]) -> None:
    path, _ = audited
    for seat in ("treasury", "merchant:admin", "merchant:accountant"):
        with site.http(site.seats[seat]) as http:
            for address in (path, f"{path}/files/report.html", f"{path}/files/report.json"):
                assert http.get(address).status_code in (403, 404), (seat, address)
    with site.http() as http:
        assert http.get(f"{path}/files/report.json").headers["location"].startswith("/sign-in")


def test_the_form_offers_only_the_nodes_that_the_settings_name(site: Site) -> None:
    with site.http(site.seats["auditor"]) as http:
        for node in ("http://169.254.169.254/", "1", "-1", ""):
            page = opened(http, "/audits/new")
            answer = page.send("/audits/new", **{**AS_IT_IS, "nodes": node}, contract=page.value("contract"))
            assert answer.status == 422
            assert answer.error("nodes")
        page = opened(http, "/audits/new")
        answer = page.send("/audits/new", **AS_IT_IS, contract="--rpc=http://169.254.169.254/")
        assert "0x and 40 digits" in answer.error("contract")
        answer = page.send("/audits/new", **AS_IT_IS, contract=page.value("contract"), last_day="2030-01-01")
        assert answer.error("last_day") == "This day is not over yet."


def test_what_does_not_hold_stands_on_the_page(site: Site, someone: Callable[..., Person]) -> None:
    with site.http(site.seats["auditor"]) as http:
        page = opened(http, "/audits/new")
        sent = {**page.values("/audits/new"), **AS_IT_IS, "contract": page.value("contract")}
        columns = "day=Tag\nreference=Ref\namount=Betrag"
        files = {"bank": ("statement.csv", bank_file(site, "ICBC-MART"), "text/csv")}
        answer = http.post("/audits/new", data={**sent, "bank_columns": columns}, files=files)
        run = ended(site.network.directory / "audits", answer.headers["location"])
    assert (run.state, run.messages) == ("findings", ())
    auditor = someone("auditor", language="zh", width="phone")
    auditor.open(f"/audits/{run.id}")
    assert "bank.amount" in auditor.page.locator("#finding-1").inner_text()
    assert auditor.page.locator("[id^=finding-]").count() == 1
    auditor.check("audits-one-findings")


def test_an_audit_that_cannot_be_made_says_why(site: Site) -> None:
    with site.http(site.seats["auditor"]) as http:
        page = opened(http, "/audits/new")
        path = page.send("/audits/new", **AS_IT_IS, contract="0x" + "12" * 20).leads_to
        run = ended(site.network.directory / "audits", path)
        assert run.state == "unchecked"
        text = http.get(path).text
        assert "could not be made" in text
        assert "0x1212" in "".join(run.messages), run.messages
        assert opened(http, path).send(f"{path}/remove").leads_to == "/audits"
        assert http.get(path).status_code == 404
        assert not run.directory.exists()


# -------------------------------------------------------------------- consoles that die


def signed_in_at(site: Site, url: str) -> httpx.Client:
    """The auditor at another console."""
    cookies = {site.cookie: site.seats["auditor"], LANGUAGE_COOKIE: "en"}
    return httpx.Client(base_url=url, cookies=cookies, timeout=60)


class OwnConsole:
    """A console in a process of its own, whose audits ask this node."""

    def __init__(self, site: Site, directory: Path, node: str) -> None:
        self.site, self.directory = site, directory
        self.port = free_port()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")} | {
            "TONGDUI_CONSOLE_GATEWAY_URL": site.network.url,
            "TONGDUI_CONSOLE_PORT": str(self.port),
            "TONGDUI_CONSOLE_AUDIT_NODES": node,
            "TONGDUI_CONSOLE_AUDIT_DIRECTORY": str(directory),
        }
        self.process = subprocess.Popen([sys.executable, "-m", "console"], env=environment)

    @contextmanager
    def auditor(self) -> Iterator[httpx.Client]:
        with signed_in_at(self.site, f"http://127.0.0.1:{self.port}") as http:
            until(lambda: self._answers(http), _PATIENCE)
            yield http

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    @staticmethod
    def _answers(http: httpx.Client) -> bool:
        try:
            return http.get("/healthz").is_success
        except httpx.TransportError:
            return False


def test_an_audit_stops_with_a_console_that_is_killed_and_another_one_lets_it_go_on(site: Site, tmp_path: Path) -> None:
    directory = tmp_path / "audits"
    with way_to(site.network.rpc_url) as node:
        node.goes_on.clear()  # so that the audit runs until it is let on, however fast the machine is
        first = OwnConsole(site, directory, node.url)
        try:
            with first.auditor() as http:
                page = opened(http, "/audits/new")
                values = {**AS_IT_IS, "contract": page.value("contract")}
                path = page.send("/audits/new", **values).leads_to
                assert page.send("/audits/new", **values).leads_to == path, "sent twice, it is one audit"
                refused = opened(http, "/audits/new").send("/audits/new", **values)
                assert "An audit is running already" in refused.text
                own = opened(http, path).values(f"{path}/cancel")
                assert http.post(f"{path}/remove", data=own).headers["location"] == path
                assert directory.joinpath(path.rpartition("/")[2]).is_dir(), "what runs is not forgotten"
        finally:
            first.kill()
        assert ended(directory, path).state == "stopped"
        with (
            served(site.network.url, audit_nodes=node.url, audit_directory=directory) as url,
            signed_in_at(site, url) as http,
        ):
            shown = opened(http, path)
            assert "The audit stopped with the console" in shown.text
            assert shown.send(f"{path}/resume").leads_to == path
            assert opened(http, path).send(f"{path}/cancel").leads_to == path
            assert ended(directory, path).state == "cancelled"
            node.goes_on.set()
            opened(http, path).send(f"{path}/resume")
            run = ended(directory, path)
            assert (run.state, run.attempts) == ("holds", 3)


# -------------------------------------------------------------------- what is kept


def test_the_oldest_audits_are_forgotten_and_only_one_runs(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "audits", most=2)
    asked = {"nodes": ["http://127.0.0.1:1"], "by": "x", "bank": None}
    made = [runs.create(f"key-{number}", asked, None) for number in range(4)]
    assert runs.create("key-3", asked, None) == made[3], "the same key is the same audit"
    kept = {run.id for run in runs.list()}
    assert made[3] in kept
    assert len(kept) == 2
    with runs.turn(made[3]):
        assert runs.running() == made[3]
        assert [run.state for run in runs.list() if run.id == made[3]] == ["running"]
        with pytest.raises(Busy), runs.turn(made[3]):
            pass
    assert runs.running() is None


def test_a_job_that_is_gone_without_a_word_has_stopped(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "audits", most=5)
    made = runs.create("key", {"nodes": [], "by": "x", "bank": None}, None)
    write_json(tmp_path / "audits" / made / STATE, {"state": "running", "progress": {"block": 3}})
    run = runs.get(made)
    assert run is not None
    assert (run.state, run.may_go_on, run.progress) == ("stopped", True, {"block": 3})
    runs.cancel(run)
    assert (run.directory / CANCEL).exists()
    for wrong in ("..", "lock", "x" * 24, made.upper(), f"{made}/.."):
        assert runs.get(wrong) is None


def test_a_console_without_a_node_says_what_to_set(site: Site, tmp_path: Path) -> None:
    for settings in ({}, {"audit_nodes": site.network.rpc_url}, {"audit_directory": tmp_path}):
        with served(site.network.url, **settings) as url, signed_in_at(site, url) as http:
            assert "TONGDUI_CONSOLE_AUDIT_NODES" in http.get("/audits").raise_for_status().text
            assert http.get("/audits/new").headers["location"] == "/audits"
            assert http.get("/audits/" + "a" * 24).status_code == 404


def test_a_node_that_is_no_address_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_CONSOLE_AUDIT_NODES", "https://node.example/key, somewhere")
    with pytest.raises(ValidationError) as refused:
        load_settings()
    assert mistakes_of(refused.value).startswith("TONGDUI_CONSOLE_AUDIT_NODES: ")
    monkeypatch.setenv("TONGDUI_CONSOLE_AUDIT_NODES", " https://node.example/key , http://localhost:8545,")
    monkeypatch.setenv("TONGDUI_CONSOLE_AUDIT_DIRECTORY", "/nowhere")
    assert load_settings().audit_addresses == ["https://node.example/key", "http://localhost:8545"]
