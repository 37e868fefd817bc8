"""What a command says that cannot do its work: a sentence that names the variable, exit code 2, and no stray file."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clearing.kit.database import newest_revision
from scripts.dev.services import Anvil, free_port
from tests.support import forked
from tests.support.secrets import password_variables, role_keys

CONTRACT = "0x" + "11" * 20
NOBODY = "http://127.0.0.1:9"


class Shell:
    """An operator's shell in a directory of its own, with no other settings than those that a test gives."""

    def __init__(self, directory: Path, migrated: Path) -> None:
        self.directory = directory
        self._migrated = migrated
        self._kept: set[str] = set()
        self.settings: dict[str, str] = {}

    def set(self, **settings: str) -> None:
        """Sets variables, without their prefix."""
        self.settings |= {f"TONGDUI_{name}": value for name, value in settings.items()}

    def environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TONGDUI_")}
        return {**clean, **self.settings}

    def refused(self, *command: str) -> str:
        """What the command says, which must fail as it should and leave nothing behind."""
        before = self.files()
        done = forked.run(command, environment=self.environment(), directory=self.directory)
        assert done.returncode == 2, done.stdout + done.stderr
        for trace in ("Traceback", "[SQL", "SELECT", "sqlalche.me", "pydantic.dev"):
            assert trace not in done.stdout + done.stderr
        assert self.files() == before
        return done.stderr.strip()

    def run(self, *command: str) -> str:
        """What a command prints that works."""
        done = forked.run(command, environment=self.environment(), directory=self.directory)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def keep(self, directory: str) -> None:
        """A command that is refused may make files in this directory."""
        self._kept.add(directory)

    def files(self) -> set[str]:
        found = [path.relative_to(self.directory) for path in self.directory.rglob("*")]
        return {str(path) for path in found if path.parts[0] not in self._kept}

    def migrated(self) -> Path:
        """A SQLite database with the schema, which the settings name."""
        path = self.directory / "tongdui.db"
        shutil.copy(self._migrated, path)
        self.set(DATABASE_URL=f"sqlite:///{path}")
        return path


@pytest.fixture
def shell(tmp_path: Path, migrated_file: Path) -> Shell:
    return Shell(tmp_path, migrated_file)


# -------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("BATCH_MAX_GAS", "abc", 'must be a whole number, this is "abc"'),
        ("BATCH_MAX_GAS", "1.5", 'must be a whole number, this is "1.5"'),
        ("BATCH_MAX_GAS", "", 'must be a whole number, this is ""'),
        ("QUEUE_LIMIT", "0", 'must be at least 1, this is "0"'),
        ("BATCH_MAX_AGE", "soon", 'must be a number, this is "soon"'),
        ("POLL_INTERVAL", "0", 'must be greater than 0, this is "0"'),
        ("GATEWAY_PORT", "99999", 'must be at most 65535, this is "99999"'),
        ("WEBHOOK_ALLOW_LOCAL", "maybe", 'must be true or false, this is "maybe"'),
        ("CONTRACT", "0x12", 'must be an address: 0x and 40 hexadecimal digits, this is "0x12"'),
        (
            "PREDECESSORS",
            "0x12",
            'must be addresses, each with @ and a number of a block: 0x...@123,0x...@456, this is "0x12"',
        ),
        ("RPC_URL", "node:8545", "must begin with http:// or https://; several are separated by commas"),
        (
            "RPC_URL",
            "http://u:hunter2@node:8545,node:8546",
            "must begin with http:// or https://; several are separated by commas",
        ),
        ("BROKER_URL", "http://broker", "must begin with redis:// or amqp://"),
        (
            "DATABASE_URL",
            "postgres://u:hunter2@db/x",
            "must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE",
        ),
    ],
)
def test_a_wrong_value_is_named_and_shown_unless_it_may_be_secret(
    shell: Shell, name: str, value: str, sentence: str
) -> None:
    shell.set(**{name: value})
    assert shell.refused("clearing", "queue") == f"TONGDUI_{name}: {sentence}"


def test_all_wrong_values_are_named_at_once(shell: Shell) -> None:
    shell.set(BATCH_MAX_GAS="abc", CONFIRMATIONS="-1", CONFIRMATION="3")
    assert shell.refused("clearing", "sequencer").splitlines() == [
        "TONGDUI_CONFIRMATION: there is no such setting; did you mean TONGDUI_CONFIRMATIONS?",
        'TONGDUI_BATCH_MAX_GAS: must be a whole number, this is "abc"',
        'TONGDUI_CONFIRMATIONS: must be at least 0, this is "-1"',
    ]


@pytest.mark.parametrize("command", ["up", "migrate", "worker", "rounds", "beat", "deploy"])
def test_every_command_refuses_wrong_settings(shell: Shell, command: str) -> None:
    shell.set(CHAIN_ID="main")
    assert shell.refused("clearing", command) == 'TONGDUI_CHAIN_ID: must be a whole number, this is "main"'


