"""SQL of members, of the external ids by which merchants know them, of freezes and of link codes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, delete, false, func, select, update
from sqlalchemy.orm import Session, aliased

from clearing.kit.bulk_delete import delete_some
from clearing.kit.bulk_insert import insert_all
from clearing.kit.clock import clock_of
from clearing.kit.in_list import in_list, pairs_in_list, table_of
from clearing.kit.paging import equal_given, newest_first, where_given
from clearing.kit.sources import Walk, newest_of
from clearing.kit.upsert import insert_for
from clearing.parties.members.models import LinkCode, LinkOrigin, Member, MemberFreeze, MemberLink, RetiredLink
from tongdui._canonical import EXTERNAL

NETWORK = 0
"""The merchant number of the network's operator, whose freezes count everywhere."""
_ADDRESS = "0x"
_LAST_CHARACTER = chr(0x10FFFF)
_MOST_FROZEN = 1_000_000
_LOOKED_AT = 250
"""External ids that a page looks at which shows only some of those that begin alike. No index has all that it may ask for, so this
is what keeps its cost the same whatever number there are; the next page goes on from there."""
Conditions = list[ColumnElement[bool]]
_CLOCKS_AGREE = timedelta(minutes=1)
"""The clocks of the machines that register members differ by less than this."""


MemberName = tuple[int, str]
"""(merchant, how that merchant names a member: `mem_...` or `external:...`)."""


class KnownMember(NamedTuple):
    """What an order needs of a member that its merchant knows. Orders read hundreds of them, so this is no model."""

    id: str | None
    """None for an account whose member was erased."""
    address: str


@dataclass(frozen=True, slots=True)
class MemberFilter:
    """Which members; None means any."""

    external_id: str | None = None
    prefix: str | None = None
    """Of an external id."""
    address: str | None = None
    frozen: bool | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None


class MemberPage(NamedTuple):
    """A page of a list of members."""

    members: Sequence[Member]
    after: str | None
    """The id after which the next page begins; None if there is none. A page may be short, or empty, and not be the last one."""

    @classmethod
    def of(cls, rows: Sequence[Member], limit: int) -> MemberPage:
        """The page of rows of which there is one more than `limit` if there is another page."""
        return cls(rows[:limit], rows[limit - 1].id if len(rows) > limit else None)


