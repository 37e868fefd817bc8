"""Tables of what the programme wants of the network: wishes, the orders that carry them, checks and what they found."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from loyalty.kit.database import Base, Big, chosen, partial_index, time_of_insert

REFERENCE = 140
"""The longest reference that the network takes."""


class WishState(StrEnum):
    """What became of a wish."""

    WAITING = "waiting"
    SENDING = "sending"
    """It is in an order that the network has not decided."""
    SETTLED = "settled"
    REFUSED = "refused"
    """The network does not carry it out. A person decides what then."""
    RETRIED = "retried"
    """It was refused, and another wish has taken its place."""
    WRITTEN_OFF = "written_off"
    """It was refused, and a person has given it up."""
    SET_OFF = "set_off"
    """Nothing of it moves: all of it was set off against what the member owes."""


class MemberState(StrEnum):
    """What the network knows of a customer."""

    NEW = "new"
    """Nothing yet."""
    KNOWN = "known"
    LEAVING = "leaving"
    """It knows somebody whom it shall forget."""
    GONE = "gone"


class OrderState(StrEnum):
    """How far an order is."""

    CLAIMED = "claimed"
    """Its wishes are its own, and nothing was sent since they changed."""
    SIGNED = "signed"
    """Its bytes are kept. The network may have them, or may not."""
    ACCEPTED = "accepted"
    """The network has it, and the chain has not decided."""
    DONE = "done"


class OutgoingOrder(Base):
    """An order to the network, from the claim of its wishes until each of them has its outcome."""

    __tablename__ = "outgoing_orders"
    __table_args__ = (partial_index("outgoing_orders_open_index", "due_at", where="state <> 'done'"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[OrderState] = mapped_column(chosen(OrderState), default=OrderState.CLAIMED)
    version: Mapped[int] = mapped_column(default=1)
    """Grows with each change of what it carries. Id and version are the idempotency key."""
    content: Mapped[bytes | None] = mapped_column(LargeBinary)
    """The exact bytes to send."""
    nonce: Mapped[int | None] = mapped_column(Big)
    """What it is signed with. A later version is signed with the same one, so only one of both can take effect."""
    deadline: Mapped[datetime | None]
    """When its bytes can no longer take effect."""
    network_order: Mapped[str | None] = mapped_column(String(40))
    """The id that the network gave it."""
    owner: Mapped[str | None] = mapped_column(String(40))
    """The sender that works on it, until `leased_until`."""
    leased_until: Mapped[datetime | None]
    due_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    """When it is worked on next."""
    failures: Mapped[int] = mapped_column(default=0)
    """How often in a row it got no answer that decides anything."""
    failure: Mapped[str | None] = mapped_column(String(500))
    """The last of them, in words."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class Wish(Base):
    """One movement that the programme wants, written in the transaction that decided it."""

    __tablename__ = "wishes"
    __table_args__ = (
        CheckConstraint("points > 0", name="points"),
        CheckConstraint("set_off BETWEEN 0 AND points", name="set_off"),
        Index("wishes_state_index", "state", "id"),
        Index("wishes_order_index", "order_id"),
        Index("wishes_original_index", "original_id"),
        partial_index("wishes_open_member_index", "member", where="state IN ('waiting', 'sending', 'refused')"),
        partial_index("wishes_uncompared_index", "id", where="state = 'settled' AND compared_at IS NULL"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """A name of `loyalty.network.kinds`."""
    reference: Mapped[str] = mapped_column(String(REFERENCE), unique=True)
    """The programme's document number, and the network's: it has one effect."""
    program: Mapped[str] = mapped_column(String(32))
    member: Mapped[str] = mapped_column(String(200))
    """As the network is asked: `external:` and the merchant's number for the customer, or `mem_...`."""
    points: Mapped[int] = mapped_column(Big)
    set_off: Mapped[int] = mapped_column(Big, default=0, server_default="0")
    """Points of them that do not move: those of an issue pay what the member owes, and those of a reversal are owed."""
    expires_on: Mapped[date | None]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What is kept beside the movement, for whoever asks later why it was made."""
    original_id: Mapped[str | None] = mapped_column(ForeignKey("wishes.id"))
    """The wish that this one undoes, in whole or in part. It is sent when that one has settled."""
    retry_of: Mapped[str | None] = mapped_column(ForeignKey("wishes.id"), unique=True)
    """The refused wish that this one takes the place of."""
    state: Mapped[WishState] = mapped_column(chosen(WishState), default=WishState.WAITING)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("outgoing_orders.id"))
    refusal: Mapped[str | None] = mapped_column(String(80))
    """The network's code."""
    refusal_detail: Mapped[str | None] = mapped_column(String(500))
    movement: Mapped[str | None] = mapped_column(String(40))
    """The movement's id in the network."""
    leaf: Mapped[str | None] = mapped_column(String(66))
    """The entry's hash: with it anybody can prove the entry from the chain."""
    tx_hash: Mapped[str | None] = mapped_column(String(66))
    block_number: Mapped[int | None] = mapped_column(Big)
    settled_at: Mapped[datetime | None]
    compared_at: Mapped[datetime | None]
    """When the check found it on the chain, or found that it is not there."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)

    @property
    def moving(self) -> int:
        """The points that move."""
        return self.points - self.set_off


class Debt(Base):
    """Points that should have been taken back, and were spent. What the member is given next pays them."""

    __tablename__ = "debts"
    __table_args__ = (
        CheckConstraint(
            "points > 0 AND written_off >= 0 AND owed >= 0 AND owed + written_off <= points", name="points"
        ),
        Index("debts_member_index", "member", "id"),
        Index("debts_wish_index", "wish_id"),
        partial_index("debts_open_index", "member", "program", "id", where="owed > 0"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    member: Mapped[str] = mapped_column(String(200))
    program: Mapped[str] = mapped_column(String(32))
    """Points of this program pay it, and of no other one: they are worth something else."""
    wish_id: Mapped[str] = mapped_column(ForeignKey("wishes.id"))
    """The reversal for which points were missing."""
    reason: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What was taken back, in both languages: `en` and `zh`."""
    points: Mapped[int] = mapped_column(Big)
    """That were missing."""
    owed: Mapped[int] = mapped_column(Big)
    """What is left of them."""
    written_off: Mapped[int] = mapped_column(Big, default=0)
    """What a person has given up of them."""
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class SetOff(Base):
    """Points of a wish that pay a debt in place of moving."""

    __tablename__ = "set_offs"
    __table_args__ = (
        CheckConstraint("points > 0 AND undone >= 0 AND undone <= points", name="points"),
        Index("set_offs_debt_index", "debt_id"),
    )

    wish_id: Mapped[str] = mapped_column(ForeignKey("wishes.id"), primary_key=True)
    debt_id: Mapped[str] = mapped_column(ForeignKey("debts.id"), primary_key=True)
    points: Mapped[int] = mapped_column(Big)
    undone: Mapped[int] = mapped_column(Big, default=0)
    """What is owed again, because what the wish is for came back."""


class Member(Base):
    """A customer as the network's member."""

    __tablename__ = "members"
    __table_args__ = (partial_index("members_open_index", "state", "id", where="state IN ('new', 'leaving')"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The customer's id, which the network has as the external id."""
    state: Mapped[MemberState] = mapped_column(chosen(MemberState), default=MemberState.NEW)
    created_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class Check(Base):
    """One run of the check that came to its end."""

    __tablename__ = "checks"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    looked_until: Mapped[datetime]
    """All that the network accepted before this moment was compared. The next run begins shortly before."""
    wishes: Mapped[int]
    """Settled wishes that were looked up in the network."""
    movements: Mapped[int]
    """The network's movements that were looked up here."""
    found: Mapped[int]
    """Differences that were not known before."""
    ended_at: Mapped[datetime] = mapped_column(default=time_of_insert)


class Difference(Base):
    """Something that the programme and the chain do not say alike."""

    __tablename__ = "differences"
    __table_args__ = (partial_index("differences_open_index", "id", where="closed_at IS NULL"),)

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    code: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(40))
    """The wish, or the movement if there is no wish. `code` and `subject` are found once."""
    reference: Mapped[str | None] = mapped_column(String(REFERENCE))
    here: Mapped[dict[str, Any]] = mapped_column(JSON)
    there: Mapped[dict[str, Any]] = mapped_column(JSON)
    found_at: Mapped[datetime] = mapped_column(default=time_of_insert)
    closed_at: Mapped[datetime | None]


Index("differences_code_subject_unique", Difference.code, Difference.subject, unique=True)
