"""The contract itself: its pause, a program's, its roles and its owner."""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass

from eth_utils.address import to_checksum_address
from rich.table import Table

from clearing.chain.contract import ROLES
from clearing.chain.state import ContractState
from clearing.kit.config import Settings
from clearing.oversight.calls.call import MerchantRequest, NetworkRequest, Power, PrivilegedCall
from clearing.runtime.actions.privileged.carrying_out import carry_out
from clearing.runtime.actions.privileged.options import Choices
from clearing.runtime.actions.privileged.site import open_site
from clearing.runtime.actions.privileged.subjects import address_of, program_named, unknown_on_chain
from clearing.runtime.actions.terminal import console, write_json
from clearing.runtime.preflight.node import check_contract, open_node
from clearing.runtime.preflight.refusal import CannotRun
from tongdui.orders import UINT64_MAX


@dataclass(frozen=True, slots=True)
class Powers:
    """Who has which power over the contract, and what is stopped. Addresses are checksummed."""

    contract: str
    chain_id: int
    owner: str
    owner_is_contract: bool
    next_owner: str | None
    roles: dict[str, list[str]]
    paused: bool
    paused_programs: list[int]


def show(settings: Settings, *, as_json: bool) -> int:
    """Shows who has which power, and what is stopped."""
    check_contract(settings)
    with open_node(settings) as client:
        powers = _powers(ContractState(client, settings.contract), settings.chain_id)
    if as_json:
        write_json(asdict(powers))
    else:
        _show(powers)
    return 0


def _powers(state: ContractState, chain_id: int) -> Powers:
    owner, named = state.owner(), state.pending_owner()
    return Powers(
        contract=to_checksum_address(state.address),
        chain_id=chain_id,
        owner=to_checksum_address(owner),
        owner_is_contract=state.has_code(owner),
        next_owner=to_checksum_address(named) if named is not None else None,
        roles={role: [to_checksum_address(holder) for holder in state.holders(role)] for role in ROLES},
        paused=state.is_paused(),
        paused_programs=state.paused_programs(),
    )


def _show(powers: Powers) -> None:
    table = Table(title=f"Contract {powers.contract} on chain {powers.chain_id}", show_header=False)
    table.add_column()
    table.add_column(overflow="fold")
    table.add_row("network", "paused" if powers.paused else "running")
    if powers.paused_programs:
        table.add_row("paused programs", ", ".join(map(str, powers.paused_programs)))
    table.add_row("owner", f"{powers.owner}{' (a contract)' if powers.owner_is_contract else ''}")
    if powers.next_owner is not None:
        table.add_row("next owner", f"{powers.next_owner}, which has not accepted yet")
    for role, holders in powers.roles.items():
        table.add_row(role, "\n".join(holders) or "nobody")
    console.print(table)


# -------------------------------------------------------------------- pauses


def set_paused(settings: Settings, chosen: argparse.Namespace, *, paused: bool) -> int:
    """Stops the network, or lets it go on."""

    def plan(state: ContractState) -> PrivilegedCall:
        return PrivilegedCall(
            what="pause the contract" if paused else "let the contract go on",
            function="pause" if paused else "unpause",
            arguments=[],
            power=Power.PAUSER,
            event=NetworkRequest.PAUSE if paused else NetworkRequest.RESUME,
            subject=settings.contract.lower(),
            before={"paused": state.is_paused()},
            after={"paused": paused},
            notes=("No batch is executed until it goes on; orders whose deadline passes meanwhile expire.",)
            if paused
            else (),
        )

    with open_site(settings, Choices.of(chosen), Power.PAUSER) as site:
        return carry_out(site, plan)


def set_program_paused(settings: Settings, chosen: argparse.Namespace, *, paused: bool) -> int:
    """Stops every movement of a program, or lets them go on."""
    with open_site(settings, Choices.of(chosen), Power.PAUSER) as site:
        program = program_named(site, chosen.program)

        def plan(state: ContractState) -> PrivilegedCall:
            found = state.program(program.number)
            if found is None:
                raise unknown_on_chain(site, program, "program")
            return PrivilegedCall(
                what=f"{'pause' if paused else 'let go on'} {program.label}",
                function="setProgramPaused",
                arguments=[program.number, paused],
                power=Power.PAUSER,
                event=MerchantRequest.PROGRAM_PAUSE if paused else MerchantRequest.PROGRAM_RESUMPTION,
                subject=program.id,
                merchant=found.merchant,
                before={"paused": found.is_paused},
                after={"paused": paused},
            )

        return carry_out(site, plan)


