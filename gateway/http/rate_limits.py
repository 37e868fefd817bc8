"""How many requests of a kind somebody may send in a minute (docs/decisions/0058-rate-limits-are-leased.md).

Permits are taken from the storage in small lots, so that hardly any request asks it: with Redis that would be a round trip each.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
from fastapi import Request
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.errors import StorageError

from clearing.kit import metrics
from clearing.kit.config import Settings
from clearing.kit.errors import RateLimited

log = structlog.get_logger(__name__)

_LOTS = 200
"""Into so many lots a minute's permits are divided. What is left of a lot at its end is lost: half a percent at most."""
_MOST_BUDGETS = 20_000
"""So many budgets are remembered before those are forgotten that nobody uses."""
_REDIS_SECONDS = 0.25
"""How long Redis may take to answer."""
_REDIS_REST = 5.0
"""Seconds for which Redis is left alone after it has not answered."""


class Kind(StrEnum):
    """Kinds of requests, each with a limit of its own. The settings `rate_limit_...` say how many a minute may have."""

    READS = "reads"
    LISTS = "lists"
    """Reads that may cost: everything but a single thing by its id."""
    WRITES = "writes"
    STREAMS = "streams"
    """Openings of a stream of events."""
    OPEN = "open"
    """What needs no credential, such as signing in; by address."""
    PUBLIC = "public"
    """What the public explorer shows to whoever comes without a credential; by address."""
    FAILURES = "failures"
    """Requests whose credential nobody knows; by address."""


for _kind in Kind:
    metrics.REQUESTS_LIMITED.labels(_kind)


Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(slots=True)
class _Budget:
    """What one caller may still do of one kind."""

    name: str
    policy: bytes
    left: int = 0
    """Permits that this process has taken for it."""
    beyond: int = 0
    """Permits that were left in the storage then."""
    until: float = 0.0
    """When these figures are stale. Monotonic seconds, like the next."""
    resets: float = 0.0
    exhausted_until: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def headers(self, now: float) -> Headers:
        """What every response says: the limit, and what is left of it."""
        standing = f'"{self.name}";r={self.left + self.beyond};t={max(1, math.ceil(self.resets - now))}'
        return ((b"ratelimit-policy", self.policy), (b"ratelimit", standing.encode()))


class RateLimits:
    """The limits of one process; or of all that share a Redis."""

    def __init__(self, settings: Settings) -> None:
        self._items: dict[Kind, RateLimitItem] = {}
        for kind in Kind:
            amount = int(getattr(settings, f"rate_limit_{kind}"))
            if amount:
                self._items[kind] = RateLimitItemPerMinute(amount, namespace=kind)
        self._own = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = _shared(settings.rate_limit_url) if settings.rate_limit_url else None
        self._shared_from = 0.0
        """Monotonic seconds: before that, Redis is not asked."""
        self._budgets: dict[tuple[Kind, str], _Budget] = {}

    async def count(self, request: Request, kind: Kind, who: str) -> None:
        """Counts a request, and notes for its response what is left. Raises RateLimited if nothing is."""
        item = self._items.get(kind)
        if item is None:
            return
        budget = self._budget(kind, who, item)
        now = time.monotonic()
        while budget.left <= 0 or budget.until <= now:
            if budget.exhausted_until > now:
                request.state.rate_limit = budget.headers(now)
                raise _refusal(kind, item, budget.exhausted_until - now)
            async with budget.lock:
                if budget.left <= 0 or budget.until <= now:
                    await self._fill(budget, item, who)
            now = time.monotonic()
        budget.left -= 1
        request.state.rate_limit = budget.headers(now)

    def require_some(self, kind: Kind, who: str) -> None:
        """Refuses somebody of whom this process knows that it has nothing left; counts nothing."""
        budget, item = self._budgets.get((kind, who)), self._items.get(kind)
        now = time.monotonic()
        if budget is not None and item is not None and budget.exhausted_until > now:
            raise _refusal(kind, item, budget.exhausted_until - now)

    def _budget(self, kind: Kind, who: str, item: RateLimitItem) -> _Budget:
        budget = self._budgets.get((kind, who))
        if budget is None:
            if len(self._budgets) >= _MOST_BUDGETS:
                now = time.monotonic()
                self._budgets = {key: one for key, one in self._budgets.items() if one.until > now}
            policy = f'"{kind}";q={item.amount};w={item.get_expiry()}'
            budget = self._budgets[kind, who] = _Budget(kind.value, policy.encode())
        return budget

    async def _fill(self, budget: _Budget, item: RateLimitItem, who: str) -> None:
        """Takes a lot of permits; if there is none, a single one. If there is none either, notes until when."""
        if self._shared is not None and time.monotonic() >= self._shared_from:
            try:
                await _take(self._shared, budget, item, who)
            except (StorageError, OSError, TimeoutError) as error:
                self._shared_from = time.monotonic() + _REDIS_REST
                metrics.RATE_LIMIT_STORAGE_FAILURES.inc()
                log.warning("rate limits are counted by each process alone", error=repr(error.__cause__ or error))
            else:
                return
        await _take(self._own, budget, item, who)


async def _take(limiter: SlidingWindowCounterRateLimiter, budget: _Budget, item: RateLimitItem, who: str) -> None:
    lot = max(1, item.amount // _LOTS)
    taken = lot if await limiter.hit(item, who, cost=lot) else 0
    if not taken and lot > 1:
        taken = int(await limiter.hit(item, who))
    resets_at, beyond = await limiter.get_window_stats(item, who)
    now = time.monotonic()
    budget.left, budget.beyond = taken, beyond
    budget.until = now + item.get_expiry()
    budget.resets = now + max(0.0, resets_at - time.time())  # noqa: TID251 (the library's own clock)
    budget.exhausted_until = 0.0 if taken else max(budget.resets, now + 1.0)


def _refusal(kind: Kind, item: RateLimitItem, seconds: float) -> RateLimited:
    metrics.REQUESTS_LIMITED.labels(kind).inc()
    whose = "your address" if kind in (Kind.OPEN, Kind.PUBLIC, Kind.FAILURES) else "you"
    detail = (
        f"{whose} may send {item.amount} requests of this kind ({kind}) a minute; wait for the seconds in Retry-After"
    )
    return RateLimited(detail, retry_after=max(1, math.ceil(seconds)))


def _shared(url: str) -> SlidingWindowCounterRateLimiter:
    storage = RedisStorage(
        f"async+{url}",
        wrap_exceptions=True,
        implementation="redispy",
        key_prefix="tongdui",
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
    )
    return SlidingWindowCounterRateLimiter(storage)
