"""Changes the passwords of keys and secrets, and names who keeps a merchant's key. Neither keys nor passwords are ever shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import clearing.models  # noqa: F401 (every entry point loads every table: foreign keys point at them)
from clearing.kit.config import Settings, variable
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.passwords import Purpose, passwords_of
from clearing.kit.signing.remote import RemoteSigners, is_reference
from clearing.kit.signing.role_keys import ROLES, RoleKeys, write_key_file
from clearing.oversight.sealing.service import Outcome, SealingService
from clearing.parties.merchants.models import SignerKey
from clearing.parties.merchants.repository import MerchantRepository
from clearing.parties.merchants.service import keep_elsewhere
from clearing.runtime.actions.terminal import DIFFERS, actor, console
from clearing.runtime.preflight.database import open_database
from clearing.runtime.preflight.keys import open_role_keys, require_password
from clearing.runtime.preflight.refusal import CannotRun


def rewrap(settings: Settings, name: str, *, dry_run: bool) -> int:
    """Brings a role's key, or all that is kept for a purpose, under the first of its passwords."""
    require_password(settings, name)
    _require_different(settings, name)
    if name == Purpose.MAILED_LINKS:
        console.print("Nothing to do: links are derived. Those that wait for their mail are made with either password.")
        return 0
    found = (_rewrap_role if name in ROLES else _rewrap_purpose)(settings, name, dry_run=dry_run)
    done, before = len(found[Outcome.REWRAPPED]), len(found[Outcome.CURRENT])
    would = "would come" if dry_run else "came"
    console.print(f"{name}: {done} {would} under the new password, {before} were under it already.")
    for key in found[Outcome.CLOSED]:
        console.print(f"{name}: no password opens {key}; add the one that does as a further line", soft_wrap=True)
    return DIFFERS if found[Outcome.CLOSED] else 0


def link(settings: Settings, address: str, reference: str, *, dry_run: bool) -> int:
    """Has a merchant's key managed by whoever keeps it elsewhere."""
    if not is_reference(reference) or reference.startswith("0x"):
        raise CannotRun("REFERENCE: must be web3signer:0x..., or awskms: and the id, ARN or alias of a key")
    with open_database(settings) as database:
        with database.reading() as session:
            _require_key(MerchantRepository(session).key(address.lower()), address)
        found = RemoteSigners(settings).signer(reference)
        if found.address != address.lower():
            raise CannotRun(f"REFERENCE: is the key of {found.address}, not of {address}; name the right one")
        found.sign(b"\x19\x01" + bytes(64))  # of no order, nor of anything else that could count
        if dry_run:
            console.print(f"{reference} signs; nothing has changed.", soft_wrap=True, highlight=False)
            return 0
        with database.session.begin() as session:
            key = _require_key(MerchantRepository(session).key(address.lower()), address)
            keep_elsewhere(session, key, reference, actor())
    console.print(f"{reference} signs wherever {address} has to.", soft_wrap=True, highlight=False)
    return 0


def _require_different(settings: Settings, name: str) -> None:
    """Refuses a change to the password that it is already."""
    passwords = passwords_of(settings, name)
    if len(set(passwords)) < len(passwords):
        raise CannotRun(
            f"{variable(f'{name}_password_file')}: has the same password twice; put the new one into the first line, and leave the "
            "old one in the second"
        )


def _require_key(key: SignerKey | None, address: str) -> SignerKey:
    if key is None:
        raise CannotRun(f"ADDRESS: no merchant has registered the key {address}")
    return key


def _rewrap_purpose(settings: Settings, name: str, *, dry_run: bool) -> Mapping[Outcome, Sequence[str]]:
    with open_database(settings) as database:
        return SealingService(database, Purpose(name), passwords_of(settings, name)).rewrap(dry_run=dry_run)


def _rewrap_role(settings: Settings, role: str, *, dry_run: bool) -> Mapping[Outcome, Sequence[str]]:
    if RoleKeys(settings).reference(role):
        raise CannotRun(f"{variable(f'{role}_key')}: somebody else keeps this key, so there is no password to change")
    keys, new = open_role_keys(settings, [role]), Keyring(*passwords_of(settings, role)[:1])
    path, outcome = keys.path(role), Outcome.CURRENT
    try:
        new.private_key(path.read_text())
    except ValueError:
        outcome = Outcome.REWRAPPED
        if not dry_run:
            write_key_file(path, new.encrypt(keys.private_key(role))[1])
    return {one: [role] if one is outcome else [] for one in Outcome}
