"""Lots of accounts, from the database's entries: what an account has of each lot, and who has points that expire soon."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.identity import SECONDS_A_DAY, NetworkIdentity
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.journal.effects import recipient_of
from clearing.ledger.lots.replay import Portion, Replay, day_that_counts
from clearing.ledger.lots.repository import History, LotRepository
from tongdui.orders import Kind
from tongdui.receipts import Entry


@dataclass(frozen=True, slots=True)
class Lot:
    """Points of an account that were issued together. `expiry_day` counts days since 1970-01-01; 0 means never."""

    leaf: bytes
    """The entry that made the lot."""
    expiry_day: int
    points: int
    place: tuple[int, int, int]
    """Its place in the order in which lots are used: two lots of an account never have the same one, and it never changes."""


class LotService:
    """Lots in one transaction. Reads only."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._network = network
        self._clock = clock_of(session)
        self._lots = LotRepository(session)

    def of(self, account: AccountKey) -> list[Lot]:
        """The account's lots, first-expiring first."""
        return self.of_all([account])[account]

    def of_all(self, accounts: Collection[AccountKey]) -> Mapping[AccountKey, list[Lot]]:
        """The lots of several accounts, from one replay."""
        return {
            account: [_lot(portion) for portion in portions] for account, portions in self.portions(accounts).items()
        }

    def portions(self, accounts: Collection[AccountKey]) -> Mapping[AccountKey, list[Portion]]:
        """The same as the replay has them."""
        replay = replayed(self._lots.history(accounts), self._network.utc_offset_seconds)
        return {account: replay.lots(account) for account in accounts}

    def over(self, accounts: Collection[AccountKey], day: int) -> dict[AccountKey, list[Portion]]:
        """Of these accounts, those with lots that are over on `day`, and all their lots."""
        found = self.portions(accounts)
        return {
            account: portions
            for account, portions in found.items()
            if any(portion.origin.is_over(day) for portion in portions)
        }

    def unswept_by(self, entries: Iterable[Entry], day: int) -> set[AccountKey]:
        """Accounts to which these entries, of a block of this day, may have brought points whose day has come. The round that
        looks for points of a day cannot find them there."""
        today = self._network.day_at(self._clock.unix())
        found: set[AccountKey] = set()
        for entry in entries:
            match Kind(entry.kind):
                case Kind.TRANSFER:
                    found.add((recipient_of(entry), entry.program))
                case Kind.REVERSE:
                    found.add((entry.member, entry.program))
                case Kind.EXCHANGE if day_that_counts(entry, day) < day:
                    # It may have left some of the hold's points, and made others that keep an expiry of the past.
                    found |= {(entry.member, entry.program), self._lots.given_by(entry)}
                case _ if 0 < entry.expiry_day <= today:
                    found.add(self._lots.given_by(entry))
        return found


def replayed(history: History, utc_offset_seconds: int) -> Replay:
    """The accounts' lots at the end of their history."""
    replay = Replay(history.targets, history.accounts.__contains__, keeps_expiry=history.keeps_expiry)
    for entry, at in history.entries:
        replay.apply(entry, (at + utc_offset_seconds) // SECONDS_A_DAY)
    return replay


def _lot(portion: Portion) -> Lot:
    origin = portion.origin
    return Lot(origin.leaf, origin.expiry_day, portion.points, (origin.expires, origin.batch, origin.index))
