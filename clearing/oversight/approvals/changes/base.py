"""What a change that needs a second person says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict
from sqlalchemy.orm import Session

from clearing.kit.config import Settings
from clearing.kit.signing.keyring import Keyring
from clearing.oversight.approvals.models import ChangeKind


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a change needs to take effect."""

    session: Session
    keyring: Keyring
    settings: Settings


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change did, or would do."""

    result: str
    """The id of what came of it."""
    before: Mapping[str, Any]
    """The values that it replaced."""
    after: Mapping[str, Any]
    link: str | None = None
    """What the checker hands over, shown only this once."""


class Change(BaseModel, ABC):
    """A change, as it is stored until somebody decides.

    It is asked for by doing it and undoing it: so the same rules are checked in the same words, once for the maker and once again
    for the checker.
    """

    model_config = ConfigDict(frozen=True)

    kind: ClassVar[ChangeKind]
    hidden: ClassVar[frozenset[str]] = frozenset()
    """Fields that nobody needs to see."""
    personal: ClassVar[frozenset[str]] = frozenset()
    """Fields that no event has: events stay, and say no addresses of people."""

    @property
    @abstractmethod
    def claim(self) -> str:
        """What may be asked for only once at a time."""

    def merchant_number(self, _session: Session) -> int | None:
        """The merchant that it concerns; None: the network itself."""
        return None

    @abstractmethod
    def take_effect(self, surroundings: Surroundings, actor: str) -> Effect:
        """Does it, on behalf of whoever asked for it. Raises the rules' refusals."""

    def shown(self) -> dict[str, Any]:
        """What the checker sees of it."""
        return self.model_dump(mode="json", exclude=set(self.hidden))

    def recorded(self) -> dict[str, Any]:
        """What events say of it."""
        return self.model_dump(mode="json", exclude=set(self.hidden | self.personal))
