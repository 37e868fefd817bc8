"""SQL of API keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.kit.locks import lock_until_commit
from clearing.kit.paging import newest_first, where_given
from clearing.kit.upsert import insert_for
from clearing.parties.access.models import ApiKey, ApiKeyUse, Role


class ApiKeyRepository:
    """API keys in one session."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(self, key: ApiKey) -> None:
        """Stores a key."""
        self._session.add(key)
        self._session.flush()

    def by_id(self, id: str) -> ApiKey | None:  # noqa: A002
        """The key with this id, revoked or not."""
        return self._session.get(ApiKey, id)

    def lock(self) -> None:
        """Until this transaction ends, nobody else can make, revoke or count keys: a tree of keys must hold still."""
        lock_until_commit(self._session, "api keys")

    def current(self, id: str) -> ApiKey | None:  # noqa: A002
        """The key as it is now, whatever this transaction has seen of it before."""
        query = select(ApiKey).where(ApiKey.id == id).execution_options(populate_existing=True)
        return self._session.scalars(query).one_or_none()

    def live_of_merchant(self, merchant_number: int) -> Sequence[ApiKey]:
        """A merchant's keys that are good for something now, oldest first."""
        query = select(ApiKey).where(ApiKey.merchant_number == merchant_number, self._is_live())
        return self._session.scalars(query.order_by(ApiKey.id)).all()

    def live_tree(self, root: ApiKey) -> Sequence[ApiKey]:
        """A key and all that come from it, oldest first: those that are not revoked yet."""
        tree = select(ApiKey.id).where(ApiKey.id == root.id).cte("tree", recursive=True)
        tree = tree.union_all(select(ApiKey.id).join(tree, ApiKey.parent_id == tree.c.id))
        query = select(ApiKey).where(ApiKey.id.in_(select(tree.c.id)), ApiKey.revoked_at.is_(None))
        return self._session.scalars(query.order_by(ApiKey.id).execution_options(populate_existing=True)).all()

    def count_live(self, role: Role, but: Collection[str] = ()) -> int:
        """How many keys of this role are good for something now, apart from those with the ids `but`."""
        query = select(func.count()).where(ApiKey.role == role, self._is_live(), ApiKey.id.not_in(but))
        return self._session.scalar(query) or 0

    def list(
        self, *, merchant_number: int | None, created_by: str | None, after: str | None, limit: int
    ) -> Sequence[ApiKey]:
        """Keys, newest first: one merchant's, or all; those of one maker, or of all."""
        query = where_given(select(ApiKey), (ApiKey.merchant_number, merchant_number), (ApiKey.created_by, created_by))
        return self._session.scalars(newest_first(query, ApiKey.id, after, limit)).all()

    def note_uses(self, uses: Mapping[str, datetime]) -> None:
        """Notes when keys were used, where that is later than what is noted."""
        insert = insert_for(self._session)(ApiKeyUse)
        statement = insert.on_conflict_do_update(
            index_elements=[ApiKeyUse.key_id],
            set_={"used_at": insert.excluded.used_at},
            where=ApiKeyUse.used_at < insert.excluded.used_at,
        )
        rows = [{"key_id": key_id, "used_at": at} for key_id, at in sorted(uses.items())]
        self._session.execute(statement, rows)

    def uses(self, ids: Collection[str]) -> dict[str, datetime]:
        """When these keys were last used, as far as they were."""
        query = select(ApiKeyUse.key_id, ApiKeyUse.used_at).where(ApiKeyUse.key_id.in_(ids))
        return {key_id: at for key_id, at in self._session.execute(query)}  # noqa: C416 (rows are no pairs)

    def _is_live(self) -> ColumnElement[bool]:
        now = clock_of(self._session).now()
        return and_(ApiKey.revoked_at.is_(None), or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now))
