"""Who you are: login, logout, status."""

from __future__ import annotations

import json
import os
import sys
from getpass import getpass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongdui._errors import ForbiddenError, NotFoundError

from ._arguments import address, url
from ._command import command
from ._moving import money
from ._outcomes import BAD, GOOD, WrongUseError
from ._output import document_of
from ._profiles import Profile, changing_profiles, profiles_file
from ._session import Session, can_ask, text_in

if TYPE_CHECKING:
    from tongdui._client import Client
    from tongdui._models import Merchant, Position

_MANY = 1_000
"""Pending movements are counted up to here."""


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "login")(login)
    command(app, "logout")(logout)
    command(app, "status")(status)


def login(
    session: Session,
    gateway: Annotated[
        str | None, typer.Option("--url", parser=url, metavar="URL", help="Where the gateway is.")
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with the API key; - for standard input. By default you are asked."),
    ] = None,
    keystore: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The keystore that signs on this machine (see `tongdui key new`)."),
    ] = None,
    contract: Annotated[
        str | None,
        typer.Option(
            parser=address, metavar="0x..", help="The clearing house that you trust; nothing is signed for another."
        ),
    ] = None,
    rpc: Annotated[
        str | None, typer.Option(parser=url, metavar="URL", help="A chain node, to check the gateway before signing.")
    ] = None,
) -> int:
    """Remember a gateway and your API key there, after checking them.

    What you do not give is asked for. Passwords of keystores are never kept.
    """
    from tongdui._client import Client

    where = url(gateway or os.environ.get("TONGDUI_URL") or _ask("URL of the gateway", "--url")).rstrip("/")
    key = _api_key(api_key_file)
    with Client(where, key, contract=contract, rpc_url=rpc, max_retries=1) as client:
        network = client.network.get()
        merchant = _own_merchant(client)
    keystore = keystore or _keystore_of(session, merchant)
    _check_keystore(keystore, merchant)
    profile = Profile(
        url=where,
        api_key=key,
        keystore=str(keystore.absolute()) if keystore else None,
        contract=network.contract,
        chain_id=str(network.chain_id),
        rpc_url=rpc,
    )
    with changing_profiles() as profiles:
        profiles[session.profile_name] = profile
    _show_login(session, profile, merchant)
    return GOOD


def _show_login(session: Session, profile: Profile, merchant: Merchant | None) -> None:
    session.out.document(
        {
            "profile": session.profile_name,
            "url": profile.url,
            "merchant": document_of(merchant) if merchant else None,
            "keystore": profile.keystore,
            "contract": profile.contract,
            "chain_id": int(profile.chain_id or 0),
            "file": str(profiles_file()),
        }
    )
    session.out.lines(
        f"logged in to {profile.url} as {merchant.name if merchant else 'a key without a merchant to see'}"
    )
    managed = merchant is not None and merchant.signer is not None and merchant.signer.managed
    session.out.facts(
        {
            "profile": session.profile_name,
            "merchant": merchant.id if merchant else None,
            "signs": profile.keystore or ("at the gateway" if managed else None),
            "contract": f"{profile.contract} on chain {profile.chain_id}",
            "kept in": profiles_file(),
        }
    )


def logout(session: Session) -> int:
    """Forget a profile. The API key stays in force: whoever made it can revoke it."""
    with changing_profiles() as profiles:
        forgotten = profiles.pop(session.profile_name, None)
    session.out.document({"profile": session.profile_name, "forgotten": forgotten is not None})
    if forgotten is None:
        session.out.lines(f"there was no profile {session.profile_name}")
    else:
        session.out.lines(f"forgot profile {session.profile_name} of {forgotten.url}")
    return GOOD


