"""Agreements and proposals whose time is over. Nothing depends on this: they end by themselves. Both merchants are told, once."""

from __future__ import annotations

from sqlalchemy.orm import Session

from clearing.kit.clock import clock_of
from clearing.parties.agreements.description import Naming
from clearing.parties.agreements.directory import agreements_in
from clearing.parties.agreements.events import record_agreement
from clearing.parties.agreements.models import Agreement, AgreementState
from clearing.parties.agreements.repository import AgreementRepository

ACTOR = "worker"


def any_over(session: Session) -> bool:
    """Whether there is somebody to tell. Writes nothing."""
    return bool(_over(session))


def tell_of_expired(session: Session, names: Naming, limit: int) -> int:
    """Records `agreement.expired` for each active agreement that has come to its end, and `agreement.lapsed` for each proposal that
    was not signed in time, for at most `limit` of them; how many."""
    at = clock_of(session).unix()
    ended = [
        (action, agreement)
        for agreement in AgreementRepository(session).lock_by_ids(_over(session)[:limit])
        if (action := _news_of(agreement, at)) is not None  # nobody has ended it in another way since, or told of it
    ]
    for _, agreement in ended:
        agreement.is_end_told = True
    session.flush()  # all at once: names are looked up anew after each change
    for action, agreement in ended:
        record_agreement(session, names, action, agreement, ACTOR)
    return len(ended)


def _over(session: Session) -> list[str]:
    """The same agreements first whoever looks."""
    at = clock_of(session).unix()
    return sorted(agreement.id for agreement in agreements_in(session).all() if _news_of(agreement, at) is not None)


def _news_of(agreement: Agreement, at: int) -> str | None:
    """What is to be told. Of a superseded or terminated agreement nothing: when that was told, its end was."""
    if agreement.is_end_told:
        return None
    if agreement.state is AgreementState.ACTIVE and agreement.ends_at <= at:
        return "expired"
    return "lapsed" if agreement.state_at(at) is AgreementState.LAPSED else None
