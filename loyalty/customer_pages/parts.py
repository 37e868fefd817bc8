"""What all requests of customers share: templates, the database, who is signed in, the network, what changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

import pages
from loyalty import web
from loyalty.customer_pages.names import GLOBALS
from loyalty.customer_pages.registry import FOLDER, PAGES, ROOT, page_of
from loyalty.customer_pages.sentences import sentence_of
from loyalty.customer_pages.watching import Watcher
from loyalty.customer_sessions.service import CustomerSessionService, SignedInCustomer
from loyalty.customers.consent_texts import ConsentText, consent_texts
from loyalty.kit.errors import Refusal
from loyalty.kit.sessions import Limits
from loyalty.messages.channels import Channels
from loyalty.network.balances import Balances
from loyalty.web.parts import SiteParts
from pages.templates import environment
from pages.translations import load_catalogues

_YEAR_SECONDS: Final = 31_536_000


@dataclass(slots=True)
class Parts(SiteParts):
    """What all requests share."""

    ROOT = ROOT
    SESSION = "loyalty_customer"
    VISIT = "loyalty_customer_visit"
    FLASH = "loyalty_customer_flash"
    DEVICE = "loyalty_customer_device"
    SAME_SITE = "lax"
    """A link in a message leads to a page that is signed in."""

    limits: Limits = field(init=False)
    balances: Balances = field(init=False)
    channels: Channels = field(init=False)
    consents: tuple[ConsentText, ...] = field(init=False)
    watcher: Watcher = field(init=False)

    def __post_init__(self) -> None:
        SiteParts.__post_init__(self)
        load_catalogues([Path(pages.__file__).parent, Path(web.__file__).parent, FOLDER])
        folders = {"my": FOLDER / "templates", "signin": FOLDER / "signin" / "templates"}
        folders |= {page.name: FOLDER / page.name / "templates" for page in PAGES}
        self.templates = environment(folders, ROOT)
        self.templates.globals |= GLOBALS
        settings = self.settings
        self.limits = Limits.of_seconds(settings.customer_session_idle, settings.customer_session_lifetime)
        self.balances = Balances(settings)
        self.channels = Channels.of(settings)
        self.consents = consent_texts(settings.consents_file)
        self.watcher = Watcher(self.database, self.limits)

    @property
    def lasting(self) -> int | None:
        """Seconds for which a browser keeps a session's secret: a phone closes its browser all the time."""
        return self.settings.customer_session_lifetime

    def device(self, request: Request) -> str:
        """What the browser calls itself, if it has a name; else empty."""
        return request.cookies.get(self._name(self.DEVICE), "")

    def keep_device(self, response: Response, device: str) -> None:
        """Gives the browser a name."""
        self._keep(response, self.DEVICE, device, _YEAR_SECONDS)

    def page_of(self, path: str) -> str | None:
        """The address of the page to which another address belongs."""
        page = page_of(path)
        return None if page is None else page.path

    def sentence_of(self, error: Refusal) -> str:
        """What a refusal says to a customer."""
        return sentence_of(error)

    def signed_in(self, secret: str) -> SignedInCustomer | None:
        """Whose session has this secret; None if it has ended. Notes that it is in use."""
        with self.database.reading() as session:
            sessions = CustomerSessionService(session, self.limits)
            found = sessions.of(secret)
            is_due = found is not None and sessions.is_due(found.session)
        if found is not None and is_due:
            with self.database.session.begin() as session:
                CustomerSessionService(session, self.limits).see(found.session.id)
        return found
