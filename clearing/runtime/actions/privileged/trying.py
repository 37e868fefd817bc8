"""Tries privileged calls out on the node, in the name of whoever makes them, without a transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from clearing.chain.client import ChainClient
from clearing.chain.contract import encode_call
from clearing.chain.fees import Fees
from clearing.chain.refusals import refusal_sentence
from clearing.chain.state import ContractState
from clearing.chain.timelock import Operation, Step, Timelock, timelock_refusal
from clearing.oversight.calls.call import Power, PrivilegedCall
from clearing.pipeline.old_bytes import CALL_GAS
from clearing.pipeline.simulation import simulate
from clearing.runtime.actions.privileged.site import Site
from tongdui.encoding import hex_of


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that was tried out."""

    call: PrivilegedCall
    senders: list[str]
    """Who may make it, or who is to make it here."""
    refusal: str | None
    """Why it would be refused, in a sentence."""
    timelock: str | None = None
    """The address of the timelock that is to make it for the sender."""
    operation: Operation | None = None
    """What the timelock has of it."""

    @property
    def sender(self) -> str | None:
        """In whose name it was tried out; None if nobody has the power."""
        return self.senders[0] if self.senders else None


def try_out(site: Site, call: PrivilegedCall, account: str | None) -> Trial:
    """Tries a call out in the name of `account`; without one, of whoever has the power now."""
    having = _having(site.state, call.power)
    timelock = _timelock_among(site.client, having, call.power)
    data = encode_call(call.function, call.arguments)
    if timelock is not None:
        return _through(site, timelock, call, data, account)
    senders = having if account is None else [account]
    if not senders:
        return Trial(call, [], f"nobody has the role {call.power}")
    return Trial(call, senders, _refusal(site, senders[0], data))


def unsigned_transaction(site: Site, trial: Trial) -> dict[str, Any] | None:
    """The transaction that the sender would have to sign, if that is a key and no contract such as a multisig or a timelock."""
    if trial.sender is None or site.state.has_code(trial.sender):
        return None
    numbers = {
        "chainId": site.settings.chain_id,
        "nonce": site.client.next_nonce(trial.sender),
        "gas": CALL_GAS,
        "value": 0,
        **Fees(site.client, site.settings.max_fee_per_gas).first(),
    }
    return {
        "from": trial.sender,
        "to": to_checksum_address(site.settings.contract),
        "data": hex_of(encode_call(trial.call.function, trial.call.arguments)),
        **{name: hex(number) for name, number in numbers.items()},
    }


def _having(state: ContractState, power: Power) -> list[str]:
    """Who has the power now."""
    match power:
        case Power.OWNER:
            found = [state.owner()]
        case Power.NEXT_OWNER:
            named = state.pending_owner()
            found = [] if named is None else [named]
        case Power.PAUSER:
            found = state.holders("pauser")
        case _:
            found = state.holders("operator")
    return [str(to_checksum_address(one)) for one in found]


def _timelock_among(client: ChainClient, having: list[str], power: Power) -> Timelock | None:
    is_owners = power in (Power.OWNER, Power.NEXT_OWNER)
    return Timelock.at(client, having[0]) if is_owners and having else None


def _through(site: Site, timelock: Timelock, call: PrivilegedCall, data: bytes, account: str | None) -> Trial:
    """Tries out what the timelock would do, and whether it lets the account take the next step."""
    operation = timelock.operation(to_checksum_address(site.settings.contract), data)
    refusal = _refusal(site, timelock.address, data)
    if refusal is None and account is not None and operation.step is not Step.WAIT:
        error = simulate(site.client, sender=account, contract=timelock.address, data=operation.data, gas=CALL_GAS)
        refusal = None if error is None else timelock_refusal(error)
    senders = [timelock.address] if account is None else [account]
    return Trial(call, senders, refusal, timelock.address, operation)


def _refusal(site: Site, sender: str, data: bytes) -> str | None:
    error = simulate(site.client, sender=sender, contract=site.settings.contract, data=data, gas=CALL_GAS)
    return None if error is None else refusal_sentence(error)