class MemberRepository:
    """Members in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, member: Member) -> None:
        """Stores a member."""
        self._session.add(member)
        self._session.flush()

    def add_all(self, members: Sequence[Member], external_ids: Sequence[str], merchant_number: int) -> dict[str, str]:
        """Stores members, each with an external id of a merchant's; the ids of those that came to be, by external id.

        One whose external id the merchant uses since a moment ago does not. Of two transactions that store the same ids one waits
        for the other, and never each for the other: both go through the ids in one order.
        """
        at = clock_of(self._session).now()
        rows = [
            {
                "id": m.id,
                "secret": m.secret,
                "address": m.address,
                "barred": False,
                "merged_into": None,
                "created_at": at,
            }
            for m in members
        ]
        insert_all(self._session, Member, rows)
        links = [
            {
                "merchant_number": merchant_number,
                "external_id": external_id,
                "member_id": member.id,
                "origin": LinkOrigin.REGISTERED,
                "created_at": at,
            }
            for external_id, member in sorted(zip(external_ids, members, strict=True), key=itemgetter(0))
        ]
        statement = insert_for(self._session)(MemberLink).on_conflict_do_nothing()
        made = self._session.execute(statement.returning(MemberLink.external_id, MemberLink.member_id), links)
        stored = {external_id: member_id for external_id, member_id in made}  # noqa: C416 (rows)
        lost = {member.id for member in members} - set(stored.values())
        if lost:
            self._session.execute(
                delete(Member).where(in_list(self._session, Member.id, lost)),
                execution_options={"synchronize_session": False},
            )
        return stored

    def by_external_ids(self, merchant_number: int, external_ids: Collection[str]) -> dict[str, Member]:
        """The members that a merchant knows by these external ids, by external id."""
        query = (
            select(MemberLink.external_id, Member)
            .join(Member, Member.id == MemberLink.member_id)
            .where(
                MemberLink.merchant_number == merchant_number,
                in_list(self._session, MemberLink.external_id, external_ids),
            )
        )
        return {external_id: member for external_id, member in self._session.execute(query)}  # noqa: C416 (rows)

    def remove(self, member: Member) -> None:
        """Deletes a member to whom nothing leads."""
        self._session.delete(member)
        self._session.flush()

    def by_id(self, id: str) -> Member | None:  # noqa: A002
        """The member to whom this id leads, whoever knows it: the id's own, or the one into whom that was merged."""
        member = self._session.get(Member, id)
        if member is None or member.merged_into is None:
            return member
        return self._session.get_one(Member, member.merged_into)

    def itself(self, id: str) -> Member | None:  # noqa: A002
        """The member that had this id from the start, even if it was merged into another one since."""
        return self._session.get(Member, id)

    def merge(self, old: Member, new: Member) -> None:
        """Lets everything that leads to the old member lead to the new one. Lock both first."""
        old.merged_into, old.barred = new.id, True
        self._session.flush()
        everywhere = {"synchronize_session": False}
        earlier = update(Member).where(Member.merged_into == old.id).values(merged_into=new.id)
        self._session.execute(earlier, execution_options=everywhere)
        for model in (MemberLink, RetiredLink, LinkCode):
            moved = update(model).where(model.member_id == old.id).values(member_id=new.id)
            self._session.execute(moved, execution_options=everywhere)
        self._session.expire_all()

    def lock(self, *ids: str) -> Sequence[Member]:
        """The members with these ids, locked in one order. Whoever writes something new about them waits."""
        query = select(Member).where(Member.id.in_(ids)).order_by(Member.id).with_for_update()
        found = {m.id: m for m in self._session.scalars(query.execution_options(populate_existing=True))}
        return [found[id] for id in ids if id in found]  # noqa: A001

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
        member = self.by_id(reference)
        return member if member is not None and self.knows(merchant_number, member.id) else None

    def resolve_all(self, names: Iterable[MemberName]) -> dict[MemberName, KnownMember]:
        """`resolve` for many names at once. Those that name nobody are missing from the result.

        The network's own requests may also name an account by its address (0x...), whoever knows its member, if there is one.
        """
        external: list[MemberName] = []
        addressed: list[MemberName] = []
        by_id: list[MemberName] = []
        for name in set(names):
            merchant, reference = name
            if reference.startswith(EXTERNAL):
                external.append((merchant, reference.removeprefix(EXTERNAL)))
            else:
                (addressed if reference.startswith(_ADDRESS) else by_id).append(name)
        found: dict[MemberName, KnownMember] = {}
        if addressed:
            owners = self._at_addresses({address for _, address in addressed})
            found |= {name: owners[name[1]] for name in addressed}
        if external:
            found |= self._known_by_external_id(external)
        if by_id:
            found |= self._known_by_id(by_id)
        return found

    def _known_by_external_id(self, names: Collection[MemberName]) -> dict[MemberName, KnownMember]:
        query = (
            select(MemberLink.merchant_number, MemberLink.external_id, Member.id, Member.address)
            .join(Member, Member.id == MemberLink.member_id)
            .where(pairs_in_list(self._session, MemberLink.merchant_number, MemberLink.external_id, names))
        )
        return {
            (merchant, EXTERNAL + external_id): KnownMember(member_id, address)
            for merchant, external_id, member_id, address in self._session.execute(query)
        }

    def _at_addresses(self, addresses: Collection[str]) -> dict[str, KnownMember]:
        """Accounts' owners: the member to whom the address leads; nobody, where it was erased."""
        query = select(Member.address, func.coalesce(Member.merged_into, Member.id))
        rows = self._session.execute(
            query.where(in_list(self._session, Member.address, [a.lower() for a in addresses]))
        )
        owners = {address: id for address, id in rows}  # noqa: A001, C416 (rows are not pairs to the type checker)
        return {named: KnownMember(owners.get(named.lower()), named.lower()) for named in addresses}

    def _known_by_id(self, names: Collection[MemberName]) -> dict[MemberName, KnownMember]:
        """The members to whom these ids lead, if the merchants that name them know those members.

        Almost always an id leads to its own member, so those are looked up first: two places in indexes for each.
        """
        wanted = table_of(self._session, (MemberLink.merchant_number, MemberLink.member_id), list(names))
        # Subqueries for each pair, not joins: the database always looks both up in their indexes, whatever it knows of the tables.
        itself = select(Member.address).where(Member.id == wanted.c.member_id, Member.merged_into.is_(None))
        knows = select(MemberLink.member_id).where(
            MemberLink.merchant_number == wanted.c.merchant_number, MemberLink.member_id == wanted.c.member_id
        )
        query = select(
            wanted.c.merchant_number,
            wanted.c.member_id,
            itself.correlate(wanted).scalar_subquery(),
            knows.limit(1).correlate(wanted).scalar_subquery(),
        )
        known = {
            (merchant, member_id): KnownMember(member_id, address)
            for merchant, member_id, address, linked in self._session.execute(query)
            if address is not None and linked is not None
        }
        rest = [name for name in names if name not in known]
        return known | self._known_by_merged_id(rest) if rest else known

    def _known_by_merged_id(self, names: Collection[MemberName]) -> dict[MemberName, KnownMember]:
        """The same of members that were merged into others."""
        named, meant = aliased(Member), aliased(Member)
        query = (
            select(MemberLink.merchant_number, named.id, meant.id, meant.address)
            .join(meant, meant.id == named.merged_into)
            .join(MemberLink, MemberLink.member_id == meant.id)
            .where(
                in_list(self._session, named.id, {id for _, id in names}),  # noqa: A001
                in_list(self._session, MemberLink.merchant_number, {merchant for merchant, _ in names}),
            )
        )
        known = {
            (merchant, named_id): KnownMember(member_id, address)
            for merchant, named_id, member_id, address in self._session.execute(query)
        }
        return {name: known[name] for name in names if name in known}

    def by_ids(self, ids: Collection[str]) -> Sequence[Member]:
        """The members with these ids."""
        return self._session.scalars(select(Member).where(in_list(self._session, Member.id, ids))).all()

    def by_addresses(self, addresses: Iterable[str]) -> dict[str, Member]:
        """Members by their addresses on the chain."""
        query = select(Member).where(in_list(self._session, Member.address, set(addresses)))
        return {member.address: member for member in self._session.scalars(query)}

    def barred(self, addresses: Collection[str]) -> Sequence[Member]:
        """Those of the members with these addresses that are frozen or merged, as they are now."""
        query = select(Member).where(Member.barred, in_list(self._session, Member.address, addresses))
        return self._session.scalars(query.execution_options(populate_existing=True)).all()

    def keep(self, ids: Collection[str]) -> set[str]:
        """Those of these members that there are: nobody erases them before this transaction ends. Lock their accounts first."""
        query = (
            select(Member.id)
            .where(in_list(self._session, Member.id, ids))
            .order_by(Member.id)
            .with_for_update(key_share=True, read=True)
        )
        return set(self._session.scalars(query)) if ids else set()

    # ---------------------------------------------------------------- lists

    def list(self, merchant_number: int, wanted: MemberFilter, *, after: str | None, limit: int) -> MemberPage:
        """Members that a merchant knows, newest first; with a prefix, in the order of the external ids that begin with it. `after`
        is the last id of the page before."""
        if wanted.prefix is not None:
            return self._list_by_external_id(merchant_number, wanted, wanted.prefix, after, limit)
        seen_by = (NETWORK, merchant_number)
        own = MemberLink.merchant_number == merchant_number
        if wanted.frozen:
            knows = select(MemberLink.member_id).where(own, MemberLink.member_id == MemberFreeze.member_id)
            ids = self._frozen(seen_by, wanted, [knows.exists()], after, limit + 1)
        else:
            links = select(MemberLink.member_id).where(own, *self._conditions(MemberLink.member_id, wanted, seen_by))
            links = where_given(links, (MemberLink.external_id, wanted.external_id)).distinct()
            ids = self._session.scalars(newest_first(links, MemberLink.member_id, after, limit + 1)).all()
        return MemberPage.of(self._newest(ids), limit)

    def list_all(self, wanted: MemberFilter, *, after: str | None, limit: int) -> MemberPage:
        """All members of the network that were not merged into others, newest first."""
        stands = Member.merged_into.is_(None)
        if wanted.frozen:
            exists = select(Member.id).where(
                Member.id == MemberFreeze.member_id, stands, *equal_given((Member.address, wanted.address))
            )
            frozen = self._newest(self._frozen((NETWORK,), wanted, [exists.exists()], after, limit + 1))
            return MemberPage.of(frozen, limit)
        query = where_given(select(Member), (Member.address, wanted.address))
        query = query.where(stands, *self._conditions(Member.id, wanted, (NETWORK,)))
        return MemberPage.of(self._session.scalars(newest_first(query, Member.id, after, limit + 1)).all(), limit)

    def _list_by_external_id(
        self, merchant_number: int, wanted: MemberFilter, prefix: str, after: str | None, limit: int
    ) -> MemberPage:
        link, lower = MemberLink, aliased(MemberLink)
        # Few members are frozen: the number is looked up in their links (`||` keeps databases from its index).
        number = link.external_id.concat("") if wanted.frozen else link.external_id
        own = (link.merchant_number == merchant_number, number <= prefix + _LAST_CHARACTER)
        begin = number >= prefix
        if after is not None:
            shown = select(func.min(link.external_id)).where(*own, begin, link.member_id == after)
            begin = number > (self._session.scalar(shown) or prefix)
        lowest = (  # of a member's: it comes once
            select(func.min(lower.external_id.concat("")))
            .where(
                lower.merchant_number == merchant_number,
                lower.member_id == link.member_id,
                lower.external_id.concat("") >= prefix,
            )
            .scalar_subquery()
        )
        query = select(link.external_id, link.member_id).where(*own, begin, link.external_id == lowest)
        query = where_given(query, (link.external_id, wanted.external_id)).order_by(link.external_id)
        conditions = self._conditions(link.member_id, wanted, (NETWORK, merchant_number))
        if wanted.frozen:
            seen_by = MemberFreeze.merchant_number.in_((NETWORK, merchant_number))
            few = select(MemberFreeze.member_id).where(seen_by).distinct().limit(_MOST_FROZEN).subquery()
            query = query.join(few, few.c.member_id == link.member_id).where(*conditions)
        elif conditions:
            return self._shown_of(query, wanted, merchant_number, limit)
        ids = [member_id for _, member_id in self._session.execute(query.limit(limit + 1))]
        return MemberPage.of(self._in_order(ids), limit)

    def _shown_of(self, links: Select[str, str], wanted: MemberFilter, merchant_number: int, limit: int) -> MemberPage:
        """Those of the next links that are wanted."""
        looked_at = links.limit(_LOOKED_AT).subquery("looked_at")
        conditions = self._conditions(looked_at.c.member_id, wanted, (NETWORK, merchant_number))
        query = select(looked_at.c.member_id, and_(*conditions)).order_by(looked_at.c.external_id)
        rows = self._session.execute(query).all()
        ids = [member_id for member_id, is_wanted in rows if is_wanted]
        if len(ids) > limit or len(rows) < _LOOKED_AT:
            return MemberPage.of(self._in_order(ids[: limit + 1]), limit)
        return MemberPage(self._in_order(ids), rows[-1].member_id)

    def _in_order(self, ids: Sequence[str]) -> Sequence[Member]:
        members = {member.id: member for member in self.by_ids(ids)}
        return [members[id] for id in ids]  # noqa: A001

    def _frozen(
        self,
        seen_by: Sequence[int],
        wanted: MemberFilter,
        conditions: Sequence[ColumnElement[bool]],
        after: str | None,
        limit: int,
    ) -> Sequence[str]:
        """The newest of those that one of these merchants has frozen."""
        freeze = MemberFreeze
        filters = [*conditions, *self._created_within(freeze.member_id, wanted)]

        def page_of(place: Sequence[ColumnElement[bool]], most: int) -> Select[str]:
            return newest_first(select(freeze.member_id).where(*place, *filters), freeze.member_id, after, most)

        other = aliased(freeze)  # a member may be frozen by both
        by_network = select(other.member_id).where(
            other.member_id == freeze.member_id, other.merchant_number == NETWORK, freeze.merchant_number != NETWORK
        )
        walk = Walk((freeze.merchant_number,), [(number,) for number in seen_by], (~by_network.exists(),))
        page = newest_of(self._session, [walk], page_of, limit)
        if page is None:
            return []
        keys = page.subquery("page")
        query = select(keys.c.member_id).order_by(keys.c.member_id.desc()).limit(limit)
        return self._session.scalars(query).all()

    def _newest(self, ids: Sequence[str]) -> Sequence[Member]:
        query = select(Member).where(Member.id.in_(ids)).order_by(Member.id.desc())
        return self._session.scalars(query).all()

    def _conditions(self, id: Any, wanted: MemberFilter, seen_by: Sequence[int]) -> Conditions:  # noqa: A002
        conditions = self._created_within(id, wanted)
        if wanted.frozen is False:
            freezes = select(MemberFreeze.member_id).where(
                MemberFreeze.member_id == id, MemberFreeze.merchant_number.in_(seen_by)
            )
            conditions.append(~freezes.exists())
        return conditions

    def _created_within(self, id: Any, wanted: MemberFilter) -> Conditions:  # noqa: A002
        """The times, and first the ids between which they lie: ids grow with time, and are in every index."""
        conditions: Conditions = []
        member = aliased(Member)
        # Looked up for each on the way: for a join the database might read all members instead.
        created_at = select(member.created_at).where(member.id == id).scalar_subquery()
        if wanted.created_from is not None:
            first = self._first_since(wanted.created_from - _CLOCKS_AGREE)
            conditions.append(false() if first is None else id >= first)
            conditions.append(created_at >= wanted.created_from)
        if wanted.created_before is not None:
            end = self._first_since(wanted.created_before + _CLOCKS_AGREE)
            conditions += [] if end is None else [id < end]
            conditions.append(created_at < wanted.created_before)
        return conditions

    def _first_since(self, moment: datetime) -> str | None:
        query = select(Member.id).where(Member.created_at >= moment).order_by(Member.created_at, Member.id).limit(1)
        return self._session.scalar(query)

    def merged_into(self, ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        """The ids that lead to each of these members because they were merged into it."""
        query = select(Member.merged_into, Member.id).where(Member.merged_into.in_(ids)).order_by(Member.id)
        return _grouped(self._session.execute(query))

    # ---------------------------------------------------------------- external ids

    def knows(self, merchant_number: int, member_id: str) -> bool:
        """Whether a merchant knows a member."""
        return self.external_id(merchant_number, member_id) is not None

    def external_id(self, merchant_number: int, member_id: str) -> str | None:
        """The external id by which a merchant knows a member; the oldest, if it has several."""
        return next(iter(self.external_ids(merchant_number, [member_id]).get(member_id, ())), None)

    def external_ids(self, merchant_number: int, ids: Collection[str]) -> Mapping[str, Sequence[str]]:
        """The external ids by which a merchant knows these members, the oldest of each first."""
        query = (
            select(MemberLink.member_id, MemberLink.external_id)
            .where(MemberLink.merchant_number == merchant_number, MemberLink.member_id.in_(ids))
            .order_by(MemberLink.created_at, MemberLink.external_id)
        )
        return _grouped(self._session.execute(query))

    def known_by(self, pairs: Collection[tuple[int, str]]) -> dict[tuple[int, str], str]:
        """Of these pairs of a merchant and a member's id, those whose merchant knows the member to whom the id leads, each with
        the merchant's oldest external id of it."""
        wanted = table_of(self._session, (MemberLink.merchant_number, MemberLink.member_id), list(pairs))
        merged_into = (
            select(Member.merged_into).where(Member.id == wanted.c.member_id).correlate(wanted).scalar_subquery()
        )
        # A subquery for each pair, not a join: the database always looks both up in their indexes, whatever it knows of the tables.
        oldest = (
            select(MemberLink.external_id)
            .where(
                MemberLink.merchant_number == wanted.c.merchant_number,
                MemberLink.member_id == func.coalesce(merged_into, wanted.c.member_id),
            )
            .order_by(MemberLink.created_at, MemberLink.external_id)
            .limit(1)
            .scalar_subquery()
        )
        rows = self._session.execute(select(wanted.c.merchant_number, wanted.c.member_id, oldest))
        return {(merchant, member): known for merchant, member, known in rows if known is not None}

    def links(self, member_id: str, merchant_number: int | None = None) -> Sequence[MemberLink]:
        """A merchant's links to a member, or everybody's."""
        query = select(MemberLink).where(MemberLink.member_id == member_id)
        return self._session.scalars(where_given(query, (MemberLink.merchant_number, merchant_number))).all()

    def link(
        self, merchant_number: int, external_id: str, member_id: str, origin: LinkOrigin = LinkOrigin.REGISTERED
    ) -> bool:
        """Gives a member a merchant's external id. False if the merchant uses that id already, perhaps since a moment ago."""
        at = clock_of(self._session).now()
        values = {"merchant_number": merchant_number, "external_id": external_id, "member_id": member_id}
        statement = (
            insert_for(self._session)(MemberLink)
            .values(**values, origin=origin, created_at=at)
            .on_conflict_do_nothing()
            .returning(MemberLink.member_id)
        )
        return self._session.execute(statement).first() is not None

    def retire(self, link: MemberLink) -> None:
        """Takes an external id away from its member, and keeps that it was one."""
        kept = {"merchant_number": link.merchant_number, "external_id": link.external_id, "member_id": link.member_id}
        self._session.add(RetiredLink(**kept, created_at=link.created_at))
        self._session.delete(link)
        self._session.flush()

    def is_retired(self, merchant_number: int, external_id: str) -> bool:
        """Whether the merchant has retired this external id at some time."""
        query = select(RetiredLink.seq).where(
            RetiredLink.merchant_number == merchant_number, RetiredLink.external_id == external_id
        )
        return self._session.scalar(query.limit(1)) is not None

    def retired_of(self, merchant_number: int, external_ids: Collection[str]) -> set[str]:
        """Those of these external ids that the merchant has retired at some time."""
        query = select(RetiredLink.external_id).where(
            RetiredLink.merchant_number == merchant_number,
            in_list(self._session, RetiredLink.external_id, external_ids),
        )
        return set(self._session.scalars(query))

    def retired(self, member_id: str, merchant_number: int | None = None) -> Sequence[RetiredLink]:
        """External ids that once led to a member."""
        query = select(RetiredLink).where(RetiredLink.member_id == member_id).order_by(RetiredLink.seq)
        return self._session.scalars(where_given(query, (RetiredLink.merchant_number, merchant_number))).all()


class FreezeRepository:
    """Freezes in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def freeze(self, member: Member, merchant_number: int, reason: str) -> bool:
        """Freezes a member for a merchant; False if it had done so before."""
        at = clock_of(self._session).now()
        statement = (
            insert_for(self._session)(MemberFreeze)
            .values(member_id=member.id, merchant_number=merchant_number, reason=reason, created_at=at)
            .on_conflict_do_nothing()
            .returning(MemberFreeze.member_id)
        )
        is_new = self._session.execute(statement).first() is not None
        member.barred = True
        self._session.flush()
        return is_new

    def unfreeze(self, member: Member, merchant_number: int) -> bool:
        """Takes a merchant's freeze back; False if there is none."""
        statement = delete(MemberFreeze).where(
            MemberFreeze.member_id == member.id, MemberFreeze.merchant_number == merchant_number
        )
        was_frozen = self._session.execute(statement.returning(MemberFreeze.member_id)).first() is not None
        member.barred = member.merged_into is not None or bool(self.of([member.id]))
        self._session.flush()
        return was_frozen

    def of(
        self, ids: Collection[str], merchants: Collection[int] | None = None
    ) -> Mapping[str, Sequence[MemberFreeze]]:
        """The freezes of these members, by everybody or by these merchants; the operator's first."""
        query = select(MemberFreeze).where(MemberFreeze.member_id.in_(ids)).order_by(MemberFreeze.merchant_number)
        if merchants is not None:
            query = query.where(MemberFreeze.merchant_number.in_(merchants))
        return _grouped((freeze.member_id, freeze) for freeze in self._session.scalars(query))


def _grouped(pairs: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = defaultdict(list)
    for key, value in pairs:
        found[key].append(value)
    return dict(found)


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
