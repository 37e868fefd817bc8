"""A merchant after it came on board: suspended, resumed, closed; its keys ended or replaced."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from eth_utils.address import to_checksum_address
from pydantic import BaseModel, Field, ValidationError

from clearing.chain.state import MERCHANT_STATUSES, ContractState
from clearing.kit.config import Settings
from clearing.kit.json_values import instant_text
from clearing.oversight.calls.call import MerchantRequest, Power, PrivilegedCall
from clearing.runtime.actions.privileged.carrying_out import carry_out
from clearing.runtime.actions.privileged.options import Choices
from clearing.runtime.actions.privileged.site import open_site
from clearing.runtime.actions.privileged.subjects import (
    Subject,
    address_of,
    merchant_named,
    moment_of,
    unknown_on_chain,
)
from clearing.runtime.preflight.refusal import CannotRun
from tongdui import format_micros

_ACTS = {
    "active": ("let {} go on", MerchantRequest.RESUMPTION, "It issues, exchanges and takes points again."),
    "suspended": (
        "suspend {}",
        MerchantRequest.SUSPENSION,
        "It starts no new business; it still redeems, expires and reverses, so what it owes stays payable.",
    ),
    "closed": (
        "close {} for good",
        MerchantRequest.CLOSURE,
        "It signs nothing more, for ever; its points stay where they are, and its position is still paid in and out.",
    ),
}
_FOREVER = 2**40 - 1


class SignedChange(BaseModel):
    """A change of a key's window, in Unix seconds, as the merchant has signed it; signatures are hex."""

    key: str = Field(pattern=r"^0x[0-9a-fA-F]{40}$")
    valid_from: int = Field(ge=0, le=_FOREVER)
    valid_until: int = Field(ge=0, le=_FOREVER)
    nonce: int = Field(ge=0, lt=2**48)
    signature: str = Field(pattern=r"^0x([0-9a-fA-F]{128}|[0-9a-fA-F]{130})$")
    key_signature: str = Field(pattern=r"^0x([0-9a-fA-F]{130})?$")


class SignedChanges(BaseModel):
    """What `tongdui key replace` prints."""

    merchant: int = Field(ge=1)
    contract: str
    changes: list[SignedChange]


def set_status(settings: Settings, chosen: argparse.Namespace, *, status: str) -> int:
    """Suspends a merchant, lets it go on, or closes it for good."""
    what, event, consequence = _ACTS[status]
    with open_site(settings, Choices.of(chosen), Power.OPERATOR) as site:
        merchant = merchant_named(site, chosen.merchant)
        if merchant.number == 0:
            raise CannotRun("MERCHANT: 0 is the operator itself, whose status is fixed")

        def plan(state: ContractState) -> PrivilegedCall:
            found = state.merchant(merchant.number)
            if found is None:
                raise unknown_on_chain(site, merchant, "merchant")
            if found.status == "closed" and status != "closed":
                raise CannotRun(f"MERCHANT: {merchant.label} is closed, and that is final")
            return PrivilegedCall(
                what=what.format(merchant.label),
                function="setMerchantStatus",
                arguments=[merchant.number, MERCHANT_STATUSES.index(status)],
                power=Power.OPERATOR,
                event=event,
                subject=merchant.id,
                merchant=merchant.number,
                before={"status": found.status},
                after={"status": status},
                notes=(
                    consequence,
                    f"Its position is {format_micros(found.position)}, its credit limit {format_micros(found.credit_limit)}.",
                ),
            )

        return carry_out(site, plan)


