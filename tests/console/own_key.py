"""Forms sent without a browser, and a merchant that signs with a key of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from eth_account import Account

from clearing.kit.database import Database
from console.sessions import SessionCookie
from console.settings import Settings
from console.visit import LANGUAGE_COOKIE
from pages import csrf
from tests.console.site import Merchant, Site, signed_in
from tongdui._flow import tls


def send(site: Site, seat: str, path: str, form: Mapping[str, Any], files: Any = None) -> httpx.Response:
    """What the console answers to a form that somebody on a seat (or with a token) has sent."""
    token = site.seats.get(seat, seat)
    with site.http(token) as http:
        http.cookies.set(LANGUAGE_COOKIE, "en")
        return http.post(path, data=dict(form), files=files, headers={csrf.HEADER: token_of(site.url, token)})


@cache
def token_of(url: str, session: str) -> str:
    """The token of this session's forms: that of a page, because it knows for which seat it was shown."""
    with httpx.Client(
        base_url=url, cookies={SessionCookie(Settings()).name: session}, timeout=60, verify=tls()
    ) as http:
        found = re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', http.get("/account").raise_for_status().text)
    assert found is not None
    return found[1]


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A merchant whose key the gateway does not have."""

    id: str
    token: str
    """Of its admin's session."""
    private_key: str

    def sign(self, digest: str) -> str:
        """The merchant's signature over a digest."""
        signed = Account.unsafe_sign_hash(bytes.fromhex(digest.removeprefix("0x")), self.private_key)
        return "0x" + bytes(signed.signature).hex()


def own_key(site: Site, name: str) -> OwnKey:
    """Has such a merchant join."""
    account = Account.create()
    made = site.operator.merchants.create(name=name, signer_address=account.address, wait=60)
    merchant = Merchant(made.id, name, "", "", site.operator)
    with closing(Database(site.network.settings.database_url)) as database:
        token = signed_in(site, database, f"{made.id}@own.example", "admin", merchant)
    return OwnKey(made.id, token, account.key.hex())
