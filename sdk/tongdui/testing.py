"""A whole network for your own tests, empty, on this machine: chain, gateway, sequencer, projector and workers.

Needs the server (`pip install tongdui[testing]`) and `anvil`. In your `conftest.py`:

```
pytest_plugins = ["tongdui.testing"]
```

A test that asks for `tongdui_network` gets a `Network`. All tests of the session share it:

```
def test_my_till(tongdui_network):
    station, cinema = tongdui_network.join("FUEL"), tongdui_network.join("CINE")
    tongdui_network.agree(station, cinema, rate="9/10")
    member = station.client.members.create(external_id="FC-1001")
    ...
```
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ._amounts import Rate, yuan
from ._approval import Approval
from ._client import Client
from ._models import Agreement, BankMovement, Merchant, Program
from ._signing import LocalSigner

SCOPES = (
    *("issue", "redeem", "exchange", "spend", "transfer", "reverse", "expire"),
    *("agree", "members", "settle", "webhooks", "read", "keys"),
)
_START_SECONDS = 300.0
_STOP_SECONDS = 60.0
_WAIT = 60.0
_PR_SET_PDEATHSIG = 1


class NetworkFailed(Exception):
    """The network did not start. The message has the end of its output."""


@dataclass(frozen=True, slots=True)
class Acceptor:
    """A merchant that signs for itself. It has no program, but may take others' points. `client` acts for the merchant."""

    merchant: Merchant
    signer: LocalSigner
    api_key: str
    client: Client


@dataclass(frozen=True, slots=True)
class Participant(Acceptor):
    """A merchant that signs for itself, with its program. `client` acts for the merchant."""

    program: Program