def test_variables_of_clients_are_left_alone(shell: Shell) -> None:
    shell.set(URL="https://gateway.example", API_KEY="tdk_1_x", KEYSTORE="station.json")
    assert shell.refused("clearing", "queue").startswith("TONGDUI_DATABASE_URL: there is no database")


def test_the_file_of_settings_must_be_there_and_have_no_typo(shell: Shell) -> None:
    shell.set(ENV_FILE="network.env")
    assert shell.refused("clearing", "queue") == "TONGDUI_ENV_FILE: there is no file network.env"
    (shell.directory / "network.env").write_text("TONGDUI_RPC_URI=http://node:8545\n")
    assert shell.refused("clearing", "queue") == (
        "TONGDUI_RPC_URI: there is no such setting; did you mean TONGDUI_RPC_URL?"
    )


# -------------------------------------------------------------------- database


@pytest.mark.parametrize("command", [["queue"], ["cancel", "ord_1"], ["keys"]], ids=" ".join)
def test_a_database_that_is_not_there_is_not_made(shell: Shell, command: list[str]) -> None:
    assert shell.refused("clearing", *command) == (
        "TONGDUI_DATABASE_URL: there is no database at tongdui.db yet; run `clearing migrate`"
    )


@pytest.mark.parametrize("command", ["queue", "migrate"])
def test_a_directory_that_does_not_exist(shell: Shell, command: str) -> None:
    shell.set(DATABASE_URL="sqlite:///var/tongdui.db")
    assert shell.refused("clearing", command) == "TONGDUI_DATABASE_URL: there is no directory var"


@pytest.mark.parametrize("command", ["queue", "migrate"])
def test_a_file_that_is_no_database(shell: Shell, command: str) -> None:
    (shell.directory / "tongdui.db").write_text("not a database, whatever its name says\n" * 100)
    assert "file is not a database" in shell.refused("clearing", command)


@pytest.mark.parametrize("command", ["queue", "migrate"])
def test_a_server_that_does_not_answer(shell: Shell, command: str) -> None:
    shell.set(DATABASE_URL=f"postgresql+psycopg://tongdui:hunter2@127.0.0.1:{free_port()}/tongdui")
    said = shell.refused("clearing", command)
    assert said.startswith("TONGDUI_DATABASE_URL: the database ")
    assert "connection" in said
    assert "hunter2" not in said


def test_a_database_without_tables(shell: Shell, bare_database_url: str) -> None:
    if bare_database_url.startswith("sqlite"):
        sqlite3.connect(bare_database_url.removeprefix("sqlite:///")).execute("VACUUM")
    shell.set(DATABASE_URL=bare_database_url)
    assert shell.refused("clearing", "queue").endswith("has no tables; run `clearing migrate`")


def test_the_schema_of_another_version(shell: Shell) -> None:
    path = shell.migrated()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    said = shell.refused("clearing", "queue")
    assert f"is at migration 0000, and this version needs {newest_revision()}; run `clearing migrate`" in said
    shell.set(CONTRACT=CONTRACT)
    assert shell.refused("clearing", "projector") == said
    assert "another version, which this one cannot upgrade" in shell.refused("clearing", "migrate")


def test_a_database_that_was_restored_without_triggers(shell: Shell) -> None:
    path = shell.migrated()
    with sqlite3.connect(path) as connection:
        born = "2026-11-26 00:00:00.000000"
        connection.execute(f"INSERT INTO merchants VALUES (1, 'mer_1', 'Gas', 'active', 1, '{born}')")
        connection.execute("DELETE FROM reference_versions")
    connection.close()
    said = shell.refused("clearing", "queue")
    assert "reference_versions has no row for merchants, as after a restore without triggers" in said
    assert said.endswith("run `clearing migrate`, which adds the rows")
    mended = shell.run("clearing", "migrate")
    assert mended.startswith("Rows of reference_versions were missing for merchants; they are there now.")
    assert shell.run("clearing", "migrate") == "The schema is up to date.\n"
    shell.run("clearing", "queue")


@pytest.mark.parametrize(
    ("into", "sentence"),
    [
        ("again.db", "must be sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"),
        ("sqlite:///var/again.db", "there is no directory var"),
    ],
)
def test_a_rebuild_into_what_is_no_database(shell: Shell, into: str, sentence: str) -> None:
    shell.set(CONTRACT=CONTRACT)
    assert shell.refused("clearing", "rebuild", "--into", into) == f"--into: {sentence}"


# -------------------------------------------------------------------- node and contract