def revoke_signer(settings: Settings, chosen: argparse.Namespace) -> int:
    """Ends a key of a merchant early, such as one that was stolen."""
    address = to_checksum_address(address_of("ADDRESS", chosen.address))
    with open_site(settings, Choices.of(chosen), Power.OPERATOR) as site:
        merchant = merchant_named(site, chosen.merchant)
        asked = moment_of("--at", chosen.at) if chosen.at is not None else site.state.now()

        def plan(state: ContractState) -> PrivilegedCall:
            key = state.signer(address)
            if not key.valid_until:
                raise CannotRun(f"ADDRESS: {address} is no merchant's key")
            if key.merchant != merchant.number:
                raise CannotRun(f"ADDRESS: {address} is a key of merchant {key.merchant}, and not of {merchant.label}")
            end = min(asked, key.valid_until)
            return PrivilegedCall(
                what=f"end the key {address} of {merchant.label}",
                function="revokeSigner",
                arguments=[address, end],
                power=Power.OPERATOR,
                event=MerchantRequest.REVOCATION,
                subject=merchant.id,
                merchant=merchant.number,
                before={"signer": address.lower(), "valid_until": instant_text(key.valid_until)},
                after={"signer": address.lower(), "valid_until": instant_text(end)},
                notes=(
                    "What it has signed and no batch contains is refused from then on. It cannot be lengthened again by you.",
                ),
            )

        return carry_out(site, plan)


def change_signer(settings: Settings, chosen: argparse.Namespace) -> int:
    """Brings a merchant's own change of its keys to the chain, one after the other."""
    signed = _signed_changes(chosen.file)
    if signed.contract.lower() != settings.contract.lower():
        raise CannotRun(f"FILE: is signed for the contract {signed.contract}, and this is {settings.contract}")
    with open_site(settings, Choices.of(chosen), Power.ANYONE) as site:
        merchant = merchant_named(site, str(signed.merchant))
        for change in signed.changes:
            code = carry_out(site, partial(_key_change, merchant, change))
            if code:
                return code
    return 0


def _key_change(merchant: Subject, change: SignedChange, state: ContractState) -> PrivilegedCall:
    key = state.signer(change.key)
    until = instant_text(key.valid_until) if key.valid_until else None
    window = [merchant.number, to_checksum_address(change.key), change.valid_from, change.valid_until, change.nonce]
    return PrivilegedCall(
        what=f"let the key {change.key} of {merchant.label} be valid until {instant_text(change.valid_until)}",
        function="changeSigner",
        arguments=[window, change.signature, change.key_signature],
        power=Power.ANYONE,
        event=MerchantRequest.KEY_CHANGE,
        subject=merchant.id,
        merchant=merchant.number,
        before={"signer": change.key.lower(), "valid_until": until},
        after={"signer": change.key.lower(), "valid_until": instant_text(change.valid_until)},
        notes=("The merchant has signed it: nobody can change it on the way.",),
    )


def _signed_changes(file: Path) -> SignedChanges:
    try:
        return SignedChanges.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise CannotRun(f"FILE: there is no file {file}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, fault["loc"]))
        raise CannotRun(f"FILE: {file} is not what `tongdui key replace` prints: {place} {fault['msg']}") from None


def recover_signer(settings: Settings, chosen: argparse.Namespace) -> int:
    """Gives a new key to a merchant that has lost all its keys."""
    address = to_checksum_address(address_of("ADDRESS", chosen.address))
    with open_site(settings, Choices.of(chosen), Power.OWNER) as site:
        merchant = merchant_named(site, chosen.merchant)

        def plan(state: ContractState) -> PrivilegedCall:
            if state.merchant(merchant.number) is None:
                raise unknown_on_chain(site, merchant, "merchant")
            key = state.signer(address)
            if key.valid_until and key.merchant != merchant.number:
                raise CannotRun(f"ADDRESS: {address} is a key of merchant {key.merchant} for ever; take another key")
            until = instant_text(key.valid_until) if key.valid_until else None
            return PrivilegedCall(
                what=f"give the key {address} to {merchant.label}",
                function="recoverSigner",
                arguments=[merchant.number, address],
                power=Power.OWNER,
                event=MerchantRequest.RECOVERY,
                subject=merchant.id,
                merchant=merchant.number,
                before={"signer": address.lower(), "valid_until": until},
                after={"signer": address.lower(), "valid_until": instant_text(_FOREVER)},
                notes=("Make sure that the key is the merchant's: whoever has it signs for the merchant from now on.",),
            )

        return carry_out(site, plan)