@dataclass(slots=True)
class Network:
    """A running network. `operator`, `treasury` and `auditor` are clients with these roles."""

    url: str
    rpc_url: str
    directory: Path
    api_keys: dict[str, str]
    operator: Client
    treasury: Client
    auditor: Client
    participants: list[Acceptor] = field(default_factory=list)

    @property
    def contract(self) -> str:
        """The clearing house's address."""
        return self.operator.network.get().contract

    def join(
        self,
        code: str,
        *,
        name: str | None = None,
        deposit_micros: int = yuan(10_000),
        credit_limit_micros: int = 0,
        default_lifetime_days: int | None = None,
    ) -> Participant:
        """Add a merchant with a program, a key of its own, money, and an API key that may do everything.

        Args:
            code: The program's code.
            name: The name of merchant and program. By default `code`.
            deposit_micros: How much money the merchant deposits.
            credit_limit_micros: How far below zero its position may go.
            default_lifetime_days: How long points of the program live. By default for ever.

        Returns:
            The merchant with its client.
        """
        merchant = self._merchant(name or code, deposit_micros, credit_limit_micros)
        program = self.operator.programs.create(
            merchant=merchant.merchant,
            code=code,
            name=name or code,
            default_lifetime_days=default_lifetime_days,
            wait=_WAIT,
        )
        participant = Participant(merchant.merchant, merchant.signer, merchant.api_key, merchant.client, program)
        self.participants.append(participant)
        return participant

    def join_acceptor(self, name: str, *, deposit_micros: int = yuan(10_000), credit_limit_micros: int = 0) -> Acceptor:
        """Add a merchant without a program, which takes others' points for goods, such as a car wash.

        Args:
            name: The name of the merchant.
            deposit_micros: How much money the merchant deposits.
            credit_limit_micros: How far below zero its position may go.

        Returns:
            The merchant with its client.
        """
        acceptor = self._merchant(name, deposit_micros, credit_limit_micros)
        self.participants.append(acceptor)
        return acceptor

    def _merchant(self, name: str, deposit_micros: int, credit_limit_micros: int) -> Acceptor:
        signer = LocalSigner.generate()
        merchant = self.operator.merchants.create(name=name, signer_address=signer.address, wait=_WAIT)
        if credit_limit_micros:
            self.lend(merchant, credit_limit_micros)
        if deposit_micros:
            self.deposit(merchant, deposit_micros)
        secret = self.first_key(merchant)
        client = Client(self.url, secret, signer=signer, merchant=merchant.id, rpc_url=self.rpc_url)
        return Acceptor(merchant, signer, secret, client)

    def first_key(self, merchant: Merchant, scopes: Sequence[str] = SCOPES) -> str:
        """Make an API key of a merchant that has no admin, as its invitation is redeemed. See `first_key` of the module."""
        return first_key(self.operator, self.treasury, merchant, scopes)

    def deposit(self, merchant: Merchant, micros: int, bank_reference: str | None = None) -> BankMovement:
        """Book money that has arrived: the treasury asks, and the operator approves. Waits for the chain."""
        return deposit(self.treasury, self.operator, merchant, micros, bank_reference)

    def lend(self, merchant: Merchant, credit_limit_micros: int) -> None:
        """Change a merchant's credit limit: the operator asks, and the treasury approves. Waits for the chain."""
        lend(self.operator, self.treasury, merchant, credit_limit_micros)

    def agree(
        self,
        source: Participant,
        target: Participant,
        *,
        rate: Rate = 1,
        unit_price_micros: int = yuan("0.01"),
        max_points: int = 100_000,
        daily_cap: int = 10**12,
        fee_bps: int = 0,
        days: int = 30,
        initiators: Sequence[str] = ("source",),
    ) -> Agreement:
        """Make an exchange agreement between two participants, signed by both and in force.

        Args:
            source: Whose points are exchanged.
            target: Whose points the member gets.
            rate: Target points for one source point.
            unit_price_micros: What the source merchant pays for each target point.
            max_points: The most source points of one movement.
            daily_cap: The most source points of one day.
            fee_bps: The operator's fee in basis points.
            days: How long the agreement is valid.
            initiators: Who may start an exchange: `source`, `target` (with the member's code) or both.

        Returns:
            The active agreement.
        """
        return self._agreed(
            source,
            target,
            days,
            target_program=target.program.code,
            rate=rate,
            unit_price_micros=unit_price_micros,
            max_points=max_points,
            daily_cap=daily_cap,
            fee_bps=fee_bps,
            initiators=initiators,
        )

    def agree_acceptance(
        self,
        source: Participant,
        acceptor: Acceptor,
        *,
        unit_price_micros: int = yuan("0.01"),
        max_points: int = 100_000,
        daily_cap: int = 10**12,
        fee_bps: int = 0,
        days: int = 30,
    ) -> Agreement:
        """Make an agreement by which a merchant takes a participant's points for goods, signed by both and in force.

        Both may start a spend: the acceptor with the member's code.

        Args:
            source: Whose points are taken.
            acceptor: Who takes them.
            unit_price_micros: What the source merchant pays for each point.
            max_points: The most points of one movement.
            daily_cap: The most points of one day.
            fee_bps: The operator's fee in basis points.
            days: How long the agreement is valid.

        Returns:
            The active agreement.
        """
        return self._agreed(
            source,
            acceptor,
            days,
            target_merchant=acceptor.merchant,
            initiators=("source", "target"),
            unit_price_micros=unit_price_micros,
            max_points=max_points,
            daily_cap=daily_cap,
            fee_bps=fee_bps,
        )

    def _agreed(self, source: Participant, target: Acceptor, days: int, **terms: Any) -> Agreement:
        until = datetime.now(UTC) + timedelta(days=days)
        proposal = source.client.agreements.propose(source_program=source.program.code, valid_until=until, **terms)
        return target.client.agreements.sign(proposal, wait=_WAIT)

    def close(self) -> None:
        """Close the clients."""
        for client in (
            self.operator,
            self.treasury,
            self.auditor,
            *(participant.client for participant in self.participants),
        ):
            client.close()