def status(session: Session) -> int:
    """Show the network, who you are in it, your position and what is pending."""
    with session.client() as client:
        health = client.health.get()
        network = client.network.get()
        merchant = _own_merchant(client)
        position = client.positions.get(merchant) if merchant else None
        pending = _pending(client) if merchant else None
    session.out.document(
        {
            "url": _url_of(client),
            "health": document_of(health),
            "network": document_of(network),
            "merchant": document_of(merchant) if merchant else None,
            "position": document_of(position) if position else None,
            "pending": pending,
        }
    )
    faults = [f"{name}: {check.detail}" for name, check in health.checks.items() if not check.ok]
    session.out.lines(f"{_url_of(client)}: {health.status}", *(f"  {fault}" for fault in faults))
    session.out.facts(
        {
            "network": f"{network.contract} on chain {network.chain_id}, day {network.today}",
            "merchant": f"{merchant.name} ({merchant.id}), {merchant.status}"
            if merchant
            else "none that this key may see",
            **(_money_facts(position, network.currency) if position else {}),
            "pending": f"{pending:,} movements{' or more' if pending == _MANY else ''}"
            if pending is not None
            else None,
        }
    )
    return GOOD if health.status == "ok" else BAD


def _money_facts(position: Position, currency: str) -> dict[str, object]:
    return {
        "position": money(position.position_micros, currency),
        "credit limit": money(position.credit_limit_micros, currency),
        "set aside": money(position.reserved_micros, currency),
        "liquidity": money(position.liquidity_micros, currency),
    }


def _own_merchant(client: Client) -> Merchant | None:
    """The merchant of an API key: the only one whose position it sees.

    None for a key of the network's own people, and for one that may not read.
    """
    try:
        positions = list(islice(client.positions.list(page_size=2), 2))
        return client.merchants.get(positions[0].merchant) if len(positions) == 1 else None
    except (ForbiddenError, NotFoundError):
        return None


def _pending(client: Client) -> int:
    waiting = (client.movements.list(state=state, direction=None, page_size=200) for state in ("accepted", "submitted"))
    return sum(1 for _ in islice(chain.from_iterable(waiting), _MANY))


def _url_of(client: Client) -> str:
    return client._submitter.gateway.options.base_url


def _api_key(file: Path | None) -> str:
    from tongdui._gateway import is_visible_ascii

    origin = "standard input" if str(file) == "-" else str(file or "TONGDUI_API_KEY")
    if file is not None:
        key = (sys.stdin.read() if str(file) == "-" else text_in(file)).strip()
    else:
        key = os.environ.get("TONGDUI_API_KEY") or ""
        if not key and can_ask():
            origin, key = "what you typed", getpass("API key (tdk_...): ").strip()
    if not key:
        raise WrongUseError("there is no API key: give --api-key-file, set TONGDUI_API_KEY, or log in at a terminal")
    if not is_visible_ascii(key):
        raise WrongUseError(f"{origin}: this is no API key: it has spaces, line breaks or letters that no key has")
    return key


def _ask(question: str, option: str) -> str:
    if not can_ask():
        raise WrongUseError(f"there is no terminal to ask at: give {option}")
    return input(f"{question}: ").strip()


def _keystore_of(session: Session, merchant: Merchant | None) -> Path | None:
    """Ask for the keystore of a merchant that signs for itself."""
    if merchant is None or merchant.signer is None or merchant.signer.managed:
        return None
    if not can_ask():
        session.out.note("this merchant signs for itself: to move points, log in with --keystore")
        return None
    typed = input(f"Keystore of {merchant.signer.address} (empty: only look, sign nothing here): ").strip()
    return Path(typed).expanduser() if typed else None


def _check_keystore(keystore: Path | None, merchant: Merchant | None) -> None:
    """Compare the key's address, which its file says without a password, with the merchant's."""
    if keystore is None:
        return
    try:
        found = str(json.loads(keystore.read_text(encoding="utf-8"))["address"]).lower().removeprefix("0x")
    except (ValueError, LookupError, TypeError) as error:
        raise WrongUseError(f"{keystore} is not a keystore; `tongdui key new` makes one") from error
    if merchant is None:
        return
    signer = merchant.signer
    if signer is None or signer.address.lower() != f"0x{found}":
        registered = signer.address if signer else "none"
        raise WrongUseError(
            f"{keystore} is the key 0x{found}, but the merchant's registered key is {registered}: name the right keystore, "
            "or have the operator register this key"
        )
