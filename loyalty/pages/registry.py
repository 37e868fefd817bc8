"""What a page is: where it stands, and in which part of the navigation. `loyalty.pages.pages` has the list."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Final

from fastapi import APIRouter

from pages.translations import Text

ROOT: Final = "/staff"
"""Below which all of them stand."""
FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Group:
    """Pages that stand together in the navigation."""

    name: str
    title: Text


@dataclass(frozen=True)
class Page:
    """One page with all that is below its path: a folder beside this file with `routes.py` and `templates/`.

    Who may see it stands in `loyalty.pages.rules`.
    """

    name: str
    """The folder's name."""
    below: str
    """Its path below the root."""
    title: Text
    group: Group | None = None
    """Where it stands in the navigation. Without one it is not in it."""
    icon: str = "info"
    """A picture of pages/build/img/icons.svg."""

    @property
    def path(self) -> str:
        """Its address."""
        return ROOT + self.below

    @cached_property
    def router(self) -> APIRouter:
        """Its routes: `page_router` gives them the page's own path."""
        found: APIRouter = import_module(f"loyalty.pages.{self.name}.routes").router
        return found

    @property
    def templates(self) -> Path:
        """Where its templates are."""
        return FOLDER / self.name / "templates"


def page_of(pages: Iterable[Page], path: str) -> Page | None:
    """The page to which an address belongs."""
    return next((page for page in pages if path == page.path or path.startswith(f"{page.path}/")), None)
