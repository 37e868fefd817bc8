"""Money between merchants: positions, and what enters and leaves through the settlement bank."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import ClassVar

from tongdui._activity import PositionHistory
from tongdui._amounts import whole_number
from tongdui._approval import Approval
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._gateway import Identified, name_of, optional_name_of, segment
from tongdui._models import BankMovement, ClosingPosition, Position
from tongdui._pagination import Query, listing, moment_parameter
from tongdui._resource import Resource

_MICROS_MAX = 2**95 - 1


class _Positions(Resource):
    @operation
    def get(self, merchant: str | Identified) -> Flow[Position]:
        """Fetch a merchant's position, credit limit and liquidity.

        Args:
            merchant: The merchant, or its id.

        Returns:
            The position, in micros.

        Raises:
            NotFoundError: There is no such merchant, or you may not see its position.
        """
        return (yield from self._gateway.get(Position, f"/v1/positions/{segment(name_of(merchant))}"))

    @operation
    def history(self, merchant: str | Identified, *, days: int = 30) -> Flow[PositionHistory]:
        """Fetch a merchant's position at the end of each of the last days; of today, as it is now.

        Args:
            merchant: The merchant, or its id.
            days: How many days, with today: 1 to 92.

        Returns:
            The days, oldest first.

        Raises:
            NotFoundError: There is no such merchant, or you may not see its position.
        """
        path = f"/v1/positions/{segment(name_of(merchant))}/history"
        response = yield from self._gateway.send("GET", path, params={"days": days})
        return self._gateway.parse(PositionHistory, response)

    @operation
    def get_as_of(self, merchant: str | Identified, day: date) -> Flow[ClosingPosition]:
        """Fetch a merchant's position as it was at the end of a day.

        Args:
            merchant: The merchant, or its id.
            day: A day of the network that is over.

        Returns:
            The position, with the block at which the chain says the same.

        Raises:
            UnprocessableError: The day is not over.
            NotFoundError: There is no such merchant, or you may not see its position.
        """
        path = f"/v1/positions/{segment(name_of(merchant))}"
        response = yield from self._gateway.send("GET", path, params={"as_of": day.isoformat()})
        return self._gateway.parse(ClosingPosition, response)

    @listing
    def list_as_of(self, day: date, *, page_size: int | None = None) -> Query[ClosingPosition]:
        """List positions as they were at the end of a day of the network that is over: otherwise as `list`."""
        return Query("/v1/positions", ClosingPosition, {"as_of": day.isoformat(), "limit": page_size})

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Position]:
        """List your own position, or everyone's for an operator, treasury or auditor, `page_size` at a time."""
        return Query("/v1/positions", Position, {"limit": page_size})


class _BankMovements(Resource):
    _path: ClassVar[str]

    @operation
    def create(
        self,
        *,
        merchant: str | Identified,
        micros: int,
        bank_reference: str,
        reason: str,
        idempotency_key: str | None = None,
    ) -> Flow[Approval]:
        """Ask to book money at the settlement bank (treasury), once for each bank reference. Another person has to approve it.

        Args:
            merchant: Whose money it is.
            micros: How much, in millionths of the settlement currency.
            bank_reference: The bank's own reference.
            reason: Why, for whoever has to approve it.
            idempotency_key: Identifies the request over retries of your own. A random key by default.

        Returns:
            The approval. Its `result` will be the booking's id: see `approvals.approve`.

        Raises:
            InsufficientLiquidityError: A withdrawal exceeds what the merchant has.
        """
        body = {
            "merchant": name_of(merchant),
            "micros": whole_number(micros, "micros", least=1, most=_MICROS_MAX, unit="micros"),
            "bank_reference": bank_reference,
            "reason": reason,
        }
        return (yield from self._gateway.post(Approval, self._path, body, key=idempotency_key))

    @operation
    def get(self, movement: str) -> Flow[BankMovement]:
        """Fetch one booking by its id. Raises NotFoundError."""
        return (yield from self._gateway.get(BankMovement, f"{self._path}/{segment(movement)}"))

    @listing
    def list(
        self,
        *,
        merchant: str | Identified | None = None,
        state: str | None = None,
        bank_references: Sequence[str] = (),
        created_from: datetime | None = None,
        created_before: datetime | None = None,
        page_size: int | None = None,
    ) -> Query[BankMovement]:
        """List your bookings, newest first; for the network's own roles, everyone's.

        Args:
            merchant: Only this merchant's.
            state: Only what is `pending`, `posted` or `failed`.
            bank_references: Only what was booked under one of these references of the bank; at most 100.
            created_from: Only what was booked at this moment or later.
            created_before: Only what was booked before this moment.
            page_size: Bookings to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "merchant": optional_name_of(merchant),
            "state": state,
            "bank_reference[]": tuple(bank_references) or None,
            "created[gte]": moment_parameter(created_from, "created_from"),
            "created[lt]": moment_parameter(created_before, "created_before"),
            "limit": page_size,
        }
        return Query(self._path, BankMovement, params)


class _Deposits(_BankMovements):
    _path = "/v1/deposits"


class _Withdrawals(_BankMovements):
    _path = "/v1/withdrawals"


class Positions(Blocking, _Positions):
    """Positions: what merchants owe and are owed."""


class AsyncPositions(Awaiting, _Positions):
    """Positions: what merchants owe and are owed. Its methods are awaited."""


class Deposits(Blocking, _Deposits):
    """Deposits: money that arrived at the settlement bank."""


class AsyncDeposits(Awaiting, _Deposits):
    """Deposits: money that arrived at the settlement bank. Its methods are awaited."""


class Withdrawals(Blocking, _Withdrawals):
    """Withdrawals: money paid out at the settlement bank."""


class AsyncWithdrawals(Awaiting, _Withdrawals):
    """Withdrawals: money paid out at the settlement bank. Its methods are awaited."""
