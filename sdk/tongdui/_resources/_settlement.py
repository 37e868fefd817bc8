"""Money between merchants: positions, and what goes in and out through the settlement bank."""

from __future__ import annotations

from tongdui._amounts import whole_number
from tongdui._core import Identified, name_of, segment
from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._models import BankMovement, Position
from tongdui._pages import Query, listing

from ._base import Resource

_MICROS_MAX = 2**95 - 1


class _Positions(Resource):
    @operation
    def get(self, merchant: str | Identified) -> Flow[Position]:
        """A merchant's position, credit limit and liquidity, in micros."""
        return (yield from self._core.get(Position, f"/v1/positions/{segment(name_of(merchant))}"))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[Position]:
        """Your own position; everyone's for an operator, treasury or auditor."""
        return Query("/v1/positions", Position, {"limit": page_size})


class _BankMovements(Resource):
    _path: str

    @operation
    def create(
        self,
        *,
        merchant: str | Identified,
        micros: int,
        bank_reference: str,
        idempotency_key: str | None = None,
        wait: float | None = None,
    ) -> Flow[BankMovement]:
        """Books money at the settlement bank (treasury): `micros` of the currency, once for each `bank_reference`."""
        body = {
            "merchant": name_of(merchant),
            "micros": whole_number(micros, "micros", least=1, most=_MICROS_MAX, unit="micros"),
            "bank_reference": bank_reference,
        }
        return (yield from self._core.post(BankMovement, self._path, body, key=idempotency_key, wait=wait))

    @operation
    def get(self, movement: str) -> Flow[BankMovement]:
        """One of them by id. Raises NotFoundError."""
        return (yield from self._core.get(BankMovement, f"{self._path}/{segment(movement)}"))

    @listing
    def list(self, *, page_size: int | None = None) -> Query[BankMovement]:
        """All of them, newest first."""
        return Query(self._path, BankMovement, {"limit": page_size})


class _Deposits(_BankMovements):
    _path = "/v1/deposits"


class _Withdrawals(_BankMovements):
    _path = "/v1/withdrawals"


class Positions(Blocking, _Positions):
    """`client.positions`."""


class AsyncPositions(Awaiting, _Positions):
    """`client.positions`, awaited."""


class Deposits(Blocking, _Deposits):
    """`client.deposits`."""


class AsyncDeposits(Awaiting, _Deposits):
    """`client.deposits`, awaited."""


class Withdrawals(Blocking, _Withdrawals):
    """`client.withdrawals`."""


class AsyncWithdrawals(Awaiting, _Withdrawals):
    """`client.withdrawals`, awaited."""
