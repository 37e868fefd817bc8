"""SQL of members, of the external ids by which merchants know them, and of link codes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from clearing.kit.bulk_delete import delete_some
from clearing.kit.clock import clock_of
from clearing.kit.in_list import in_list
from clearing.kit.upsert import insert_for
from clearing.parties.members.models import LinkCode, Member, MemberLink

EXTERNAL = "external:"


class KnownMember(NamedTuple):
    """What an order needs of a member that its merchant knows. Orders read hundreds of them, so this is no model."""

    id: str | None
    """None if the member is known by its address only: nobody has its id any more."""
    address: str


class MemberRepository:
    """Members in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, member: Member) -> None:
        """Stores a member."""
        self._session.add(member)
        self._session.flush()

    def remove(self, member: Member) -> None:
        """Deletes a member that no merchant knows yet."""
        self._session.delete(member)

    def by_id(self, id: str) -> Member | None:  # noqa: A002
        """The member with this id, whoever knows it."""
        return self._session.get(Member, id)

    def by_external_id(self, merchant_number: int, external_id: str) -> Member | None:
        """The member that a merchant knows by this external id."""
        query = (
            select(Member)
            .join(MemberLink, MemberLink.member_id == Member.id)
            .where(MemberLink.merchant_number == merchant_number, MemberLink.external_id == external_id)
        )
        return self._session.scalar(query)

    def resolve(self, merchant_number: int, reference: str) -> Member | None:
        """The member that a merchant means by `mem_...` or `external:...`, if the merchant knows it."""
        if reference.startswith(EXTERNAL):
            return self.by_external_id(merchant_number, reference.removeprefix(EXTERNAL))
        if self.external_id(merchant_number, reference) is None:
            return None
        return self.by_id(reference)

    def resolve_all(self, merchant_number: int, references: Iterable[str]) -> dict[str, KnownMember]:
        """`resolve` for many references at once. References that name nobody are missing from the result."""
        wanted = set(references)
        external_ids = {r.removeprefix(EXTERNAL) for r in wanted if r.startswith(EXTERNAL)}
        ids = {r for r in wanted if not r.startswith(EXTERNAL)}
        known = select(MemberLink.external_id, Member.id, Member.address).join(
            Member, Member.id == MemberLink.member_id
        )
        known = known.where(MemberLink.merchant_number == merchant_number)
        found: dict[str, KnownMember] = {}
        if external_ids:
            rows = self._session.execute(known.where(in_list(self._session, MemberLink.external_id, external_ids)))
            found |= {EXTERNAL + external_id: KnownMember(id, address) for external_id, id, address in rows}  # noqa: A001
        if ids:
            rows = self._session.execute(known.where(in_list(self._session, MemberLink.member_id, ids)))
            found |= {id: KnownMember(id, address) for _, id, address in rows}  # noqa: A001
        return found

    def external_id(self, merchant_number: int, member_id: str) -> str | None:
        """The external id by which a merchant knows a member; the oldest, if it has several."""
        query = (
            select(MemberLink.external_id)
            .where(MemberLink.merchant_number == merchant_number, MemberLink.member_id == member_id)
            .order_by(MemberLink.created_at, MemberLink.external_id)
        )
        return self._session.scalars(query.limit(1)).first()

    def by_ids(self, ids: Collection[str]) -> Sequence[Member]:
        """The members with these ids."""
        return self._session.scalars(select(Member).where(in_list(self._session, Member.id, ids))).all()

    def known_of(self, merchant_number: int, ids: Collection[str]) -> dict[str, str]:
        """Of the members with these ids, those that the merchant knows, with its oldest external id of each."""
        query = (
            select(MemberLink.member_id, MemberLink.external_id)
            .where(MemberLink.merchant_number == merchant_number, in_list(self._session, MemberLink.member_id, ids))
            .order_by(MemberLink.created_at.desc(), MemberLink.external_id.desc())
        )
        return {row.member_id: row.external_id for row in self._session.execute(query)}

    def by_addresses(self, addresses: Iterable[str]) -> dict[str, Member]:
        """Members by their addresses on the chain."""
        query = select(Member).where(in_list(self._session, Member.address, set(addresses)))
        return {member.address: member for member in self._session.scalars(query)}

    def link(self, merchant_number: int, external_id: str, member_id: str) -> bool:
        """Gives a member a merchant's external id. False if the merchant uses that id already, perhaps since a moment ago."""
        at = clock_of(self._session).now()
        statement = (
            insert_for(self._session)(MemberLink)
            .values(merchant_number=merchant_number, external_id=external_id, member_id=member_id, created_at=at)
            .on_conflict_do_nothing()
            .returning(MemberLink.member_id)
        )
        return self._session.execute(statement).first() is not None


class LinkCodeRepository:
    """Link codes in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, code: LinkCode) -> None:
        """Stores a code's hash."""
        self._session.add(code)
        self._session.flush()

    def use(self, code_hash: bytes, at: datetime) -> str | None:
        """Uses up a code. Returns the id of its member, or None if the code is unknown, used or expired."""
        statement = (
            update(LinkCode)
            .where(LinkCode.code_hash == code_hash, LinkCode.used_at.is_(None), LinkCode.expires_at > at)
            .values(used_at=at)
            .returning(LinkCode.member_id)
        )
        return self._session.scalar(statement)

    def remove_expired(self, before: datetime, limit: int) -> int:
        """Deletes at most `limit` codes, used or not, that expired before this moment; returns how many."""
        return delete_some(self._session, LinkCode, LinkCode.expires_at < before, limit)
