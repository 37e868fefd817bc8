"""SQL of merges."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Update, and_, or_, select, update
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.paging import Page, equal_given, merged, newest_first
from clearing.kit.sources import Walk, newest_of
from clearing.kit.upsert import insert_for
from clearing.ledger.accounts.models import Account
from clearing.ledger.accounts.repository import AccountKey
from clearing.ledger.availability.models import Hold, HoldPurpose
from clearing.ledger.availability.repository import PENDING
from clearing.ordering.merges.models import Merge, MergeAccount, MergeState
from clearing.ordering.orders.models import OPEN_STATES, Instruction, Order
from clearing.ordering.orders.repository import OrderRepository
from clearing.parties.codes.models import MemberCode
from clearing.parties.members.models import Member
from clearing.parties.programs.models import Program


class MergeRepository:
    """Merges in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, merge: Merge) -> None:
        """Stores a merge."""
        self._session.add(merge)
        self._session.flush()

    def by_id(self, id: str) -> Merge | None:  # noqa: A002
        """The merge with this id."""
        return self._session.get(Merge, id)

    def lock(self, id: str) -> Merge:  # noqa: A002
        """The merge with this id, locked until the transaction ends."""
        return self._session.get_one(Merge, id, with_for_update=True, populate_existing=True)

    def lock_of(self, member_ids: Collection[str]) -> None:
        """Locks all merges with these members until the transaction ends."""
        theirs = or_(Merge.member_id.in_(member_ids), Merge.into_id.in_(member_ids))
        self._session.execute(select(Merge.id).where(theirs).order_by(Merge.id).with_for_update())

    def list(
        self, *, merchant: int | None, state: MergeState | None, member_id: str | None, after: str | None, limit: int
    ) -> Sequence[Merge]:
        """Merges that a merchant proposed or signs transfers of, or everybody's; newest first."""
        states = tuple(MergeState) if state is None else (state,)

        def page_of(conditions: Sequence[ColumnElement[bool]], most: int) -> Select[str]:
            return newest_first(select(Merge.id).where(*conditions, *_of_state(state)), Merge.id, after, most)

        signs = select(MergeAccount.merge_id).where(
            MergeAccount.merge_id == Merge.id, MergeAccount.merchant_number == merchant
        )
        if member_id is not None:  # few
            visible = [] if merchant is None else [or_(Merge.merchant_number == merchant, signs.exists())]
            pages: list[Page | None] = [
                page_of([Merge.member_id == member_id, *visible], limit),
                page_of([Merge.into_id == member_id, *visible], limit),
            ]
        elif merchant is None:
            pages = [page_of([], limit)]
        else:
            own = Walk((Merge.merchant_number, Merge.state), [(merchant, each) for each in states])
            pages = [newest_of(self._session, [own], page_of, limit)]
            if state in (None, MergeState.DONE):  # nearly all are done
                # A merge has a row for each program.
                signed = (
                    select(MergeAccount.merge_id.label("id")).distinct().join(Merge, Merge.id == MergeAccount.merge_id)
                )
                signed = signed.where(MergeAccount.merchant_number == merchant, *_of_state(state))
                if after is not None:
                    signed = signed.where(MergeAccount.merge_id < after)
                pages.append(signed.order_by(MergeAccount.merge_id.desc()).limit(limit))
            else:
                pages.append(page_of([signs.exists()], limit))
        keys = merged([page for page in pages if page is not None]).subquery("keys")
        newest = select(keys.c.id).distinct().order_by(keys.c.id.desc()).limit(limit)
        # A statement of its own reads them: joined to the page, the database may read all merges.
        ids = self._session.scalars(newest).all()
        return self._session.scalars(select(Merge).where(Merge.id.in_(ids)).order_by(Merge.id.desc())).all()

    # ---------------------------------------------------------------- what is left to do

    def moving(self, since: datetime | None = None) -> Sequence[str]:
        """Ids of merges whose points still move; of those that were confirmed since a moment, or of all."""
        query = select(Merge.id).where(Merge.state == MergeState.MOVING).order_by(Merge.id)
        if since is not None:
            query = query.where(Merge.confirmed_at >= since)
        return self._session.scalars(query).all()

    def refilled(self) -> Sequence[str]:
        """Ids of merges that were done, but points have come back to the old address since."""
        query = (
            select(Merge.id)
            .join(Member, and_(Member.id == Merge.member_id, Member.merged_into.is_not(None)))
            .join(Account, Account.address == Member.address)
            .where(Merge.state == MergeState.DONE, Account.posted != 0)
        )
        return sorted(set(self._session.scalars(query)))

    def accounts(self, merge_id: str) -> Sequence[MergeAccount]:
        """The accounts that a merge empties, by program."""
        query = select(MergeAccount).where(MergeAccount.merge_id == merge_id).order_by(MergeAccount.program)
        return self._session.scalars(query).all()

    def account(self, merge_id: str, program: int) -> MergeAccount | None:
        """One of these accounts, as it is now."""
        return self._session.get(MergeAccount, (merge_id, program), populate_existing=True)

    def note_accounts(self, merge_id: str, address: str) -> None:
        """Notes all accounts of the old address, each with the merchant that signs for it."""
        query = select(Account.program, Program.merchant_number).join(Program, Program.number == Account.program)
        for program, merchant in self._session.execute(query.where(Account.address == address)).all():
            values = {"merge_id": merge_id, "program": program, "merchant_number": merchant}
            statement = insert_for(self._session)(MergeAccount).values(**values, transfers=0, announced=0)
            self._session.execute(statement.on_conflict_do_nothing())

    def is_empty(self, old: Member) -> bool:
        """Whether nothing is left at a merged member's address, and nothing is on its way there or from there."""
        left = select(Account.program).where(
            Account.address == old.address, or_(Account.posted != 0, Account.reserved != 0)
        )
        return self._session.scalar(left.limit(1)) is None and not self.has_open_orders([old.id])

    def has_open_orders(self, ids: Collection[str]) -> bool:
        """Whether an instruction of these members waits for the chain. What such an instruction takes is `reserved`, too."""
        return OrderRepository(self._session).has_open_with(ids)

    def has_open_holds(self, address: str) -> bool:
        """Whether a merchant holds points at this address."""
        query = select(Hold.id).where(
            PENDING,
            Hold.address == address,
            Hold.purpose == HoldPurpose.MERCHANT,
            Hold.expires_at > clock_of(self._session).now(),
        )
        return self._session.scalar(query.limit(1)) is not None

    def keys(self, address: str) -> Sequence[AccountKey]:
        """The accounts at an address."""
        query = select(Account.program).where(Account.address == address).order_by(Account.program)
        return [(address, program) for program in self._session.scalars(query)]

    # ---------------------------------------------------------------- history

    def move_history(self, old: str, new: str) -> None:
        """Lets the old member's movements and holds belong to the new one. Movements that wait for the chain follow later: the
        projector is about to write to them."""
        ended = select(Order.seq).where(Order.seq == Instruction.order_seq, Order.state.not_in(OPEN_STATES)).exists()
        self._update(update(Instruction).where(Instruction.member_id == old, ended).values(member_id=new))
        self._update(update(Instruction).where(Instruction.recipient_id == old, ended).values(recipient_id=new))
        for_merchants = (Hold.member_id == old, Hold.purpose == HoldPurpose.MERCHANT)
        self._update(update(Hold).where(*for_merchants).values(member_id=new))
        self._update(update(Hold).where(Hold.member_id == old).values(member_id=None))  # to be burnt at the old address
        self._update(update(MemberCode).where(MemberCode.member_id == old).values(member_id=new))

    def _update(self, statement: Update) -> None:
        self._session.execute(statement, execution_options={"synchronize_session": False})


def _of_state(state: MergeState | None) -> list[ColumnElement[bool]]:
    return equal_given((Merge.state, state))
