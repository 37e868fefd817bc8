"""Which network this is: its chain, its contract, and when its days begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from clearing.kit.config import Settings
from tongdui.orders import Domain

_EPOCH = date(1970, 1, 1)
SECONDS_A_DAY = 86_400
_LAST_SECOND = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


@dataclass(frozen=True, slots=True)
class NetworkIdentity:
    """The chain and contract to which signatures are bound, and when the network's day begins."""

    chain_id: int
    contract: str
    utc_offset_seconds: int

    @classmethod
    def of(cls, settings: Settings) -> NetworkIdentity:
        """The network that the settings describe."""
        return cls(settings.chain_id, settings.contract, settings.utc_offset_seconds)

    @property
    def domain(self) -> Domain:
        """The EIP-712 domain of everything that is signed."""
        return Domain(self.chain_id, self.contract)

    def day_at(self, unix_seconds: int) -> int:
        """The network day of a moment (Unix seconds), counted from 1970-01-01 as the contract counts."""
        return day_at(unix_seconds, self.utc_offset_seconds)

    def end_of(self, day: int) -> int:
        """Unix time at which a network day ends: the first second that is no part of it."""
        return (day + 1) * SECONDS_A_DAY - self.utc_offset_seconds

    def begin_of(self, day: int) -> datetime:
        """The moment at which a network day begins."""
        return instant(day * SECONDS_A_DAY - self.utc_offset_seconds)

    def day_of_moment(self, moment: datetime) -> int:
        """The network day of a moment."""
        return self.day_at(int(moment.timestamp()))

    def date_of(self, day: int) -> date:
        """The calendar date of a network day."""
        return _EPOCH + timedelta(days=day)

    @staticmethod
    def day_of(day: date) -> int:
        """The network day of a calendar date."""
        return (day - _EPOCH).days


def day_at(timestamp: int, utc_offset_seconds: int) -> int:
    """The network day of a moment (Unix seconds)."""
    return (timestamp + utc_offset_seconds) // SECONDS_A_DAY


def instant(timestamp: int) -> datetime:
    """Unix seconds as a moment in UTC. The chain counts further than calendars: after the year 9999 it is its last second."""
    return datetime.fromtimestamp(min(timestamp, _LAST_SECOND), UTC)
