"""The contract handed to a timelock on anvil: announced, waited for, executed; called off; refused to everybody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from clearing.chain.client import ChainClient
from clearing.chain.contract import PAUSER, encode_call
from clearing.chain.deployment import deploy
from clearing.chain.fees import Fees
from clearing.chain.sender import CannotSend, Sender, Sending
from clearing.chain.state import ContractState
from clearing.chain.timelock import Step, Timelock
from clearing.chain.timelock_deployment import TimelockTerms, hand_over
from scripts.dev.services import Anvil
from tests.chain.test_deployment import ROLES
from tests.gateway.site import until
from tests.support.secrets import role_keys
from tongdui.encoding import keccak256

DELAY = 86_400
GAS = 500_000


def test_the_contract_is_handed_to_a_timelock_which_does_only_what_was_announced(
    own_chain: Anvil, tmp_path: Path
) -> None:
    client = ChainClient(own_chain.url)
    keys = role_keys(tmp_path / "keys")
    for role in ROLES:
        keys.ensure(role)
    house = deploy(client, keys, operator_name="Test", utc_offset_seconds=28_800)
    state, admin = ContractState(client, house), keys.signer("admin")
    proposer, executor, stranger = (Account.create() for _ in range(3))
    terms = TimelockTerms(DELAY, [proposer.address], [executor.address])
    address = hand_over(client, admin, house, terms)
    assert hand_over(client, admin, house, terms) == address  # again changes nothing
    timelock = Timelock(client, address)
    assert (state.owner(), state.pending_owner()) == (keys.address("admin"), address.lower())  # two steps

    def sent(account: LocalAccount, data: bytes) -> bool:
        raw = account.sign_transaction(
            {
                "chainId": client.chain_id(),
                "nonce": client.next_nonce(account.address),
                "to": address,
                "data": data,
                "gas": GAS,
                "gasPrice": 0,
                "value": 0,
            }
        ).raw_transaction
        client.send_raw([bytes(raw)])
        return until(lambda: client.receipt(keccak256(bytes(raw)))).succeeded  # anvil answers before it mines

    def wait(seconds: int) -> None:
        own_chain.rpc("evm_increaseTime", hex(seconds))
        own_chain.rpc("evm_mine")

    acceptance = timelock.operation(house, encode_call("acceptOwnership", []))
    assert not sent(stranger, acceptance.schedule)
    assert sent(proposer, acceptance.schedule)
    assert not sent(proposer, acceptance.schedule)  # once
    wait(DELAY - 100)
    assert not sent(executor, acceptance.execute)  # too early
    wait(100)
    assert not sent(stranger, acceptance.execute)
    assert sent(executor, acceptance.execute)
    assert (state.owner(), state.pending_owner()) == (address.lower(), None)

    grant = encode_call("setRole", [PAUSER, stranger.address, True])
    operation = timelock.operation(house, grant)
    assert sent(proposer, operation.schedule)
    cancel = keccak256(b"cancel(bytes32)")[:4] + operation.id
    assert not sent(stranger, cancel)
    assert sent(proposer, cancel)
    wait(DELAY)
    assert not sent(executor, operation.execute)
    assert timelock.operation(house, grant).step is Step.SCHEDULE
    assert sent(proposer, operation.schedule)
    wait(DELAY)
    assert sent(executor, operation.execute)
    assert state.has_role("pauser", stranger.address)
    with pytest.raises(CannotSend):  # the former owner is nobody
        Sender(client, admin, Fees(client, None), owner="admin").send(Sending(house, grant, GAS, lambda: False))
    client.close()
