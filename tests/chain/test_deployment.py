"""`clearing deploy` where gas costs money and where it does not: what it needs it says, and a second run goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clearing.chain import sender
from clearing.chain.client import ChainClient
from clearing.chain.contract_code import Fault, contract_fault
from clearing.chain.deployment import CannotDeploy, contract_address, deploy, without_funds
from clearing.chain.fees import FeesTooLow
from clearing.chain.sender import CannotSend
from clearing.kit.signing.role_keys import ROLES, RoleKeys
from scripts.dev.services import Anvil, anvil
from tests.support.secrets import role_keys

GWEI = 10**9
CEILING = 100 * GWEI
SHANGHAI = 28_800


@pytest.fixture(scope="module")
def costly() -> Iterator[Anvil]:
    """A chain with a base fee, on which nobody has anything."""
    with anvil() as node:
        node.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        node.rpc("evm_mine")
        yield node


@pytest.fixture
def keys(tmp_path: Path) -> RoleKeys:
    found = role_keys(tmp_path / "keys")
    for role in ROLES:
        found.ensure(role)
    return found


@pytest.fixture
def client(costly: Anvil) -> Iterator[ChainClient]:
    own = ChainClient(costly.url)
    yield own
    own.close()


def _deploy(client: ChainClient, keys: RoleKeys, ceiling: int | None = CEILING, offset: int = SHANGHAI) -> str:
    return deploy(client, keys, operator_name="Test", utc_offset_seconds=offset, max_fee_per_gas=ceiling)


def test_fees_that_no_block_takes_are_refused_by_the_name_of_the_setting(client: ChainClient, keys: RoleKeys) -> None:
    with pytest.raises(
        FeesTooLow, match=r"^TONGDUI_MAX_FEE_PER_GAS: is not set, .* gas costs \d+ wei now; set at least"
    ):
        _deploy(client, keys, None)
    with pytest.raises(
        FeesTooLow, match=r"^TONGDUI_MAX_FEE_PER_GAS: is 5 wei, but on this chain gas costs \d+ wei now"
    ):
        _deploy(client, keys, 5)


def test_an_account_without_funds_is_told_how_much_it_needs_and_with_that_it_deploys(
    costly: Anvil, client: ChainClient, keys: RoleKeys
) -> None:
    with pytest.raises(CannotSend, match=r"the admin account 0x\w{40} has 0 wei and needs \d+ wei") as refused:
        _deploy(client, keys)
    needed = int(str(refused.value).partition("needs ")[2].partition(" wei")[0])
    costly.rpc("anvil_setBalance", keys.address("admin"), hex(needed - 1))
    with pytest.raises(CannotSend, match="send it at least 1 wei"):
        _deploy(client, keys)
    costly.rpc("anvil_setBalance", keys.address("admin"), hex(needed))
    address = _deploy(client, keys)
    assert contract_fault(client, address, chain_id=31_337, utc_offset_seconds=SHANGHAI) is None
    assert set(without_funds(client, keys, CEILING)) == {"operator", "sequencer", "treasury", "pauser"}
    assert not without_funds(client, keys, None)
    spent = client.balance(keys.address("admin"))
    assert _deploy(client, keys) == address
    assert client.balance(keys.address("admin")) == spent, "nothing was missing, so nothing was sent"


def test_a_deployment_that_ended_in_the_middle_goes_on_and_outbids_what_waits(
    own_chain: Anvil, keys: RoleKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = ChainClient(own_chain.url)
    own_chain.rpc("anvil_setBalance", keys.address("admin"), hex(10**20))
    own_chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    own_chain.rpc("evm_mine")
    own_chain.rpc("evm_setAutomine", False)
    monkeypatch.setattr(sender, "_PATIENCE", 0.2)
    with pytest.raises(CannotSend, match=r"is in no block after 0.2 s; .* it goes on from here"):
        _deploy(client, keys)
    own_chain.rpc("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
    own_chain.rpc("evm_mine")
    assert not client.next_nonce(keys.address("admin")), "nobody takes it at this price"
    own_chain.rpc("evm_setAutomine", True)
    monkeypatch.setattr(sender, "_PATIENCE", 60.0)
    address = _deploy(client, keys)
    assert address == contract_address(keys.address("admin"))
    assert client.next_nonce(keys.address("admin")) == 5, "the contract and four roles, each once"
    client.close()


def test_a_key_that_was_used_before_and_another_time_zone_are_refused(chain: Anvil, keys: RoleKeys) -> None:
    client = ChainClient(chain.url)
    address = _deploy(client, keys, None)
    with pytest.raises(
        CannotDeploy, match=f"TONGDUI_UTC_OFFSET_SECONDS: must be 28800, as in the contract at {address}"
    ):
        _deploy(client, keys, None, offset=0)
    chain.rpc("anvil_setCode", address, "0x")
    with pytest.raises(
        CannotDeploy, match=r"its first one made no contract at .* deploy with an admin key that was never used"
    ):
        _deploy(client, keys, None)
    client.close()


def test_what_is_wrong_with_a_contract_is_said_with_the_setting_to_mend(chain: Anvil, keys: RoleKeys) -> None:
    client = ChainClient(chain.url)
    address = _deploy(client, keys, None)
    code = chain.rpc("eth_getCode", address, "latest")

    def fault(at: str = address, chain_id: int = 31_337, offset: int = SHANGHAI) -> Fault | None:
        return contract_fault(client, at, chain_id=chain_id, utc_offset_seconds=offset)

    assert fault() is None
    nowhere = fault(at="0x" + "11" * 20)
    assert nowhere is not None
    assert nowhere.what.startswith("there is no contract at 0x1111")
    other = fault(chain_id=5)
    assert other is not None
    assert (other.setting, other.what) == (
        "chain_id",
        f"the contract at {address} is made for chain 31337, and this is 5",
    )
    early = fault(offset=0)
    assert early is not None
    assert (early.setting, early.what[:13]) == ("utc_offset_seconds", "must be 28800")
    chain.rpc("anvil_setCode", address, code[:-2] + "00")
    changed = fault()
    assert changed is not None
    assert changed.what.startswith(f"the code at {address} is not ClearingHouse's")
    client.close()
