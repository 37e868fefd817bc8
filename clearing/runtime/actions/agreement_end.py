"""Ends an agreement early, on the signature of one of its merchants."""

from __future__ import annotations

import argparse

from clearing.chain.state import ContractState
from clearing.kit.config import Settings
from clearing.kit.identity import NetworkIdentity
from clearing.kit.json_values import instant_text
from clearing.kit.signing.keyrings import Keyrings
from clearing.oversight.calls.call import Power, PrivilegedCall, Termination
from clearing.parties.agreements.signatures import TypedHash, signature_of
from clearing.runtime.actions.privileged.carrying_out import carry_out
from clearing.runtime.actions.privileged.options import Choices
from clearing.runtime.actions.privileged.site import Site, open_site
from clearing.runtime.actions.privileged.subjects import (
    Subject,
    agreement_named,
    merchant_named,
    moment_of,
    unknown_on_chain,
)
from clearing.runtime.preflight.refusal import CannotRun
from tongdui.encoding import hex_of
from tongdui.orders import full_signature, signature_bytes, termination_struct_hash

_SIGNATURE_BYTES = 64


def terminate(settings: Settings, chosen: argparse.Namespace) -> int:
    """Ends an agreement early."""
    with open_site(settings, Choices.of(chosen), Power.ANYONE) as site:
        agreement = agreement_named(site, chosen.agreement)
        merchant = merchant_named(site, chosen.merchant)
        asked = moment_of("--at", chosen.at) if chosen.at is not None else site.state.now()
        signature = _signature(site, agreement, merchant, asked, chosen.signature)

        def plan(state: ContractState) -> PrivilegedCall:
            found = state.agreement(agreement.number)
            if found is None:
                raise unknown_on_chain(site, agreement, "agreement")
            if merchant.number not in found.parties:
                parties = " and ".join(map(str, found.parties))
                raise CannotRun(
                    f"--merchant: {merchant.label} is no party to {agreement.label}; merchants {parties} are"
                )
            end = min(max(asked, state.now()), found.valid_until)
            return PrivilegedCall(
                what=f"end {agreement.label}, as {merchant.label} has signed",
                function="terminateAgreement",
                arguments=[agreement.number, asked, merchant.number, hex_of(full_signature(signature))],
                power=Power.ANYONE,
                event=Termination(agreement.id, merchant.id, asked, signature),
                subject=agreement.id,
                merchant=merchant.number,
                before={"valid_until": instant_text(found.valid_until)},
                after={"valid_until": instant_text(end)},
                notes=("It can only end earlier, never later again.",),
            )

        return carry_out(site, plan)


def _signature(site: Site, agreement: Subject, merchant: Subject, asked: int, given: str | None) -> bytes:
    """The merchant's signature (64 bytes): the given one, or one by its managed key."""
    typed = TypedHash(NetworkIdentity.of(site.settings).domain, termination_struct_hash(agreement.number, asked))
    if given is not None:
        return _compact(given)
    made = None
    if site.database is not None:
        keyring = Keyrings.of(site.settings).managed_keys
        with site.database.reading() as session:
            made = signature_of(session, keyring, merchant.number, typed, None)
    if made is None:
        raise CannotRun(
            f"--signature: is missing, and no managed key of {merchant.label} is here; the merchant signs the digest "
            f"{hex_of(typed.digest)} (EIP-712, Termination of agreement {agreement.number} at {asked}): give that with --at {asked}"
        )
    return made


def _compact(text: str) -> bytes:
    try:
        signature = signature_bytes(text)
    except ValueError:
        signature = b""
    if len(signature) != _SIGNATURE_BYTES:
        raise CannotRun("--signature: must be 0x and 128 or 130 hexadecimal digits")
    return signature
