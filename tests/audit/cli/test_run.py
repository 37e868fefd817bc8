"""audit run: what it writes and says, how it ends, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_keyfile.keyfile import create_keyfile_json

from tests.audit.cli.conftest import AuditCommand
from tests.audit.planted import lies, onchain
from tests.audit.planted.lying_node import lying_node
from tests.audit.planted.world import World, bank_file
from tests.sdk.cli.conftest import Terminal
from tongdui import LocalSigner
from tongdui.audit.chain import node as asking
from tongdui.encoding import keccak256

FILES = ("--report", "out.html", "--json", "out.json", "--csv", "tables")
PASSWORD = "correct horse"


@pytest.fixture(autouse=True)
def nothing_left(tmp_path: Path) -> Iterator[None]:
    """Nothing half written lies about afterwards: temporary files begin with a dot."""
    yield
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_all_holds(audit_run: AuditCommand, tmp_path: Path) -> None:
    Path("bank.xml").write_text(bank_file())
    result = audit_run("--bank", "bank.xml", *FILES)
    assert (result.code, result.out.strip().splitlines()[-1]) == (0, "ALL HOLDS"), result.out + result.err
    assert "<html" in Path("out.html").read_text()
    assert json.loads(Path("out.json").read_text())["findings"] == []
    assert (tmp_path / "tables" / "programs.csv").read_text().startswith("program,code,")


def test_what_does_not_hold_is_named(audit_run: AuditCommand, world: World) -> None:
    onchain.wrong_balance(world)
    result = audit_run("--json", "out.json")
    assert result.code == 1
    assert "DOES NOT HOLD  storage.balance: balance of 0x" in result.out
    assert "expected  600 points" in result.out
    assert "found     1,000,000 points" in result.out
    assert json.loads(Path("out.json").read_text())["findings"][0]["rule"] == "storage.balance"


def test_the_same_chain_gives_the_same_files(audit_run: AuditCommand) -> None:
    audit_run(*FILES)
    first = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    again = audit_run(*FILES, "--force")
    assert again.code == 0, again.err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == first


def test_an_audit_that_goes_on_gives_the_same_files_as_a_whole_one(audit_run: AuditCommand, world: World) -> None:
    audit_run("--json", "whole.json")
    audit_run("--state", "state", "--to", world.chain.height() - 10)
    rest = audit_run("--state", "state", "--json", "rest.json")
    assert rest.code == 0, rest.err
    assert Path("rest.json").read_bytes() == Path("whole.json").read_bytes()


def test_an_audit_that_stopped_before_its_first_checkpoint_begins_anew(audit_run: AuditCommand, world: World) -> None:
    with lying_node(world.url, lie=lies.without("eth_getBlockReceipts", "eth_getTransactionReceipt")) as node:
        audit_run.refused("--state", "state", rpc=node.url)
    again = audit_run("--state", "state")
    assert again.code == 0, again.out + again.err


def test_a_report_is_signed_and_anyone_can_verify_it(
    audit_run: AuditCommand, terminal: Terminal, tmp_path: Path
) -> None:
    key = _keystore("auditor.json")
    Path("password").write_text(PASSWORD + "\n")
    signed = audit_run(*FILES, "--sign", "auditor.json", "--password-file", "password")
    assert signed.code == 0, signed.err
    files = ("audit", "verify", "out.json", "out.signature.json", "--signer")
    assert (
        f"ALL HOLDS  {key.address}" in terminal.good(*files, key.address, "--page", "out.html", "--csv", "tables").out
    )
    assert "signed this text, not" in terminal(*files, LocalSigner.generate().address).out
    Path("out.html").write_text("something else")
    assert terminal(*files, key.address, "--page", "out.html").code == 1
    Path("out.json").write_text(Path("out.json").read_text().replace("CNY", "EUR"))
    assert "the report is not the one that was signed" in terminal(*files, key.address).out
    Path("out.json").write_text("no report")
    assert terminal(*files, key.address).code == 2


def test_a_day_that_is_not_over_is_said_to_be_so(audit_run: AuditCommand) -> None:
    assert "what comes after block" in audit_run("--as-of", "2099-12-31").out
    assert "what comes after block" in audit_run("--to", "2099-12-31T00:00:00Z").out
    assert "begins after 2001-12-31 15:59:59 UTC: give a later" in audit_run.refused("--as-of", "2001-12-31")


def test_progress_for_programs(audit_run: AuditCommand, world: World) -> None:
    lines = [json.loads(line) for line in audit_run("--progress", "json").err.splitlines()]
    assert lines[-1]["block"] == lines[-1]["last_block"] == world.chain.height()
    assert lines[-1]["entries"] == len(world.entries)


def test_progress_for_people(audit_run: AuditCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    shown = audit_run("--progress", "bar").err
    assert "entries" in shown
    assert "a second" in shown


def _keystore(path: str) -> LocalSigner:
    """A new key in a file that opens at once: nobody steals it."""
    key = keccak256(path.encode())
    Path(path).write_text(json.dumps(create_keyfile_json(key, PASSWORD.encode(), kdf="pbkdf2", iterations=1)))
    return LocalSigner(key)


# -------------------------------------------------------------------- what it refuses


def test_an_address_without_a_contract(audit_run: AuditCommand) -> None:
    assert "no contract at 0x5151" in audit_run.refused(*FILES, contract="0x" + "51" * 20)
    assert not Path("out.html").exists()


def test_another_contract(audit_run: AuditCommand, world: World) -> None:
    assert "--contract" in audit_run.refused(*FILES, contract=world.chain.view("lens"))


def test_another_chain(audit_run: AuditCommand) -> None:
    assert "is on chain 31337, not on chain 1" in audit_run.refused("--chain-id", "1")


def test_a_node_without_history(audit_run: AuditCommand, world: World) -> None:
    with lying_node(world.url, lie=lies.without_history(world)) as node:
        assert "history" in audit_run.refused(*FILES, rpc=node.url)
    assert list(Path().glob("out*")) == []


def test_a_node_that_does_not_answer_in_time(
    audit_run: AuditCommand, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_WAITS", (0.0,))
    with lying_node(world.url, sleep=1.2) as node:
        assert "took more than 1 seconds" in audit_run.refused("--timeout", "1", rpc=node.url)


def test_no_node(audit_run: AuditCommand) -> None:
    assert "No node answers at http://127.0.0.1:1" in audit_run.refused(rpc="http://127.0.0.1:1")


def test_half_a_state_directory(audit_run: AuditCommand) -> None:
    assert audit_run("--state", "state").code == 0
    for path in Path("state").iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "state" in audit_run.refused("--state", "state")


def test_the_state_of_another_contract(audit_run: AuditCommand, world: World) -> None:
    assert audit_run("--state", "state").code == 0
    other = World(world.url, world.now + 60)
    assert "of another contract" in audit_run.refused("--state", "state", contract=other.chain.address)


def test_a_bank_file_in_another_currency(audit_run: AuditCommand) -> None:
    Path("bank.xml").write_text(bank_file(currency="EUR"))
    assert "EUR" in audit_run.refused("--bank", "bank.xml")


def test_a_bank_file_with_other_columns(audit_run: AuditCommand) -> None:
    Path("bank.csv").write_text("when,what,how much\n2024-10-04,BANK-1,1000.00\n")
    assert "column" in audit_run.refused("--bank", "bank.csv")


def test_a_bank_file_that_is_not_there(audit_run: AuditCommand) -> None:
    assert "bank.xml" in audit_run.refused("--bank", "bank.xml")


def test_a_file_that_is_no_keystore(audit_run: AuditCommand) -> None:
    Path("key.json").write_text("{}")
    Path("password").write_text("x\n")
    sign = ("--json", "out.json", "--sign", "key.json", "--password-file", "password")
    assert "key.json is not a keystore" in audit_run.refused(*sign)


def test_a_wrong_password(audit_run: AuditCommand) -> None:
    _keystore("key.json")
    Path("password").write_text("wrong\n")
    sign = ("--json", "out.json", "--sign", "key.json", "--password-file", "password")
    assert "wrong password" in audit_run.refused(*sign)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--sign", "key.json"), "say where to write it with --json"),
        (("--report", "nowhere/out.html"), "there is no such directory"),
        (("--report", "."), "is a directory"),
        (("--report", "same", "--json", "same"), "name the same file"),
        (("--to", "2026-12-31"), "write 1234567, or 2026-12-31T23:59:59+08:00"),
        (("--from", "2026-12-31T00:00:00"), "nor a time with its zone"),
        (("--as-of", "tomorrow"), "write it as 2026-12-31"),
        (("--as-of", "2024-10-05", "--to", "20"), "leave one of them out"),
        (("--from", "30", "--to", "20"), "--from"),
        (("--language", "fr"), "write en or zh"),
        (("--progress", "loud"), "write auto, bar, json or none"),
    ],
)
def test_wrong_use(audit_run: AuditCommand, arguments: tuple[str, ...], sentence: str) -> None:
    assert sentence in audit_run.refused(*arguments)


def test_what_exists_stays(audit_run: AuditCommand) -> None:
    Path("out.html").write_text("mine")
    assert "out.html exists already" in audit_run.refused("--report", "out.html")
    assert Path("out.html").read_text() == "mine"
    assert audit_run("--report", "out.html", "--force").code == 0
    assert Path("out.html").read_text() != "mine"
