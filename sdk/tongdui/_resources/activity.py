"""Daily totals of what merchants did, and with whom."""

from __future__ import annotations

from datetime import date

from tongdui._activity import Activity, Attentions, Partner
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, optional_name_of
from tongdui._instruction import ProgramName
from tongdui._pagination import Query, listing
from tongdui._resource import Resource


class _ActivityInfo(Resource):
    @listing
    def list(
        self,
        *,
        first_day: date | None = None,
        last_day: date | None = None,
        program: ProgramName | None = None,
        counterparty: str | Identified | None = None,
        merchant: str | Identified | None = None,
        page_size: int | None = None,
    ) -> Query[Activity]:
        """List daily totals, the last day first.

        Args:
            first_day: The first day. By default 29 days ago.
            last_day: The last day. By default today.
            program: Only in this program.
            counterparty: Only with this partner. By default all of them are added up.
            merchant: Whose; the network's own roles may ask for anybody's.
            page_size: Totals to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "from": first_day.isoformat() if first_day else None,
            "to": last_day.isoformat() if last_day else None,
            "program": optional_name_of(program),
            "counterparty": optional_name_of(counterparty),
            "merchant": optional_name_of(merchant),
            "limit": page_size,
        }
        return Query("/v1/activity", Activity, params)

    @listing
    def partners(
        self,
        *,
        since: date | None = None,
        merchant: str | Identified | None = None,
        page_size: int | None = None,
    ) -> Query[Partner]:
        """List the merchants with whom there is or was an agreement, with what was paid either way.

        Args:
            since: Since this day, at most 92 days. By default 30 days.
            merchant: Whose partners; the network's own roles may ask for anybody's.
            page_size: Partners to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "since": since.isoformat() if since else None,
            "merchant": optional_name_of(merchant),
            "limit": page_size,
        }
        return Query("/v1/partners", Partner, params)

    @operation
    def attention(self) -> Flow[Attentions]:
        """Fetch what you should look at: rejected and late movements, low liquidity, agreements to sign or about to end, ..."""
        return (yield from self._gateway.get(Attentions, "/v1/attention"))


class ActivityInfo(Blocking, _ActivityInfo):
    """What merchants did, day by day, and with whom."""


class AsyncActivityInfo(Awaiting, _ActivityInfo):
    """What merchants did, day by day, and with whom. Its methods are awaited."""