@pytest.mark.parametrize(
    "command", [["deploy"], ["reconcile"], ["rebuild", "--into", "sqlite:///again.db"]], ids=" ".join
)
def test_a_node_that_does_not_answer(shell: Shell, command: list[str]) -> None:
    shell.migrated()
    shell.set(RPC_URL=NOBODY, CONTRACT=CONTRACT)
    shell.settings |= password_variables()
    said = shell.refused("clearing", *command)
    assert said.startswith("TONGDUI_RPC_URL: no chain node answers at 127.0.0.1:9: ")


def test_several_nodes_that_do_not_answer_are_all_named(shell: Shell) -> None:
    shell.migrated()
    shell.set(RPC_URL=f"{NOBODY}, http://u:hunter2@127.0.0.1:19", CONTRACT=CONTRACT)
    said = shell.refused("clearing", "reconcile")
    assert said.startswith("TONGDUI_RPC_URL: no chain node answers at 127.0.0.1:9 or 127.0.0.1:19: ")


def test_more_nodes_than_there_are_cannot_agree(shell: Shell) -> None:
    shell.migrated()
    shell.set(RPC_URL=f"{NOBODY},{NOBODY}", CONTRACT=CONTRACT, BLOCK_QUORUM="3")
    said = shell.refused("clearing", "projector")
    assert said == "TONGDUI_BLOCK_QUORUM: 3 nodes must have a block, but TONGDUI_RPC_URL names 2"


@pytest.mark.parametrize("command", ["deploy", "reconcile", "sequencer"])
def test_a_node_of_another_chain(shell: Shell, chain: Anvil, command: str) -> None:
    shell.migrated()
    shell.set(RPC_URL=chain.url, CHAIN_ID="5", CONTRACT=CONTRACT)
    shell.settings |= password_variables()
    said = shell.refused("clearing", command)
    assert said == f"TONGDUI_CHAIN_ID: the node at 127.0.0.1:{chain.port} is on chain 31337, and this is 5"


@pytest.mark.parametrize("command", ["reconcile", "worker"])
def test_a_missing_contract(shell: Shell, command: str) -> None:
    shell.migrated()
    said = shell.refused("clearing", command)
    assert said == (
        "TONGDUI_CONTRACT: is not set; `clearing deploy` prints the address. "
        "The network of `clearing up` is found in the directory in which that was started"
    )


@pytest.mark.parametrize(
    "command",
    [["gateway"], *(["clearing", name] for name in ("sequencer", "projector", "worker", "rounds"))],
    ids=" ".join,
)
def test_every_process_looks_at_the_contract_before_it_works(shell: Shell, chain: Anvil, command: list[str]) -> None:
    shell.migrated()
    shell.set(RPC_URL=chain.url, CONTRACT=CONTRACT, GATEWAY_PORT=str(free_port()))
    shell.settings |= password_variables()
    assert shell.refused(*command) == (
        f"TONGDUI_CONTRACT: there is no contract at {CONTRACT} on chain 31337; `clearing deploy` prints the address"
    )


def test_a_deployment_where_gas_costs_money_says_what_it_needs(shell: Shell, own_chain: Anvil) -> None:
    own_chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
    own_chain.rpc("evm_mine")
    shell.set(RPC_URL=own_chain.url)
    shell.settings |= password_variables()
    shell.keep("keys")
    assert shell.refused("clearing", "deploy").startswith("TONGDUI_MAX_FEE_PER_GAS: is not set")
    shell.set(MAX_FEE_PER_GAS=str(10**11))
    said = shell.refused("clearing", "deploy")
    assert "has 0 wei and needs" in said
    own_chain.rpc("anvil_setBalance", said.split()[3], hex(10**18))
    assert shell.run("clearing", "deploy").startswith("TONGDUI_CONTRACT=0x")


def test_a_deployment_can_make_the_timelock_that_will_own_the_contract(shell: Shell, own_chain: Anvil) -> None:
    shell.set(RPC_URL=own_chain.url)
    shell.settings |= password_variables()
    shell.keep("keys")
    delay = ["clearing", "deploy", "--timelock-delay"]
    assert shell.refused(*delay, "60") == "--timelock-delay: give the seconds, and at least one --timelock-proposer"
    said = shell.refused(*delay, "60", "--timelock-proposer", "0x12")
    assert said.startswith("--timelock-proposer: ")
    announcing = [*delay, "60", "--timelock-proposer", "0x" + "33" * 20]
    contract = shell.run(*announcing)
    assert contract.startswith("TONGDUI_CONTRACT=0x")
    assert shell.run(*announcing) == contract, "deploying again finds what is there"
    shell.set(CONTRACT=contract.strip().partition("=")[2])
    shown = shell.run("clearing", "contract", "show")
    assert re.search(r"next owner\W+0x[0-9a-fA-F]{40}, which has not", shown), shown


