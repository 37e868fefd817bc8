"""Gives a merchant a new signer key and ends the old one after an overlap.

    ape run chain rotate_key --network http://127.0.0.1:8545 --merchant 3 --signer market --new-signer market-2 --overlap 86400

The merchant's present key (`--signer`, or TONGDUI_MERCHANT_KEY) signs both changes. The new key (`--new-signer`, or
TONGDUI_NEW_KEY) signs its own addition; if the merchant already has it, its address (`--new-key`) is enough. Anyone may
send the changes, so the present key sends them unless another account is named. With --overlap 0 the old key ends at
once.
"""

from __future__ import annotations

import os
from typing import Any

import click
from eth_account.messages import encode_typed_data

from scripts.chain._common import FOREVER, Session, Step, address_option, chain_command, load_account, moment, unlock
from tongdui.orders import NONCE_MAX

DAY = 86_400
FIELDS = [
    {"name": "merchant", "type": "uint32"},
    {"name": "key", "type": "address"},
    {"name": "validFrom", "type": "uint40"},
    {"name": "validUntil", "type": "uint40"},
    {"name": "nonce", "type": "uint48"},
]

Window = tuple[str, int, int]  # key, from, until


@chain_command
@click.option("--merchant", type=int, required=True, help="The merchant's number.")
@click.option("--signer", metavar="ALIAS", help="Keystore account of the present key (default: TONGDUI_MERCHANT_KEY).")
@click.option("--new-signer", metavar="ALIAS", help="Keystore account of the new key (default: TONGDUI_NEW_KEY).")
@address_option("--new-key", help="Address of the new key, if the merchant already has it.")
@click.option("--overlap", default=DAY, show_default=True, help="Seconds for which the old key stays valid.")
def cli(
    account: str | None,
    house: str | None,
    yes: bool,
    merchant: int,
    signer: str | None,
    new_signer: str | None,
    new_key: str | None,
    overlap: int,
) -> None:
    """Replace a merchant's signer key."""
    old = load_account(signer, "TONGDUI_MERCHANT_KEY")
    new = None if new_key else load_account(new_signer, "TONGDUI_NEW_KEY")
    itself = account is None and not os.environ.get("TONGDUI_KEY")
    session = Session(old if itself else account, yes=yes)
    clearing_house = session.house(house)
    key = str(new.address if new else new_key)
    windows = _changes(clearing_house, merchant, old.address, key, session.now + overlap, proven=new is not None)
    if windows and not yes:
        click.echo(f"{old.address} will sign:")
        for key, _, until in windows:
            click.echo(f"  {key} is a key of merchant {merchant} {moment(until)}")
        click.confirm("Sign?", abort=True)
    session.carry_out(clearing_house, _sign(session, clearing_house, merchant, old, new, windows))


def _changes(house: Any, merchant: int, old: str, new: str, end: int, *, proven: bool) -> list[Window]:
    """Lists the windows of the two keys that the chain does not have yet."""
    owner, since, until = house.signerOf(old)
    if owner != merchant or not until:
        raise click.ClickException(f"{old} is not a key of merchant {merchant}")
    if new == old:
        raise click.ClickException("the new key is the present one")
    owner_of_new, _, until_of_new = house.signerOf(new)
    if until_of_new and owner_of_new != merchant:
        raise click.ClickException(f"{new} is a key of merchant {owner_of_new}")
    if not until_of_new and not proven:
        raise click.ClickException(f"the chain does not know {new} yet, so it has to sign: name it with --new-signer")
    windows = []
    if until_of_new != FOREVER:
        windows.append((new, 0, FOREVER))
    if until > end:
        windows.append((old, min(since, end), end))
    return windows


def _sign(session: Session, house: Any, merchant: int, signer: Any, new: Any, windows: list[Window]) -> list[Step]:
    """Signs the changes under the highest free nonces, which no order will ever use."""
    steps = []
    nonce = NONCE_MAX + 1
    if windows:
        unlock(signer)
        unlock(new)
    for key, since, until in windows:
        nonce -= 1
        while house.nonceUsed(merchant, nonce):
            nonce -= 1
        change = (merchant, key, since, until, nonce)
        signature = _signature(session, house, signer, change)
        proof = _signature(session, house, new, change) if new and key == new.address else b""
        what = "new key" if until == FOREVER else "old key"
        steps.append(Step(f"make {key}, the {what}, valid {moment(until)}", "changeSigner", (change, signature, proof)))
    return steps


def _signature(session: Session, house: Any, signer: Any, change: tuple[Any, ...]) -> bytes:
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "SignerChange": FIELDS,
        },
        "primaryType": "SignerChange",
        "domain": {
            "name": "Tongdui",
            "version": "1",
            "chainId": session.chain_id,
            "verifyingContract": house.address,
        },
        "message": {field["name"]: value for field, value in zip(FIELDS, change, strict=True)},
    }
    signature = signer.sign_message(encode_typed_data(full_message=typed))
    if signature is None:
        raise click.ClickException("the account did not sign")
    return bytes(signature.encode_rsv())
