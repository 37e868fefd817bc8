"""The operator's ape scripts, run as the operator runs them, against a node that knows nothing of ape."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from web3 import Web3

from scripts.dev.services import Anvil
from tests.contracts.chain import ARTIFACT
from tongdui.encoding import text_word

ROOT = Path(__file__).parents[2]
ADMIN, MERCHANT, NEW, STRANGER = (bytes([number]) * 32 for number in (1, 2, 3, 4))
NOTHING = "Nothing to do"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def address(key: bytes) -> str:
    return str(Account.from_key(key).address)


class Operator:
    """Somebody at a shell, with the admin's key in the environment."""

    def __init__(self, chain: Anvil, directory: Path) -> None:
        self.url = chain.url
        self.environment = {
            **os.environ,
            "TONGDUI_DEPLOYMENTS": str(directory / "deployments"),
            "TONGDUI_KEY": "0x" + ADMIN.hex(),
            "TONGDUI_CONTRACT": "",
            "APE_DATA_FOLDER": str(directory / "ape"),
        }

    def run(self, script: str, *options: str, answer: str = "", **environment: str) -> tuple[int, str]:
        """Runs a script; returns its exit code and what it printed."""
        command = [str(Path(sys.executable).parent / "ape"), "run", "chain", script, "--network", self.url]
        done = subprocess.run(
            [*command, *options],
            cwd=ROOT,
            env={**self.environment, **environment},
            input=answer,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return done.returncode, done.stdout + done.stderr

    def send(self, function: str, *arguments: Any) -> None:
        """Has the admin call the clearing house, who has the operator's role too."""
        call = self.house()[function](*arguments)
        web3 = Web3(Web3.HTTPProvider(self.url))
        account = Account.from_key(ADMIN)
        nonce = web3.eth.get_transaction_count(account.address)
        fields = {
            "from": account.address,
            "nonce": nonce,
            "gas": 1_000_000,
            "gasPrice": 0,
            "chainId": web3.eth.chain_id,
        }
        signed = account.sign_transaction(call.build_transaction(fields))
        sent = web3.eth.send_raw_transaction(signed.raw_transaction)
        assert web3.eth.wait_for_transaction_receipt(sent)["status"] == 1

    def house(self) -> Any:
        """The clearing house that was deployed, seen through web3."""
        record = next((Path(self.environment["TONGDUI_DEPLOYMENTS"])).glob("*.json"))
        web3 = Web3(Web3.HTTPProvider(self.url))
        abi = json.loads(ARTIFACT.read_text())["abi"]
        return web3.eth.contract(web3.to_checksum_address(json.loads(record.read_text())["house"]), abi=abi).functions


@pytest.fixture(scope="module")
def operator(chain: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Operator:
    """A clearing house with one merchant and one program."""
    someone = Operator(chain, tmp_path_factory.mktemp("operator"))
    code, printed = someone.run("deploy", "--yes", "--sequencer", address(STRANGER))
    assert code == 0, printed
    # What `clearing merchant add` has the sequencer send, without a gateway.
    someone.send("registerMerchant", 1, text_word("Car wash"), address(MERCHANT), 1_000_000_000)
    someone.send("registerProgram", 1, 1, text_word("WASH"), text_word("Wash points"))
    return someone


def test_deploying_again_finds_what_is_there(operator: Operator) -> None:
    code, printed = operator.run("deploy", "--yes", "--sequencer", address(STRANGER))

    assert code == 0
    assert NOTHING in printed
    holders = [address(ADMIN), address(STRANGER), address(ADMIN), address(ADMIN)]
    assert all(operator.house().hasRole(role, holder).call() for role, holder in enumerate(holders))
    assert not operator.house().hasRole(1, address(ADMIN)).call()


def test_a_limit_is_set_only_after_yes(operator: Operator) -> None:
    wanted = ("--merchant", "1", "--limit", "5000000")
    refused, shown = operator.run("set_limit", *wanted, answer="n\n")
    assert refused == 1
    assert "from 1,000.000000 to 5.000000" in shown
    assert operator.house().merchantOf(1).call()[2] == 1_000_000_000

    code, _ = operator.run("set_limit", *wanted, answer="y\n")
    assert code == 0
    assert operator.house().merchantOf(1).call()[2] == 5_000_000

    assert NOTHING in operator.run("set_limit", *wanted)[1]


def test_a_keystore_account_signs_as_well(operator: Operator) -> None:
    keystore = Path(operator.environment["APE_DATA_FOLDER"]) / "accounts" / "treasurer.json"
    keystore.parent.mkdir(parents=True, exist_ok=True)
    keystore.write_text(json.dumps(Account.encrypt(ADMIN, "secret", iterations=2)))

    code, printed = operator.run(
        *("set_limit", "--yes", "--merchant", "1", "--limit", "7000000", "--account", "treasurer"),
        TONGDUI_KEY="",
        APE_ACCOUNTS_treasurer_PASSPHRASE="secret",
    )

    assert code == 0, printed
    assert operator.house().merchantOf(1).call()[2] == 7_000_000


def test_a_missing_role_is_reported_before_anything_is_sent(operator: Operator) -> None:
    code, printed = operator.run("pause", "--yes", "--everything", TONGDUI_KEY="0x" + STRANGER.hex())

    assert code == 1
    assert "does not have the role pauser" in printed


def test_a_program_is_paused_and_resumed_once(operator: Operator) -> None:
    assert operator.run("pause", "--yes", "--program", "1")[0] == 0
    assert operator.house().programOf(1).call()[1]
    assert NOTHING in operator.run("pause", "--yes", "--program", "1")[1]

    assert operator.run("pause", "--yes", "--program", "1", "--resume")[0] == 0
    assert not operator.house().programOf(1).call()[1]
    assert NOTHING in operator.run("pause", "--yes", "--program", "1", "--resume")[1]


def test_the_network_is_paused_and_resumed(operator: Operator) -> None:
    assert operator.run("pause", "--yes", "--everything")[0] == 0
    assert operator.house().paused().call()
    assert NOTHING in operator.run("pause", "--yes", "--everything")[1]

    assert operator.run("pause", "--yes", "--everything", "--resume")[0] == 0
    assert not operator.house().paused().call()
    assert NOTHING in operator.run("pause", "--yes", "--everything", "--resume")[1]


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (("set_limit", "--merchant", "1", "--limit", "5"), "the credit limit of merchant 1"),
        (("pause", "--everything"), "pause the network"),
        (("rotate_key", "--merchant", "1", "--overlap", "0"), "is a key of merchant 1"),
    ],
)
def test_nothing_is_sent_before_yes(operator: Operator, wanted: tuple[str, ...], shown: str) -> None:
    height = Web3(Web3.HTTPProvider(operator.url)).eth.block_number
    keys = {"TONGDUI_MERCHANT_KEY": "0x" + MERCHANT.hex(), "TONGDUI_NEW_KEY": "0x" + NEW.hex()}

    code, printed = operator.run(*wanted, answer="n\n", **keys)

    assert code == 1
    assert shown in printed
    assert Web3(Web3.HTTPProvider(operator.url)).eth.block_number == height


def test_a_key_is_rotated_by_the_merchant_itself(operator: Operator) -> None:
    """The merchant has no role and no account but its key; the gas is free."""
    wanted = ("rotate_key", "--yes", "--merchant", "1", "--overlap", "3600")
    own = {"TONGDUI_KEY": "", "TONGDUI_MERCHANT_KEY": "0x" + MERCHANT.hex()}

    refused, said = operator.run(*wanted, "--new-key", address(NEW), **own)
    assert (refused, "it has to sign" in said) == (1, True)

    code, printed = operator.run(*wanted, **own, TONGDUI_NEW_KEY="0x" + NEW.hex())
    assert code == 0, printed
    assert NOTHING in operator.run(*wanted, "--new-key", address(NEW), **own)[1]
    assert operator.house().signerOf(address(NEW)).call() == [1, 0, 2**40 - 1]
    merchant, _, until = operator.house().signerOf(address(MERCHANT)).call()
    assert merchant == 1
    assert until < 2**40 - 1