def set_issuance_cap(settings: Settings, chosen: argparse.Namespace) -> int:
    """Caps what a program issues in a network day: a lower cap counts at once, a higher one from the day after the next."""
    points = chosen.points
    if not 0 <= points <= UINT64_MAX:
        raise CannotRun(f"POINTS: must be 0 (no cap) to {UINT64_MAX}")
    with open_site(settings, Choices.of(chosen), Power.OPERATOR) as site:
        program = program_named(site, chosen.program)

        def plan(state: ContractState) -> PrivilegedCall:
            found, cap = state.program(program.number), state.issuance_cap(program.number)
            if found is None:
                raise unknown_on_chain(site, program, "program")
            is_raise = cap.points != 0 and (points == 0 or points > cap.points)
            following = cap.next_points if cap.next_day else cap.points
            return PrivilegedCall(
                what=f"cap what {program.label} issues in a day at {points:,} points"
                if points
                else f"uncap {program.label}",
                function="setIssuanceCap",
                arguments=[program.number, points],
                power=Power.OPERATOR,
                event=MerchantRequest.ISSUANCE_CAP,
                subject=program.id,
                merchant=found.merchant,
                before={"issuance_cap": cap.points, "next_issuance_cap": following},
                after={"issuance_cap": cap.points if is_raise else points, "next_issuance_cap": points},
                notes=("A higher cap, or none, counts from the day after the next.",)
                if is_raise
                else ("It counts at once, and calls off a higher one that was to come.",),
            )

        return carry_out(site, plan)


# -------------------------------------------------------------------- roles and owner


def set_role(settings: Settings, chosen: argparse.Namespace, *, held: bool) -> int:
    """Gives an address a role, or takes it away."""
    account = to_checksum_address(address_of("ADDRESS", chosen.address))

    def plan(state: ContractState) -> PrivilegedCall:
        holders = {holder.lower() for holder in state.holders(chosen.role)} - {account.lower()}
        others = ", ".join(to_checksum_address(holder) for holder in sorted(holders)) or "nobody"
        return PrivilegedCall(
            what=f"{'give' if held else 'take'} the role {chosen.role} {'to' if held else 'from'} {account}",
            function="setRole",
            arguments=[ROLES.index(chosen.role), account, held],
            power=Power.OWNER,
            event=NetworkRequest.ROLE_GRANT if held else NetworkRequest.ROLE_TAKE,
            subject=account.lower(),
            before={"role": chosen.role, "held": state.has_role(chosen.role, account)},
            after={"role": chosen.role, "held": held},
            notes=(f"Besides, {others} has the role {chosen.role}.",),
        )

    with open_site(settings, Choices.of(chosen), Power.OWNER) as site:
        return carry_out(site, plan)


def propose_owner(settings: Settings, chosen: argparse.Namespace) -> int:
    """Names the next owner, which then has to accept."""
    account = to_checksum_address(address_of("ADDRESS", chosen.address))

    def plan(state: ContractState) -> PrivilegedCall:
        owner, pending = state.owner(), state.pending_owner()
        if owner == account.lower() and pending is None:
            raise CannotRun(f"ADDRESS: {account} is the owner already")
        return PrivilegedCall(
            what=f"name {account} as the next owner of the contract",
            function="transferOwnership",
            arguments=[account],
            power=Power.OWNER,
            event=NetworkRequest.OWNER_PROPOSAL,
            subject=settings.contract.lower(),
            before={"owner": owner, "next_owner": pending},
            after={"owner": owner, "next_owner": account.lower()},
            notes=(
                f"{to_checksum_address(owner)} stays the owner until {account} accepts with `clearing owner accept`.",
                f"{account} {'is a contract' if state.has_code(account) else 'is a key, and no contract on this chain'}.",
            ),
        )

    with open_site(settings, Choices.of(chosen), Power.OWNER) as site:
        return carry_out(site, plan)


def accept_owner(settings: Settings, chosen: argparse.Namespace) -> int:
    """Makes whoever was named the owner."""
    choices = Choices.of(chosen)
    with open_site(settings, choices, Power.NEXT_OWNER) as site:
        named = site.state.pending_owner()
        if named is None:
            raise CannotRun("there is nothing to accept: nobody is named as the next owner (`clearing owner propose`)")

        def plan(state: ContractState) -> PrivilegedCall:
            owner, next_owner = state.owner(), named
            return PrivilegedCall(
                what=f"make {to_checksum_address(next_owner)} the owner of the contract",
                function="acceptOwnership",
                arguments=[],
                power=Power.NEXT_OWNER,
                event=NetworkRequest.OWNER_ACCEPTANCE,
                subject=settings.contract.lower(),
                before={"owner": owner},
                after={"owner": next_owner},
            )

        return carry_out(site, plan)
