"""What all requests share: templates, the database, who is signed in, the navigation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pages
from loyalty import web
from loyalty.kit.errors import Refusal
from loyalty.kit.sessions import Limits
from loyalty.pages.names import GLOBALS
from loyalty.pages.pages import GROUPS, PAGES
from loyalty.pages.registry import FOLDER, ROOT, Page, page_of
from loyalty.pages.rules import PAGE_RULES
from loyalty.pages.sentences import sentence_of
from loyalty.people.sealing import Seal
from loyalty.people.sign_in import SessionService, SignedIn
from loyalty.staff.models import Role
from loyalty.web.parts import SiteParts
from pages.templates import environment
from pages.translations import load_catalogues


@dataclass(frozen=True, slots=True)
class Shelf:
    """A group of the navigation with the pages that a role sees."""

    title: str
    pages: list[Page]


@dataclass(slots=True)
class Parts(SiteParts):
    """What all requests share."""

    ROOT = ROOT
    SESSION = "loyalty_session"
    VISIT = "loyalty_visit"
    FLASH = "loyalty_flash"
    SAME_SITE = "strict"

    seal: Seal
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        SiteParts.__post_init__(self)
        load_catalogues([Path(pages.__file__).parent, Path(web.__file__).parent, FOLDER])
        folders = {"staff": FOLDER / "templates"}
        folders |= {name: FOLDER / name / "templates" for name in ("plans", "signin")}
        self.templates = environment(folders | {page.name: page.templates for page in PAGES}, ROOT)
        self.templates.globals |= GLOBALS
        self.limits = Limits.of_seconds(self.settings.session_idle, self.settings.session_lifetime)

    def page_of(self, path: str) -> str | None:
        """The address of the page to which another address belongs."""
        page = page_of(PAGES, path)
        return None if page is None else page.path

    def sentence_of(self, error: Refusal) -> str:
        """What a refusal says to a person of the staff."""
        return sentence_of(error)

    def navigation(self, role: Role) -> list[Shelf]:
        """The pages that a role sees."""
        shelves = [
            Shelf(str(group.title), [page for page in PAGES if page.group is group and may_see(role, page)])
            for group in GROUPS
        ]
        return [shelf for shelf in shelves if shelf.pages]

    # ---------------------------------------------------------------- who is signed in

    def signed_in(self, secret: str) -> SignedIn | None:
        """Whose session has this secret; None if it has ended. Notes that it is in use."""
        with self.database.reading() as session:
            sessions = SessionService(session, self.limits)
            found = sessions.of(secret)
            is_due = found is not None and sessions.is_due(found.session)
        if found is not None and is_due:
            with self.database.session.begin() as session:
                SessionService(session, self.limits).see(found.session.id)
        return found


def may_see(role: Role, page: Page) -> bool:
    """Whether a role sees a page at all."""
    return role in PAGE_RULES["GET", page.below]
