"""What a page of the console is: where it stands, and whose it is. `console.pages` has the list."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path

from fastapi import APIRouter

from pages.translations import Text

FOLDER = Path(__file__).parent
_TITLES = ("admin", "manager", "cashier", "accountant", "viewer")

OPERATOR = frozenset({"operator"})
TREASURY = frozenset({"treasury"})
AUDITOR = frozenset({"auditor"})
NETWORK = OPERATOR | TREASURY | AUDITOR
"""Every seat that belongs to no merchant."""


def merchant(*titles: str) -> frozenset[str]:
    """A merchant's seats with these titles: admin, manager, cashier, accountant, viewer. All of them without arguments."""
    assert set(titles) <= set(_TITLES), titles
    return frozenset(f"merchant:{title}" for title in titles or _TITLES)


MERCHANT = merchant()
EVERYBODY = MERCHANT | NETWORK


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that stand together in the navigation."""

    name: str
    title: Text


@dataclass(frozen=True)
class Page:
    """One page with all that is below its path: a folder of this package with `routes.py`, `templates/` and `zh.po`."""

    name: str
    """The folder's name."""
    path: str
    title: Text
    seats: frozenset[str]
    """Who sees it: `operator`, `treasury`, `auditor`, or `merchant:` with a title."""
    group: Group | None = None
    """Where it stands in the navigation. Without one it is not in it."""
    icon: str = "info"
    """A picture of pages/build/img/icons.svg."""
    public: bool = False
    """Whether it may be seen without signing in, if the operator wants that."""
    package: str = "console"
    """Where its folder is."""

    @cached_property
    def router(self) -> APIRouter:
        """Its routes. Their paths begin below the page's own: `""` is the page itself."""
        found: APIRouter = import_module(f"{self.package}.{self.name}.routes").router
        return found

    @property
    def folder(self) -> Path:
        """Where its files are."""
        package = import_module(self.package)
        return Path(package.__path__[0]) / self.name