def first_key(operator: Client, treasury: Client, merchant: Merchant, scopes: Sequence[str] = SCOPES) -> str:
    """Bring a merchant its first access: the operator asks to invite it, the treasury approves, and the merchant redeems.

    Args:
        operator: Asks, and gets the code.
        treasury: Approves, and gets the link.
        merchant: Who is invited. It has no admin.
        scopes: What the key may do.

    Returns:
        The API key.
    """
    asked = operator.invitations.request(
        email=f"{merchant.id}@merchants.example", title="admin", merchant=merchant, reason="comes on board"
    )
    link = treasury.approvals.approve(asked).link
    assert link is not None, "this network sends mails"
    secret = operator.invitations.redeem(link, code=asked.code, scopes=scopes).secret  # anybody's client will do
    assert secret is not None
    return secret


def deposit(
    treasury: Client, operator: Client, merchant: Merchant, micros: int, bank_reference: str | None = None
) -> BankMovement:
    """Book money that has arrived at the bank.

    Args:
        treasury: Asks.
        operator: Approves.
        merchant: Whose money it is.
        micros: How much.
        bank_reference: The bank's own reference. By default one of the merchant's first deposit.

    Returns:
        The deposit, which the chain has confirmed.
    """
    reference = bank_reference or f"deposit of {merchant.id}"
    asked = treasury.deposits.create(
        merchant=merchant, micros=micros, bank_reference=reference, reason="it is on the bank's statement"
    )
    return treasury.deposits.get(_result_of(operator.approvals.approve(asked, wait=_WAIT)))


def lend(operator: Client, treasury: Client, merchant: Merchant, credit_limit_micros: int) -> None:
    """Change how far below zero a merchant's position may go. Waits for the chain.

    Args:
        operator: Asks.
        treasury: Approves.
        merchant: Whose limit it is.
        credit_limit_micros: The new limit.
    """
    asked = operator.merchants.set_credit_limit(merchant, credit_limit_micros, reason="as agreed with the merchant")
    _result_of(treasury.approvals.approve(asked, wait=_WAIT))


def _result_of(approval: Approval) -> str:
    assert approval.is_final, approval
    assert approval.result is not None, approval
    return approval.result


@contextmanager
def network(directory: str | Path, *, command: Sequence[str] | None = None) -> Iterator[Network]:
    """Run a network for the length of a `with` block.

    Args:
        directory: Where the network keeps all its files.
        command: The command that runs the server. By default this Python's `clearing`.

    Yields:
        The running network.

    Raises:
        NetworkFailed: It did not start.
    """
    home = Path(directory).absolute()
    home.mkdir(parents=True, exist_ok=True)
    gateway_port, rpc_port = _free_ports(2)
    options = ["up", "--dir", str(home), "--port", str(gateway_port), "--rpc-port", str(rpc_port), "--no-console"]
    output = home / "output.log"
    with output.open("ab") as log:
        process = subprocess.Popen(  # noqa: S603 (the caller's own command)
            [*(command or (sys.executable, "-m", "clearing")), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "TONGDUI_WEBHOOK_ALLOW_LOCAL": "true"},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 (one call into libc)
        )
    try:
        url = f"http://127.0.0.1:{gateway_port}"
        _await_ready(process, url, output)
        keys: dict[str, str] = json.loads((home / "api-keys.json").read_text())
        operator, treasury, auditor = (Client(url, keys[role]) for role in ("operator", "treasury", "auditor"))
        running = Network(url, f"http://127.0.0.1:{rpc_port}", home, keys, operator, treasury, auditor)
        try:
            yield running
        finally:
            running.close()
    finally:
        _stop(process)


@pytest.fixture(scope="session")
def tongdui_network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """A network that all tests of this session share."""
    with network(tmp_path_factory.mktemp("tongdui")) as running:
        yield running


def _await_ready(process: subprocess.Popen[bytes], url: str, output: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    with httpx.Client(timeout=30) as http:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise NetworkFailed(f"the network ended while starting: {_end_of(output)}")
            try:
                if http.get(f"{url}/readyz").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
    raise NetworkFailed(f"the network is not ready after {_START_SECONDS:.0f} seconds: {_end_of(output)}")


def _end_of(output: Path) -> str:
    return " / ".join(output.read_text(errors="replace").split("\n")[-8:]).strip(" /") or "it printed nothing"


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    """Runs in the child: when the tests are killed, the network ends with them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
