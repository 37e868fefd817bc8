"""SQL of what the database keeps encrypted, for each purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from clearing.kit.signing.passwords import Purpose
from clearing.notifications.webhooks.models import WebhookEndpoint
from clearing.notifications.webhooks.service import seal_purpose as webhook_seal
from clearing.parties.merchants.models import SignerKey
from clearing.parties.staff.models import Person
from clearing.parties.staff.second_factor import seal_purpose as totp_seal

_KEYSTORE = "{"
"""How a keystore begins. Anything else in its place says where the key is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where encrypted values stand: columns of a table, whose rows go by a key."""

    what: str
    model: type[Any]
    key: InstrumentedAttribute[str]
    columns: tuple[str, ...]
    sealed_for: Callable[[str], str] | None
    """By key: for what the values of a row are sealed. None: they are keystores."""

    def sealed(self, row: Any) -> dict[str, str]:
        """What a row has that is encrypted, by column."""
        found = {name: getattr(row, name) for name in self.columns}
        return {name: text for name, text in found.items() if text is not None and self._is_sealed(text)}

    def _is_sealed(self, text: str) -> bool:
        return self.sealed_for is not None or text.startswith(_KEYSTORE)


PLACES: dict[Purpose, Place] = {
    Purpose.MANAGED_KEYS: Place("managed key", SignerKey, SignerKey.address, ("keystore",), None),
    Purpose.WEBHOOK_SECRETS: Place(
        "secret of the webhook endpoint", WebhookEndpoint, WebhookEndpoint.id, ("secret", "old_secret"), webhook_seal
    ),
    Purpose.STAFF_SECRETS: Place("secret of the app of", Person, Person.id, ("totp_secret",), totp_seal),
}
"""Where each purpose has something encrypted. Mailed links are derived, and nowhere stored."""


class SealedRepository:
    """Encrypted values of one place, in one session."""

    def __init__(self, session: Session, place: Place) -> None:
        self._session = session
        self._place = place

    def keys(self) -> Sequence[str]:
        """The rows that have something encrypted, by their keys, the one that was made last first."""
        newest_first = self._place.model.created_at.desc(), self._place.key.desc()
        return self._session.scalars(select(self._place.key).where(self._is_sealed()).order_by(*newest_first)).all()

    def ends(self) -> Sequence[Any]:
        """The rows that were made first and last of those that have something encrypted."""
        made, key = self._place.model.created_at, self._place.key
        every = select(self._place.model).where(self._is_sealed()).limit(1)
        queries = every.order_by(made, key), every.order_by(made.desc(), key.desc())
        return [row for query in queries for row in self._session.scalars(query)]

    def row(self, key: str, *, lock: bool) -> Any:
        """The row with this key; None if it is gone."""
        return self._session.get(self._place.model, key, with_for_update=lock or None)

    def _is_sealed(self) -> Any:
        columns = [getattr(self._place.model, name) for name in self._place.columns]
        if self._place.sealed_for is None:
            return or_(*(column.startswith(_KEYSTORE) for column in columns))
        return or_(*(column.is_not(None) for column in columns))
