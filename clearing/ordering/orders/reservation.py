"""What an order takes while it is pending: points of accounts, money of positions, source points of daily caps."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy.orm import Session

from clearing.kit.errors import Refused
from clearing.kit.identity import NetworkIdentity
from clearing.ledger.accounts.repository import AccountKey, AccountRepository, Balance
from clearing.ledger.availability.due import CapturedHold
from clearing.ledger.availability.service import AvailabilityService
from clearing.ledger.settlement.models import Position
from clearing.ledger.settlement.repository import PositionRepository
from clearing.ledger.settlement.service import require_liquidity
from clearing.ordering.orders.kinds import kind_of
from clearing.ordering.orders.resolution import CapUse, Draft, Draw
from clearing.parties.agreements.usability import CapStanding, UsabilityService
from clearing.parties.members.freezes import Bars, Taking
from clearing.parties.merchants.models import Merchant
from tongdui.orders import Kind

_EVEN_IF_BARRED = frozenset({Kind.EXPIRE, Kind.REVERSE})
"""Kinds that take points of a member although it is frozen."""


class ReservationService:
    """Reservations of several orders in one transaction: locked together, decided one by one, written together."""

    def __init__(self, session: Session, *, network: NetworkIdentity) -> None:
        self._session = session
        self._network = network
        self._availability = AvailabilityService(session, network=network)
        self._positions: dict[int, Position] = {}
        self._caps: dict[int, CapStanding] = {}
        self._bars = Bars(session)
        self._burning: Mapping[AccountKey, int] = {}
        self._free: dict[AccountKey, int] = {}
        self._taken: Counter[AccountKey] = Counter()

    def lock(self, drafts: Sequence[Draft], captured: CapturedHold | None) -> None:
        """Locks all that these drafts of one or more orders will use up, and reads it: accounts, positions, daily caps.

        In this order, as everywhere. Whoever pays from the same position waits for the transaction to end.
        """
        accounts = {draft.draw.account for draft in drafts if draft.draw is not None}
        balances = self._availability.lock(accounts)
        self._bars.read({draft.draw.account[0] for draft in drafts if _is_barred_by_freezes(draft) and draft.draw})
        self._burning = self._admit(drafts)
        found = self._availability.of(accounts, balances=balances, captured=captured, burning=self._burning)
        self._free = {account: availability.available for account, availability in found.items()}
        charges = [draft.charge for draft in drafts if draft.charge is not None]
        self._positions = PositionRepository(self._session).lock_all({charge.payer for charge in charges})
        capped = {draft.instruction.agreement for draft in drafts if draft.cap_use is not None}
        self._caps = UsabilityService(self._session, network=self._network).lock_caps(capped)

    def reserve(self, merchant: Merchant, drafts: Sequence[Draft], *, atomic: bool) -> list[int]:
        """Reserves what one order takes: all of it, or nothing where it is refused. The points that it reserves for each draft."""
        self._refuse_barred(merchant, drafts)
        sums: Counter[AccountKey] = Counter()
        reserved = self._points(drafts, sums, atomic=atomic)
        micros: Counter[int] = Counter()
        for draft in drafts:
            if draft.charge is not None:
                micros[draft.charge.payer] += draft.charge.micros
        for payer in sorted(micros):
            require_liquidity(self._positions[payer], micros[payer], merchant.number)
        uses = _uses(drafts)
        for agreement, (use, at) in uses.items():
            self._caps[agreement].require(use.daily_cap, use.needed, at)
        for account, points in sums.items():
            self._free[account] -= points
        self._taken.update(sums)
        for payer, sum_of in micros.items():
            self._positions[payer].reserved += sum_of
        for agreement, (use, _) in uses.items():
            self._caps[agreement].reserve(use.reserved)
        return reserved

    def write(self) -> None:
        """Stores what the accepted orders have reserved."""
        changes = {
            account: Balance(reserved=points, expiring=self._burning.get(account, 0))
            for account, points in self._taken.items()
        }
        AccountRepository(self._session).add(changes)
        self._session.flush()

    # ---------------------------------------------------------------- points

    def _points(self, drafts: Sequence[Draft], sums: Counter[AccountKey], *, atomic: bool) -> list[int]:
        """The points to reserve for each draft; adds them up by account. Only an atomic order may use what it gains itself."""
        gained: Counter[AccountKey] = Counter()
        reserved = []
        for draft in drafts:
            points = 0
            if draft.draw is not None:
                account = draft.draw.account
                free = self._free[account] - sums[account]
                points = self._needed(draft, draft.draw, free, gained)
                sums[account] += points
            if draft.gain is not None and atomic:
                gained[draft.gain.account] += draft.gain.points
            reserved.append(points)
        return reserved

    @staticmethod
    def _needed(draft: Draft, draw: Draw, free: int, gained: Counter[AccountKey]) -> int:
        account, points = draw
        own = min(gained[account], points)
        needed = points - own
        if needed > free:
            available = max(free, 0) + gained[account]
            detail = kind_of(draft.request.kind).shortage(available, points)
            raise Refused.at(draft.at("points"), detail, code="insufficient_points")
        gained[account] -= own
        return needed

    def _refuse_barred(self, merchant: Merchant, drafts: Sequence[Draft]) -> None:
        """Takes nothing from members that are frozen; but points expire and go back all the same."""
        if self._bars.is_empty:
            return
        for draft in drafts:
            if draft.draw is not None and _is_barred_by_freezes(draft):
                taking = Taking(draft.draw.account[0], draft.sides.giver, draft.at, _recipient(draft))
                self._bars.require_takeable(merchant.number, taking)

    def _admit(self, drafts: Sequence[Draft]) -> dict[AccountKey, int]:
        """Each kind's last look at its drafts, with their accounts locked; the expired points that the order may burn."""
        by_kind: dict[Kind, list[Draft]] = defaultdict(list)
        for draft in drafts:
            by_kind[draft.request.kind].append(draft)
        burning: Counter[AccountKey] = Counter()
        for kind, some in by_kind.items():
            burning.update(kind_of(kind).admit(self._session, self._availability, some))
        return burning


def _is_barred_by_freezes(draft: Draft) -> bool:
    return draft.instruction.kind not in _EVEN_IF_BARRED


def _uses(drafts: Sequence[Draft]) -> dict[int, tuple[CapUse, str]]:
    """What an order uses of each agreement's daily cap in all, and the pointer to the points that ask for it first."""
    first: dict[int, Draft] = {}
    needed: Counter[int] = Counter()
    reserved: Counter[int] = Counter()
    for draft in drafts:
        if (use := draft.cap_use) is not None:
            agreement = draft.instruction.agreement
            first.setdefault(agreement, draft)
            needed[agreement] += use.needed
            reserved[agreement] += use.reserved
    uses = {}
    for agreement, draft in sorted(first.items()):
        assert draft.cap_use is not None, "it was found by its use"
        total = CapUse(draft.cap_use.daily_cap, needed[agreement], reserved[agreement])
        uses[agreement] = (total, draft.at("points"))
    return uses


def pending_balance(kind: int, points: int, reserves: int) -> Balance:
    """What a pending instruction of this kind, for so many points, adds to the account that it draws on."""
    return Balance(reserved=reserves, expiring=points if kind == Kind.EXPIRE else 0)


def _recipient(draft: Draft) -> str | None:
    """The address to which a transfer takes points."""
    return "0x" + draft.instruction.link[12:].hex() if draft.instruction.kind == Kind.TRANSFER else None