def test_the_gateway_refuses_in_the_same_words(shell: Shell) -> None:
    shell.set(GATEWAY_PORT="http")
    assert shell.refused("gateway") == 'TONGDUI_GATEWAY_PORT: must be a whole number, this is "http"'
    del shell.settings["TONGDUI_GATEWAY_PORT"]
    assert shell.refused("gateway").startswith("TONGDUI_CONTRACT: is not set; `clearing deploy` prints the address. ")
    shell.set(CONTRACT=CONTRACT)
    assert shell.refused("gateway").startswith("TONGDUI_DATABASE_URL: there is no database at tongdui.db yet")


def test_the_gateway_refuses_an_address_on_which_it_cannot_listen(shell: Shell) -> None:
    shell.migrated()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shell.set(CONTRACT=CONTRACT, RPC_URL=NOBODY, GATEWAY_PORT=str(port))
        assert shell.refused("gateway") == (
            f"TONGDUI_GATEWAY_PORT: cannot listen on 127.0.0.1:{port}: Address already in use"
        )
    shell.set(GATEWAY_HOST="gateway.invalid")
    assert shell.refused("gateway") == "TONGDUI_GATEWAY_HOST: there is no host gateway.invalid"


# -------------------------------------------------------------------- keys


def test_role_keys_that_are_missing_or_do_not_open(shell: Shell) -> None:
    shell.migrated()
    shell.set(CONTRACT=CONTRACT, RPC_URL=NOBODY)
    assert shell.refused("clearing", "sequencer") == (
        "TONGDUI_SEQUENCER_PASSWORD: is not set; give a long random secret, or the file that "
        "holds it with TONGDUI_SEQUENCER_PASSWORD_FILE"
    )
    shell.set(SEQUENCER_PASSWORD="wrong")
    assert shell.refused("clearing", "sequencer") == (
        "TONGDUI_KEYSTORE_DIR: there is no key file keys/sequencer.json; `clearing deploy` makes it"
    )
    role_keys(shell.directory / "keys").ensure("sequencer")
    role_keys(shell.directory / "keys").ensure("admin")
    assert shell.refused("clearing", "sequencer") == "TONGDUI_SEQUENCER_PASSWORD: does not open keys/sequencer.json"
    shell.settings |= {**password_variables(), "TONGDUI_ADMIN_PASSWORD": "wrong"}
    assert shell.refused("clearing", "deploy") == "TONGDUI_ADMIN_PASSWORD: does not open keys/admin.json"
    shell.settings = {name: value for name, value in shell.settings.items() if "PASSWORD" not in name}
    shell.set(SEQUENCER_PASSWORD="wrong")
    (shell.directory / "keys" / "sequencer.json").write_text("{}")
    assert shell.refused("clearing", "sequencer") == "TONGDUI_KEYSTORE_DIR: keys/sequencer.json is not a key file"
    shell.set(SEQUENCER_KEY="safe/sequencer.json")
    assert shell.refused("clearing", "sequencer") == (
        "TONGDUI_SEQUENCER_KEY: there is no key file safe/sequencer.json; `clearing deploy` makes it"
    )


def test_a_password_comes_from_a_variable_or_from_a_file(shell: Shell) -> None:
    shell.migrated()
    shell.set(CONTRACT=CONTRACT, RPC_URL=NOBODY, TREASURY_PASSWORD="a", TREASURY_PASSWORD_FILE="treasury")
    assert shell.refused("clearing", "signer") == (
        "TONGDUI_TREASURY_PASSWORD: is set, and TONGDUI_TREASURY_PASSWORD_FILE too; take one of them away"
    )
    del shell.settings["TONGDUI_TREASURY_PASSWORD"]
    only = ["clearing", "signer", "--role", "treasury"]
    assert shell.refused(*only) == "TONGDUI_TREASURY_PASSWORD_FILE: treasury cannot be read: No such file or directory"
    (shell.directory / "treasury").write_text("\n")
    assert shell.refused(*only) == "TONGDUI_TREASURY_PASSWORD_FILE: treasury is empty; its first line is the password"
    (shell.directory / "treasury").write_text("new\nold\n")
    assert shell.refused(*only).startswith("TONGDUI_KEYSTORE_DIR: there is no key file keys/treasury.json")


# -------------------------------------------------------------------- what is worth waiting for


def test_a_daemon_waits_for_a_node_and_a_server_that_do_not_answer_yet(shell: Shell) -> None:
    shell.set(
        RPC_URL=NOBODY, CONTRACT=CONTRACT, DATABASE_URL=f"postgresql+psycopg://tongdui@127.0.0.1:{free_port()}/tongdui"
    )
    log = shell.directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "clearing", "projector"], cwd=shell.directory, env=shell.environment(), stderr=output
        )
    try:
        deadline = time.monotonic() + 60
        while "started" not in log.read_text():
            assert time.monotonic() < deadline, log.read_text()
            assert process.poll() is None, log.read_text()
            time.sleep(0.05)
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()
