"""Every page of customers, in the order of the navigation. A new page is a folder, a line here, and its rules in `rules.py`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Final

from fastapi import APIRouter

from pages.translations import Text
from pages.translations import lazy as _

ROOT: Final = "/my"
"""Below which all of them stand."""
FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """One page with all that is below its path: a folder beside this file with `routes.py` and `templates/`."""

    name: str
    title: Text
    icon: str

    @property
    def path(self) -> str:
        """Its address."""
        return f"{ROOT}/{self.name}"

    @cached_property
    def router(self) -> APIRouter:
        """Its routes."""
        found: APIRouter = import_module(f"loyalty.customer_pages.{self.name}.routes").router
        return found


@dataclass(frozen=True, slots=True)
class Shelf:
    """A group of the navigation."""

    title: str
    pages: list[Page]


PAGES: tuple[Page, ...] = (
    Page("home", _("My points"), "home"),
    Page("history", _("History"), "movements"),
    Page("friends", _("Friends"), "members"),
    Page("profile", _("About me"), "person"),
)


def page_of(path: str) -> Page | None:
    """The page to which an address belongs."""
    return next((page for page in PAGES if path == page.path or path.startswith(f"{page.path}/")), None)
