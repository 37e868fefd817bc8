"""Commands that use the powers over the contract, on a real chain: what they change, refuse, repeat, and survive."""

from __future__ import annotations

import io
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from sqlalchemy import select

from clearing.chain.calls.models import Call
from clearing.chain.client import ChainClient
from clearing.chain.contract import artifact
from clearing.chain.state import ContractState
from clearing.kit import logs
from clearing.kit.config import settings
from clearing.kit.events.models import Event
from clearing.kit.signing.keyring import Keyring
from clearing.parties.merchants.models import Merchant, MerchantStatus, SignerKey
from clearing.runtime import cli
from clearing.runtime.actions.privileged import carrying_out
from scripts.dev.services import Anvil
from tests.conftest import Migrated
from tests.support.harness import Harness
from tests.support.secrets import password_of, password_variables
from tongdui import _cli as tongdui
from tongdui.encoding import hex_of
from tongdui.orders import full_signature, termination_struct_hash

ROOT = Path(__file__).resolve().parents[2]
REASON = ("--yes", "--reason", "a test")


class Network:
    """A network whose daemons run while a command does."""

    def __init__(self, harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.harness = harness
        self.state = ContractState(harness.client, harness.settings.contract)
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.set(
            DATABASE_URL=harness.settings.database_url,
            RPC_URL=harness.settings.rpc_url,
            CONTRACT=harness.settings.contract,
            KEYSTORE_DIR=str(harness.settings.keystore_dir),
        )
        for name, value in password_variables().items():
            monkeypatch.setenv(name, value)

    def set(self, **values: str) -> None:
        """Sets variables, without their prefix, for this test."""
        for name, value in values.items():
            self._monkeypatch.setenv(f"TONGDUI_{name}", value)

    def run(self, *arguments: str, daemons: bool = True) -> tuple[int, str]:
        """Exit code and output of a command, without line ends."""
        settings.cache_clear()
        self._capsys.readouterr()
        with self.stepping() if daemons else _nothing(), pytest.raises(SystemExit) as end:
            cli.main(list(arguments))
        settings.cache_clear()
        captured = self._capsys.readouterr()
        assert isinstance(end.value.code, int)
        return end.value.code, " ".join((captured.out + captured.err).split())

    def done(self, *arguments: str, **options: bool) -> str:
        """The output of a command that succeeds."""
        code, said = self.run(*arguments, **options)
        assert code == 0, said
        return said

    def refused(self, *arguments: str, daemons: bool = False) -> str:
        """The output of a command that cannot do its work."""
        code, said = self.run(*arguments, daemons=daemons)
        assert code == 2, said
        return said

    def outcome(self, *arguments: str, **options: bool) -> dict[str, Any]:
        """What a command tells as JSON."""
        document: dict[str, Any] = json.loads(_json_in(self.done(*arguments, "--json", **options)))
        return document

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """Runs the daemons in the meantime."""
        over = threading.Event()

        def step() -> None:
            while not over.is_set():
                if not (self.harness.sequencer.step() | self.harness.signer.step() | self.harness.projector.step()):
                    time.sleep(0.02)

        thread = threading.Thread(target=step)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def audited(self, type: str) -> list[Event]:  # noqa: A002
        """The audit log's events of this type, oldest first."""
        with self.harness.database.session() as session:
            return list(session.scalars(select(Event).where(Event.type == type, Event.audited).order_by(Event.seq)))

    def newcomer(self) -> int:
        """Registers a merchant with a managed key; its number."""
        number = self.harness.call("merchantCount")
        self.harness.register_merchant(number, f"newcomer {number}")
        self.harness.settle()
        return number

    def merchant(self, number: int) -> Merchant:
        """A merchant, as the read model has it."""
        with self.harness.database.session() as session:
            return session.get_one(Merchant, number)


def _json_in(said: str) -> str:
    """The document at the end; the daemons' logs come before it."""
    return said[re.search(r"\{ \"(outcome|contract|what)\"", said).start() :]  # type: ignore[union-attr]


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@pytest.fixture(scope="module")
def harness(chain: Anvil, migrated: Migrated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harness]:
    """One network for the whole file."""
    directory = tmp_path_factory.mktemp("network")
    network = Harness(migrated("sqlite", directory), chain.url, directory)
    network.onboard()
    yield network
    network.close()


@pytest.fixture
def network(harness: Harness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Network:
    monkeypatch.setattr(logs, "configure", lambda: None)  # it would hold on to this test's standard error
    return Network(harness, monkeypatch, capsys)


# -------------------------------------------------------------------- through the queue


def test_a_merchant_is_suspended_resumed_and_suspended_once(network: Network) -> None:
    tried = network.run("merchant", "suspend", "cine", "--dry-run")
    assert tried[0] == 0
    assert "status: active -> suspended" in tried[1]
    assert network.merchant(2).status is MerchantStatus.ACTIVE

    outcome = network.outcome("merchant", "suspend", "cine", *REASON)
    assert (outcome["outcome"], outcome["before"], outcome["after"]) == (
        "done",
        {"status": "active"},
        {"status": "suspended"},
    )
    receipt = network.harness.client.receipt(bytes.fromhex(outcome["transaction"][2:]))
    assert receipt is not None
    assert receipt.block_number == outcome["block"]
    assert network.merchant(2).status is MerchantStatus.SUSPENDED
    assert "Nothing changes: status is suspended already" in network.done("merchant", "suspend", "2", *REASON)
    assert network.outcome("merchant", "resume", network.merchant(2).id, *REASON)["outcome"] == "done"

    (asked,) = network.audited("merchant.suspension_requested")
    assert asked.data == {"before": {"status": "active"}, "after": {"status": "suspended"}, "reason": "a test"}
    assert (asked.actor[:4], asked.merchant_number, asked.subject) == ("cli:", 2, network.merchant(2).id)
    assert len(network.audited("merchant.resumption_requested")) == 1


def test_a_call_that_waits_is_waited_for_and_not_asked_for_again(network: Network) -> None:
    command = ("merchant", "suspend", "cine", *REASON, "--timeout", "0.3")
    said = network.refused(*command)
    assert "no block contains the call after 0.3 s; no signer runs. It stays in the queue" in said
    assert "no signer runs" in network.refused(*command)
    with network.harness.database.session() as session:
        query = select(Call).where(Call.subject == network.merchant(2).id, Call.function == "setMerchantStatus")
        assert [call.arguments[1] for call in session.scalars(query)].count(2) == 2, "the one of before, and one"
    before = len(network.audited("merchant.suspension_requested"))
    code, said = network.run("merchant", "resume", "cine", "--dry-run", daemons=False)
    assert (code, "waits in the queue, and will change this again" in said) == (0, True)
    assert "a call to another effect on the same is on its way" in network.refused(
        "merchant", "resume", "cine", *REASON, "--timeout", "0.3"
    )
    resumed = network.outcome("merchant", "resume", "cine", *REASON)
    assert (resumed["outcome"], resumed["before"]) == ("done", {"status": "suspended"})
    assert len(network.audited("merchant.suspension_requested")) == before


def test_a_stolen_key_is_ended(network: Network) -> None:
    with network.harness.database.session() as session:
        key = session.scalars(select(SignerKey).where(SignerKey.merchant_number == 2)).one().address
    other = "0x" + "77" * 20
    assert "is no merchant's key" in network.refused("merchant", "revoke-signer", "cine", other, *REASON)
    assert "is a key of merchant 2, and not of merchant fuel" in network.refused(
        "merchant", "revoke-signer", "fuel", key, *REASON
    )
    assert "ADDRESS: 0x12 must be 0x and 40" in network.refused("merchant", "revoke-signer", "cine", "0x12", *REASON)
    outcome = network.outcome("merchant", "revoke-signer", "cine", key, *REASON, "--at", "2030-01-01T00:00:00Z")
    assert outcome["before"] == {"signer": key, "valid_until": "9999-12-31T23:59:59Z"}
    assert outcome["after"]["valid_until"] == "2030-01-01T00:00:00Z"
    assert network.state.signer(key).valid_until == 1_893_456_000
    later = network.done("merchant", "revoke-signer", "cine", key, *REASON, "--at", "2031-01-01T00:00:00+08:00")
    assert "Nothing changes" in later


def test_a_merchant_replaces_its_key_and_the_operator_only_carries_it(
    network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The merchant signs at its own machine, without a connection; what it prints is all that the operator gets."""
    address, keystore = network.harness.keyring.create()
    merchant = network.newcomer()
    with network.harness.database.session() as session:
        present = session.scalars(select(SignerKey).where(SignerKey.merchant_number == merchant)).one()
        (tmp_path / "present.json").write_text(present.keystore or "")
    (tmp_path / "new.json").write_text(keystore)
    (tmp_path / "password").write_text(password_of("managed_keys"))
    with monkeypatch.context() as patch:
        patch.setenv("TONGDUI_KEYSTORE", str(tmp_path / "present.json"))
        patch.setenv("TONGDUI_KEYSTORE_PASSWORD", password_of("managed_keys"))
        patch.setenv("TONGDUI_CHAIN_ID", str(network.harness.settings.chain_id))
        capsys.readouterr()
        wanted = ["key", "replace", str(tmp_path / "new.json"), "--merchant", str(merchant), "--overlap", "3600"]
        assert tongdui.main([*wanted, "--new-password-file", str(tmp_path / "password")]) == 0
        (tmp_path / "change.json").write_text(capsys.readouterr().out)
    network.done("merchant", "change-signer", str(tmp_path / "change.json"), *REASON)
    assert network.state.signer(address) == (merchant, 0, 2**40 - 1)
    old = network.state.signer(present.address)
    assert time.time() < old.valid_until <= time.time() + 3_600
    again = network.done("merchant", "change-signer", str(tmp_path / "change.json"), *REASON)
    assert again.count("Nothing changes") == 2
    changed = json.loads((tmp_path / "change.json").read_text())
    changed["changes"][0]["valid_until"] = 2**33
    (tmp_path / "forged.json").write_text(json.dumps(changed))
    assert "BadSignature" in network.refused("merchant", "change-signer", str(tmp_path / "forged.json"), *REASON)
    assert "changes.0.key" in network.refused("merchant", "change-signer", _without_key(tmp_path, changed), *REASON)


def _without_key(directory: Path, changed: dict[str, Any]) -> str:
    del changed["changes"][0]["key"]
    (directory / "odd.json").write_text(json.dumps(changed))
    return str(directory / "odd.json")


def test_an_agreement_ends_on_a_merchants_signature(network: Network) -> None:
    harness = network.harness
    agreement, at = harness.agreement, int(time.time()) + 86_400
    signature = harness.sign(1, termination_struct_hash(1, at))
    signed = ("--at", str(at), "--signature", hex_of(full_signature(signature)))
    command = ("agreement", "terminate", agreement, "--merchant")
    assert "BadSignature" in network.refused(*command, "cine", *signed, *REASON)
    assert "number 0) is no party to agreement" in network.refused(*command, "0", *signed, *REASON)
    assert "--signature: must be 0x and 128 or 130" in network.refused(*command, "fuel", "--signature", "0x12", *REASON)
    code, said = network.run(*command, "fuel", *signed, "--dry-run")
    assert (code, "valid until: " in said) == (0, True)
    assert network.outcome(*command, "fuel", *signed, *REASON)["outcome"] == "done"
    ends = network.state.agreement(1)
    assert ends is not None
    assert ends.valid_until == at
    (asked,) = network.audited("agreement.termination_requested")
    assert (asked.subject, asked.data["reason"]) == (agreement, "a test")
    assert "Nothing changes" in network.done("agreement", "terminate", "1", "--merchant", "fuel", *signed, *REASON)
    by_managed_key = network.outcome("agreement", "terminate", "1", "--merchant", "cine", *REASON)
    assert by_managed_key["after"]["valid_until"] < by_managed_key["before"]["valid_until"]


def test_a_cap_is_lowered_at_once_and_raised_the_day_after_the_next(network: Network) -> None:
    lowered = network.outcome("program", "cap", "FUEL", "1000", *REASON)
    assert lowered["after"] == {"issuance_cap": 1_000, "next_issuance_cap": 1_000}
    assert "Nothing changes" in network.done("program", "cap", "1", "1000", *REASON)
    raised = network.outcome("program", "cap", "FUEL", "5000", *REASON)
    assert raised["after"] == {"issuance_cap": 1_000, "next_issuance_cap": 5_000}
    assert "Nothing changes" in network.done("program", "cap", "FUEL", "5000", *REASON)
    called_off = network.outcome("program", "cap", "FUEL", "1000", *REASON)
    assert (called_off["outcome"], called_off["before"]) == ("done", raised["after"])
    assert called_off["sender"] is None, "it is the operator's, so it goes through the queue"
    assert "POINTS: must be 0 (no cap) to" in network.refused("program", "cap", "FUEL", str(2**64), *REASON)
    with network.harness.database.session() as session:
        query = select(Event).where(Event.type == "program.issuance_cap_changed").order_by(Event.seq)
        told = [(one.data["after"], one.actor) for one in session.scalars(query)]
    assert told == [(one["after"], "projector") for one in (lowered, raised, lowered)]


def test_a_closed_merchant_stays_closed(network: Network) -> None:
    merchant = network.newcomer()
    assert "It signs nothing more, for ever" in network.done("merchant", "close", str(merchant), *REASON)
    assert network.merchant(merchant).status is MerchantStatus.CLOSED
    assert "Nothing changes" in network.done("merchant", "close", str(merchant), *REASON)
    assert "is closed, and that is final" in network.refused("merchant", "resume", str(merchant), *REASON)
    with network.harness.database.session() as session:
        told = session.scalars(
            select(Event).where(Event.type == "merchant.status_changed", Event.merchant_number == merchant)
        )
        assert [one.actor for one in told] == ["projector"], "it came through the queue"


# -------------------------------------------------------------------- from here, with nothing but a node


def test_the_network_is_paused_with_nothing_but_a_node_and_the_key(network: Network, tmp_path: Path) -> None:
    network.set(DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    said = network.done("contract", "pause", *REASON, daemons=False)
    assert "paused: no -> yes" in said
    assert (
        "The audit log gets what the chain says, without your name and reason: TONGDUI_DATABASE_URL: there is no"
        in said
    )
    assert re.search(r"Done in block \d+, transaction 0x[0-9a-f]{64}", said)
    assert network.state.is_paused()
    assert "Nothing changes: paused is yes already" in network.done("contract", "pause", *REASON, daemons=False)
    assert "there is none here; give its number on the chain" in network.refused("program", "pause", "FUEL", *REASON)
    assert "running" in network.done("contract", "resume", *REASON, daemons=False) or not network.state.is_paused()
    assert network.outcome("program", "pause", "1", *REASON, daemons=False)["after"] == {"paused": True}
    assert network.outcome("program", "resume", "1", *REASON, daemons=False)["before"] == {"paused": True}


def test_during_a_pause_a_merchant_is_suspended_and_not_resumed(network: Network) -> None:
    network.done("contract", "pause", *REASON)
    assert network.outcome("merchant", "suspend", "2", *REASON)["outcome"] == "done"
    paused = "the contract is paused; `clearing contract resume` lets it go on (EnforcedPause)"
    assert paused in network.refused("merchant", "resume", "2", *REASON)
    code, said = network.run("merchant", "resume", "2", "--dry-run")
    assert (code, paused in said) == (1, True)
    network.done("contract", "resume", *REASON)
    assert network.outcome("merchant", "resume", "2", *REASON)["outcome"] == "done"


def test_an_operators_call_goes_past_the_queue_without_a_database(network: Network, tmp_path: Path) -> None:
    network.set(DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert "Without it, --direct signs and sends the call here" in network.refused("merchant", "suspend", "2", *REASON)
    assert network.outcome("merchant", "suspend", "2", "--direct", *REASON, daemons=False)["outcome"] == "done"
    assert network.outcome("merchant", "resume", "2", "--direct", *REASON, daemons=False)["outcome"] == "done"


def test_the_queue_goes_on_after_its_key_was_used_past_it(network: Network) -> None:
    network.outcome("merchant", "suspend", "2", *REASON)
    network.outcome("merchant", "resume", "2", "--direct", *REASON)
    assert network.outcome("merchant", "suspend", "2", *REASON)["outcome"] == "done"
    network.outcome("merchant", "resume", "2", *REASON)


def test_a_command_that_was_killed_before_it_sent_signs_the_same_again(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, before = network.harness.keys.address("pauser"), _pauses(network)
    with monkeypatch.context() as patch:
        patch.setattr(ChainClient, "send_raw", _killed)
        with pytest.raises(KeyboardInterrupt):
            cli.main(["contract", "pause", *REASON])
    assert not network.state.is_paused()
    nonce = network.harness.client.next_nonce(key)
    network.done("contract", "pause", *REASON)
    assert (network.harness.client.next_nonce(key), _pauses(network)) == (nonce + 1, before + 1)
    assert {event.data["transaction"] for event in network.audited("contract.pause_requested")[-2:]} == {
        hex_of(_newest_transaction(network, key))
    }, "the very same transaction"
    network.done("contract", "resume", *REASON)


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("try_out", "Nothing changes: paused is yes already"),
        ("make_here", "Another transaction has done it: paused is yes"),
    ],
)
def test_a_command_that_was_killed_before_its_block_is_done_once(
    network: Network, chain: Anvil, monkeypatch: pytest.MonkeyPatch, step: str, says: str
) -> None:
    """The block comes after the next command has looked, before it tries the call out or before it sends it."""
    key, before = network.harness.keys.address("pauser"), _pauses(network)
    nonce = network.harness.client.next_nonce(key)
    take = getattr(carrying_out, step)

    def mined(*arguments: Any) -> Any:
        chain.rpc("evm_mine")
        return take(*arguments)

    chain.rpc("evm_setAutomine", False)
    try:
        said = network.refused("contract", "pause", *REASON, "--timeout", "0.3")
        assert "is in no block after 0.3 s" in said
        assert "a transaction that the pauser account" in network.refused(
            "contract", "pause", *REASON, "--timeout", "0.3"
        )
        with monkeypatch.context() as patch:
            patch.setattr(carrying_out, step, mined)
            assert says in network.done("contract", "pause", *REASON, daemons=False)
    finally:
        chain.rpc("evm_setAutomine", True)
    assert (network.harness.client.next_nonce(key), _pauses(network)) == (nonce + 1, before + 1)
    network.done("contract", "resume", *REASON)


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


def _pauses(network: Network) -> int:
    topic = "0x62e78cea01bee320cd4e420270b5ea74000d11b0c9f74754ebdbfc544b05a258"  # keccak256("Paused(address)")
    wanted = {"address": network.harness.settings.contract, "fromBlock": "0x0", "topics": [topic]}
    return len(network.harness.client.call("eth_getLogs", wanted))


def _newest_transaction(network: Network, sender_address: str) -> bytes:
    client = network.harness.client
    blocks = client.blocks(client.head() - 3, client.head(), network.harness.settings.contract)
    return [one.tx_hash for block in blocks for one in block.receipts if one.sender == sender_address][-1]


# -------------------------------------------------------------------- roles and owner


def _key_file(path: Path) -> str:
    """Makes a key file, under a password that is cheap to check; the key's address in lower case."""
    address, keystore = Keyring("secret").create()
    path.write_text(keystore)
    return address


def test_a_call_is_printed_for_a_signer_elsewhere(network: Network) -> None:
    somebody = Account.create().address
    code, printed = network.run("role", "grant", "pauser", somebody, "--print-call")
    call = json.loads(_json_in(printed))
    assert (code, call["function"], call["arguments"]) == (0, "setRole(uint8,address,bool)", [3, somebody, True])
    assert (call["to"].lower(), call["refusal"]) == (network.harness.settings.contract.lower(), None)
    (owner,) = call["senders"]
    assert owner.lower() == network.harness.keys.address("admin")
    assert not network.state.has_role("pauser", somebody)
    fields = {name: value for name, value in call["transaction"].items() if name != "from"}
    signed = Account.sign_transaction(fields, network.harness.keys.private_key("admin"))
    assert network.harness.client.send_raw([bytes(signed.raw_transaction)]) == [None]
    assert network.state.has_role("pauser", somebody)
    assert somebody in network.outcome("contract", "show")["roles"]["pauser"]
    taken = network.outcome("role", "take", "pauser", somebody, *REASON)
    assert taken["after"] == {"role": "pauser", "held": False}
    assert (not network.state.has_role("pauser", somebody)) is True
    (asked,) = network.audited("contract.role_take_requested")
    assert asked.data["sender"] == network.harness.keys.address("admin")


def test_the_ownership_moves_in_two_steps_and_back(network: Network, tmp_path: Path) -> None:
    key = _key_file(tmp_path / "next.json")
    (tmp_path / "password").write_text("secret\n")
    (tmp_path / "wrong").write_text("wrong\n")
    here = ("--key-file", str(tmp_path / "next.json"), "--password-file", str(tmp_path / "password"))
    assert "nothing to accept" in network.refused("owner", "accept", *here, *REASON)
    assert "stays the owner until" in network.done("owner", "propose", key, *REASON)
    assert "--key-file: is missing" in network.refused("owner", "accept", *REASON)
    assert "the password does not open" in network.refused(
        "owner", "accept", *here[:2], "--password-file", str(tmp_path / "wrong"), *REASON
    )
    assert network.outcome("owner", "accept", *here, *REASON)["outcome"] == "done"
    assert network.state.owner() == key
    refused = network.refused("role", "grant", "operator", "0x" + "55" * 20, *REASON)
    assert (
        "is not the owner of the contract: `clearing contract show` says who is (OwnableUnauthorizedAccount)" in refused
    )
    lost = Account.create().address
    assert network.outcome("merchant", "recover-signer", "cine", lost, *here, *REASON)["outcome"] == "done"
    assert network.state.signer(lost).merchant == 2
    admin = network.harness.keys.address("admin")
    network.done("owner", "propose", admin, *here, *REASON)
    (tmp_path / "password").write_text(password_of("admin"))
    file = str(network.harness.settings.keystore_dir / "admin.json")
    network.done("owner", "accept", "--key-file", file, "--password-file", str(tmp_path / "password"), *REASON)
    assert network.state.owner() == admin
    assert len(network.audited("contract.owner_acceptance_requested")) == 2


# -------------------------------------------------------------------- what the audit log says


def test_what_was_asked_for_here_is_in_the_audit_log_once_and_what_was_not_too(
    network: Network, tmp_path: Path
) -> None:
    """A multisig's call, or one with a stolen key, passes no command: the chain tells of it."""
    network.harness.settle()
    before = {one: len(network.audited(one)) for one in ("contract.paused", "contract.pause_requested")}
    network.done("contract", "pause", *REASON)
    network.harness.settle()
    assert len(network.audited("contract.paused")) == before["contract.paused"]
    assert len(network.audited("contract.pause_requested")) == before["contract.pause_requested"] + 1
    network.set(DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    resumed = network.outcome("contract", "resume", *REASON, daemons=False)
    suspended = network.outcome("merchant", "suspend", "2", "--direct", *REASON, daemons=False)
    network.outcome("merchant", "resume", "2", "--direct", *REASON, daemons=False)
    network.harness.settle()
    (told,) = [one for one in network.audited("contract.resumed") if one.data["transaction"] == resumed["transaction"]]
    assert (told.actor, told.data["sender"]) == ("chain", resumed["sender"].lower())
    assert (told.data["before"], told.data["after"]) == ({"paused": True}, {"paused": False})
    (status,) = [
        one for one in network.audited("merchant.status_changed") if one.data["transaction"] == suspended["transaction"]
    ]
    assert (status.actor, status.merchant_number, status.data["after"]) == ("chain", 2, {"status": "suspended"})
    with network.harness.database.session() as session:
        granted = session.scalars(select(Event).where(Event.type == "contract.role_granted"))
        assert {one.data["after"]["role"] for one in granted} >= {"operator", "sequencer", "treasury", "pauser"}


# -------------------------------------------------------------------- what is refused, and how


def test_each_mistake_is_named_with_its_mend(network: Network, tmp_path: Path) -> None:
    for command, words in (
        (("merchant", "suspend", "cin", *REASON), "MERCHANT: there is no merchant cin; did you mean cine (mer_"),
        (("merchant", "suspend", "99", *REASON), "MERCHANT: there is no merchant 99"),
        (("merchant", "close", "0", *REASON), "MERCHANT: 0 is the operator itself"),
        (("program", "pause", "FEUL", *REASON), "PROGRAM: there is no program FEUL; did you mean FUEL?"),
        (("agreement", "terminate", "agr_x", "--merchant", "1", *REASON), "AGREEMENT: there is no agreement agr_x"),
        (("contract", "pause", "--yes"), "--reason: is missing; say why, for the audit log"),
        (("contract", "pause", "--reason", "x"), "--yes: is missing, and there is no terminal"),
        (("contract", "pause", "--dry-run", "--print-call"), "--print-call: sends nothing, as --dry-run does"),
        (("contract", "pause", "--timeout", "0"), "--timeout: must be more than 0"),
        (("contract", "pause", "--password-file", "x"), "--password-file: is the password of --key-file"),
        (("contract", "pause", "--key-file", f"{tmp_path}/no", *REASON), "--key-file: there is no file"),
        (("owner", "propose", network.harness.keys.address("admin"), *REASON), "is the owner already"),
    ):
        assert words in network.refused(*command), command


def test_keys_and_nodes_that_are_not_right(network: Network, tmp_path: Path) -> None:
    stranger = _key_file(tmp_path / "key.json")
    (tmp_path / "password").write_text("secret")
    command = ("contract", "pause", "--key-file", f"{tmp_path}/key.json", "--password-file", f"{tmp_path}/password")
    grant = f"lacks the role pauser; the owner gives it with `clearing role grant pauser {stranger}`"
    assert grant in network.refused(*command, *REASON)
    code, said = network.run(*command, "--dry-run")
    assert (code, grant in said) == (1, True)
    assert "Nothing was sent" in said
    network.set(PAUSER_PASSWORD="wrong")
    assert "TONGDUI_PAUSER_PASSWORD: does not open" in network.refused("contract", "pause", *REASON)
    network.set(KEYSTORE_DIR=str(tmp_path))
    assert "TONGDUI_KEYSTORE_DIR: there is no key file" in network.refused("contract", "pause", *REASON)
    network.set(RPC_URL="http://127.0.0.1:9")
    assert "TONGDUI_RPC_URL: no chain node answers at 127.0.0.1:9" in network.refused("contract", "pause", *REASON)


def test_nothing_is_sent_when_the_person_at_the_terminal_says_no(
    network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", _Terminal("because\nn\n"))
    code, said = network.run("contract", "pause")
    assert (code, "Nothing was sent." in said) == (1, True)
    assert not network.state.is_paused()
    monkeypatch.setattr("sys.stdin", _Terminal("because\ny\n"))
    network.done("contract", "pause")
    assert network.audited("contract.pause_requested")[-1].data["reason"] == "because"
    monkeypatch.setattr("sys.stdin", _Terminal("y\n"))
    network.done("contract", "resume", "--reason", "enough")
    assert not network.state.is_paused()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


# -------------------------------------------------------------------- a timelock as the owner


def test_a_timelock_as_the_owner_is_told_first_and_executes_after_its_delay(
    network: Network, chain: Anvil, tmp_path: Path
) -> None:
    key = _key_file(tmp_path / "key.json")
    (tmp_path / "password").write_text("secret")
    here = ("--key-file", str(tmp_path / "key.json"), "--password-file", str(tmp_path / "password"))
    timelock, admin = _timelock(network, key), network.harness.keys.address("admin")
    assert "is a contract." in network.done("owner", "propose", timelock, *REASON)
    assert network.outcome("owner", "accept", *here, *REASON)["outcome"] == "scheduled"
    _pass_delay(chain)
    assert network.outcome("owner", "accept", *here, *REASON)["outcome"] == "done"
    assert network.state.owner() == timelock

    grant = ("role", "grant", "treasury", Account.create().address)
    refused = network.refused(*grant, *REASON)
    assert f"{admin} is no proposer of the timelock (AccessControlUnauthorizedAccount)" in refused
    code, said = network.run(*grant, *here, "--dry-run")
    assert (code, f"now it is scheduled in the timelock {timelock}" in said.lower()) == (0, True)
    for nonce in range(2):  # the second round is another operation, and not the first one again
        scheduled = network.outcome(*grant, *here, *REASON)
        assert (scheduled["outcome"], scheduled["transaction"][:2]) == ("scheduled", "0x")
        waiting = network.outcome(*grant, *here, *REASON)
        assert (waiting["outcome"], waiting["operation"]) == ("scheduled", scheduled["operation"])
        assert waiting["transaction"] is None, "it is not scheduled twice"
        printed = json.loads(_json_in(network.done(*grant, "--print-call")))
        assert (printed["timelock"]["next"], printed["transaction"]) == ("wait", None)
        assert (printed["senders"][0].lower(), printed["refusal"]) == (timelock, None)
        _pass_delay(chain)
        assert network.outcome(*grant, *here, *REASON)["outcome"] == "done"
        assert network.state.has_role("treasury", grant[3])
        if not nonce:
            take = ("role", "take", *grant[2:], *here, *REASON)
            network.outcome(*take)
            _pass_delay(chain)
            network.outcome(*take)
            assert not network.state.has_role("treasury", grant[3])
    back = ("owner", "propose", admin, *here, *REASON)
    network.outcome(*back)
    _pass_delay(chain)
    network.outcome(*back)
    (tmp_path / "admin").write_text(password_of("admin"))
    file = str(network.harness.settings.keystore_dir / "admin.json")
    network.done("owner", "accept", "--key-file", file, "--password-file", str(tmp_path / "admin"), *REASON)
    assert network.state.owner() == admin


_DELAY = 3_600


def _timelock(network: Network, proposer: str) -> str:
    """Deploys OpenZeppelin's timelock, with one key that proposes and executes; its address."""
    build = ROOT / "node_modules/@openzeppelin/contracts/build/contracts/TimelockController.json"
    nobody = "0x" + 40 * "0"
    arguments = encode(["uint256", "address[]", "address[]", "address"], [_DELAY, [proposer], [proposer], nobody])
    fields = {
        "chainId": network.harness.settings.chain_id,
        "nonce": 0,
        "gas": 5_000_000,
        "gasPrice": 0,
        "value": 0,
        "data": json.loads(build.read_text())["bytecode"] + arguments.hex(),
    }
    signed = Account.create().sign_transaction(fields)
    assert network.harness.client.send_raw([bytes(signed.raw_transaction)]) == [None]
    receipt = network.harness.client.call("eth_getTransactionReceipt", hex_of(bytes(signed.hash)))
    return str(receipt["contractAddress"])


def _pass_delay(chain: Anvil) -> None:
    chain.rpc("evm_increaseTime", _DELAY)
    chain.rpc("evm_mine")


# -------------------------------------------------------------------- nothing is left out

_BY_COMMAND = {
    "pause": "contract pause",
    "unpause": "contract resume",
    "setProgramPaused": "program pause",
    "setIssuanceCap": "program cap",
    "setRole": "role grant",
    "transferOwnership": "owner propose",
    "acceptOwnership": "owner accept",
    "setMerchantStatus": "merchant suspend",
    "revokeSigner": "merchant revoke-signer",
    "changeSigner": "merchant change-signer",
    "recoverSigner": "merchant recover-signer",
    "terminateAgreement": "agreement terminate",
    "registerMerchant": "merchant add",
    "registerProgram": "merchant add",
    "freeze": "freeze",
    "beginImport": "succeed",
    "importLeaves": "succeed",
    "open": "succeed",
}
_NOT_BY_COMMAND = {
    "execute": "the sequencer's own work",
    "executeAtomic": "only the contract itself may call it",
    "deposit": "the treasury books money with POST /v1/deposits, under the bank's reference",
    "withdraw": "the treasury books money with POST /v1/withdrawals, under the bank's reference",
    "setCreditLimit": "POST /v1/merchants/{merchant}/credit_limit",
    "registerAgreement": "follows from both merchants' signatures (POST /v1/agreements/{agreement}/signatures)",
}


def test_every_function_that_changes_the_contract_has_a_command_or_a_reason_why_not(network: Network) -> None:
    changing = {
        one["name"]
        for one in artifact()["abi"]
        if one["type"] == "function" and one["stateMutability"] not in ("view", "pure")
    }
    assert changing == _BY_COMMAND.keys() | _NOT_BY_COMMAND.keys()
    for command in sorted(set(_BY_COMMAND.values())):
        code, printed = network.run(*command.split(), "--help", daemons=False)
        assert (code, f"usage: clearing {command}" in printed) == (0, True)
