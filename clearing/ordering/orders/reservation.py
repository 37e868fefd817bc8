"""What an order takes while it is pending: points of accounts, money of positions, source points of daily caps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy.orm import Session

from clearing.kit.errors import Refused
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.repository import AccountKey, AccountRepository, Balance
from clearing.ledger.availability.due import CapturedHold
from clearing.ledger.availability.service import AvailabilityService
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ledger.settlement.service import require_liquidity
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.resolution import Draft, Draw
from clearing.parties.agreements.usability import UsabilityService
from clearing.parties.members.freezes import Taking, require_takeable
from clearing.parties.merchants.models import Merchant
from tongdui.orders import Kind

_EVEN_IF_BARRED = frozenset({Kind.EXPIRE, Kind.REVERSE})
"""Kinds that take points of a member although it is frozen."""


class ReservationService:
    """Reservations in one transaction."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._availability = AvailabilityService(session, network=network)
        self._usability = UsabilityService(session, network=network)

    # ---------------------------------------------------------------- points

    def reserve_points(
        self, merchant: Merchant, drafts: Sequence[Draft], *, atomic: bool, captured: CapturedHold | None
    ) -> list[int]:
        """Reserves the drafts' points; how many for each. Only an atomic order may use what it gains itself."""
        accounts = {draft.draw.account for draft in drafts if draft.draw is not None}
        balances = self._availability.lock(accounts)
        self._refuse_barred(merchant, drafts)
        burning = self._admit(drafts)
        found = self._availability.of(accounts, balances=balances, captured=captured, burning=burning)
        free = {account: availability.available for account, availability in found.items()}
        gained: dict[AccountKey, int] = defaultdict(int)
        sums: dict[AccountKey, int] = defaultdict(int)
        reserved = []
        for draft in drafts:
            points = 0
            if draft.draw is not None:
                points = self._reserve_one(draft, draft.draw, free, gained)
                sums[draft.draw.account] += points
            if draft.gain is not None and atomic:
                gained[draft.gain.account] += draft.gain.points
            reserved.append(points)
        changes = {
            account: Balance(reserved=points, expiring=burning.get(account, 0)) for account, points in sums.items()
        }
        AccountRepository(self._session).add(changes)
        return reserved

    def _refuse_barred(self, merchant: Merchant, drafts: Sequence[Draft]) -> None:
        """Takes nothing from members that are frozen, in one statement for all; but points expire and go back all the same."""
        takings = [
            Taking(draft.draw.account[0], draft.sides.giver, draft.at, _recipient(draft))
            for draft in drafts
            if draft.draw is not None and draft.instruction.kind not in _EVEN_IF_BARRED
        ]
        require_takeable(self._session, merchant.number, takings)

    def _admit(self, drafts: Sequence[Draft]) -> dict[AccountKey, int]:
        """Each kind's last look at its drafts, with their accounts locked; the expired points that the order may burn."""
        by_kind: dict[Kind, list[Draft]] = defaultdict(list)
        for draft in drafts:
            by_kind[draft.request.kind].append(draft)
        burning: Counter[AccountKey] = Counter()
        for kind, some in by_kind.items():
            burning.update(kind_of(kind).admit(self._session, self._availability, some))
        return burning

    @staticmethod
    def _reserve_one(draft: Draft, draw: Draw, free: dict[AccountKey, int], gained: dict[AccountKey, int]) -> int:
        account, points = draw
        own = min(gained[account], points)
        needed = points - own
        if needed > free[account]:
            available = max(free[account], 0) + gained[account]
            detail = kind_of(draft.request.kind).shortage(available, points)
            raise Refused.at(draft.at("points"), detail, code="insufficient_points")
        gained[account] -= own
        free[account] -= needed
        return needed

    # ---------------------------------------------------------------- money and daily caps

    def reserve_charges(self, drafts: Sequence[Draft], merchant_number: int) -> None:
        """Reserves what the payers of a merchant's drafts will pay, and what the drafts may use of daily caps.

        Do this last: everybody who pays from the same position waits for the transaction to end.
        """
        positions = PositionRepository(self._session)
        charged = [draft for draft in drafts if draft.charge is not None]
        charges = [draft.charge for draft in charged if draft.charge is not None]
        for payer in sorted({charge.payer for charge in charges}):
            micros = sum(charge.micros for charge in charges if charge.payer == payer)
            position = positions.lock(payer)
            require_liquidity(position, micros, merchant_number)
            position.reserved += micros
        self._reserve_caps([draft for draft in charged if draft.cap_use is not None])

    def _reserve_caps(self, drafts: Sequence[Draft]) -> None:
        """Nobody else reserves of these caps meanwhile: the payers' positions are locked."""
        for agreement in sorted({draft.instruction.agreement for draft in drafts}):
            mine = [draft for draft in drafts if draft.instruction.agreement == agreement]
            uses = [draft.cap_use for draft in mine if draft.cap_use is not None]
            needed = sum(use.needed for use in uses)
            self._usability.require_left_today(agreement, uses[0].daily_cap, needed, mine[0].at("points"))
            self._usability.reserve(agreement, sum(use.reserved for use in uses))


def pending_balance(kind: int, points: int, reserves: int) -> Balance:
    """What a pending instruction of this kind, for so many points, adds to the account that it draws on."""
    return Balance(reserved=reserves, expiring=points if kind == Kind.EXPIRE else 0)


def _recipient(draft: Draft) -> str | None:
    """The address to which a transfer takes points."""
    return "0x" + draft.instruction.link[12:].hex() if draft.instruction.kind == Kind.TRANSFER else None
