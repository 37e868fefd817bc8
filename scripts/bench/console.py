"""What the console's pages cost in a generated network: each page of the navigation, for a merchant and for the operator, and the
list of movements at its beginning, in its middle and at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import httpx
from fastapi import FastAPI

from clearing.kit.database import Database
from clearing.parties.staff import passwords
from clearing.parties.staff.models import Language
from clearing.parties.staff.people import NewPerson, PeopleService
from clearing.parties.staff.titles import Title
from console.app import create_app
from console.pages import PAGES
from console.sessions import SessionCookie
from console.settings import Settings
from pages.paging import CURSOR
from scripts.bench.generated import GIANT, PARTNER, Size, identifier
from scripts.dev.serving import serving
from tongdui import Client

_PASSWORD = "a-bench-has-no-secrets"  # noqa: S105 (of a network that lives for a minute)
_PEOPLE = {"giant": (Title.ADMIN, GIANT, "merchant:admin"), "operator": (Title.OPERATOR, None, "operator")}
"""Who looks: by name, with title, merchant, and what the console calls the seat."""


@contextmanager
def console_of(gateway: FastAPI, database: Database) -> Iterator[dict[str, httpx.Client]]:
    """A console for this gateway, over real HTTP: a client without a browser for each person, by name."""
    with ExitStack() as stack:
        address = stack.enter_context(serving(lambda _port: gateway))
        settings = Settings.model_validate({"gateway_url": address})
        at = stack.enter_context(serving(lambda _port: create_app(settings)))
        found = {}
        for name, token in _signed_in(address, database).items():
            cookies = {SessionCookie(settings).name: token}
            found[name] = stack.enter_context(httpx.Client(base_url=at, cookies=cookies, timeout=600))
        yield found


def addresses(size: Size) -> Iterator[tuple[str, str, str]]:
    """A figure's name, who looks, and at which address."""
    for name, (_title, _merchant, seat) in _PEOPLE.items():
        for page in PAGES:
            if page.group is not None and seat in page.seats:
                yield f"console {page.path} as {name}", name, page.path
    middle, old = size.last_order // 2, datetime.now(UTC).date() - timedelta(days=size.days - 20)
    some = size.members * 3 // 4 // 10 * 10
    for label, query in (
        ("in the middle", f"?{CURSOR}={middle}_0"),
        ("the oldest", f"?to={old.isoformat()}"),
        ("of a partner", f"?counterparty={identifier('mer', PARTNER)}&kind=exchange"),
        ("of a member", f"?member=c-{some}"),
    ):
        yield f"console /movements {label} as giant", "giant", f"/movements{query}"
    yield "console a member as giant", "giant", f"/members/{identifier('mem', some)}"


def look(client: httpx.Client, path: str) -> int:
    """Opens a page; how many bytes it has, compressed."""
    response = client.get(path)
    assert response.status_code == 200, f"{path}: {response.status_code}"
    return int(response.num_bytes_downloaded)


def _signed_in(gateway: str, database: Database) -> dict[str, str]:
    found = {}
    for name, (title, merchant, _seat) in _PEOPLE.items():
        email = f"{name}@bench.example"
        new = NewPerson(email, name, Language.CHINESE, passwords.hash_of(_PASSWORD))
        with database.session.begin() as session:
            people = PeopleService(session)
            people.seat(people.add(new, actor="bench"), title, merchant, actor="bench")
        with Client(gateway) as client:
            found[name] = str(client.sessions.create(email=email, password=_PASSWORD).token)
    return found
