"""Member codes: good once, for what the member agreed to, and not to be guessed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from clearing.kit.clock import MovableClock
from clearing.kit.errors import ClearingError, Conflict, Forbidden, NotFound, RateLimited, Refused, pointer_into
from clearing.kit.events.models import Event
from clearing.kit.one_time_codes import hash_of
from clearing.kit.viewer import Viewer
from clearing.parties.codes.models import MemberCode, MemberCodeState
from clearing.parties.codes.service import MOST_TRIES, TRIES_WINDOW, MemberCodeService, qr_payload
from clearing.parties.members.models import Member
from clearing.parties.merchants.models import Merchant
from tests.support.chainless import ChainlessNetwork

FUEL, CINE = 1, 2
AT = pointer_into("")
UNKNOWN = "00000-00000"


@contextmanager
def request(chainless: ChainlessNetwork) -> Iterator[Session]:
    """What the gateway makes of a mutation: a transaction, and in it a savepoint that a refusal rolls back."""
    refusal: ClearingError | None = None
    with chainless.database.session.begin() as session:
        try:
            with session.begin_nested():
                yield session
        except Refused as error:
            error.count(session)
            refusal = error
    if refusal is not None:
        raise refusal


def ask(
    chainless: ChainlessNetwork,
    member: str,
    points: int = 100,
    *,
    program: str | None = None,
    presenter: str | None = None,
    merchant: int = FUEL,
) -> str:
    """A code of five minutes, as the member's app shows it."""
    with request(chainless) as session:
        _, text = MemberCodeService(session).create(
            session.get_one(Merchant, merchant),
            member,
            points=points,
            program=program,
            presenter=presenter,
            seconds=300,
            actor="app",
        )
        return text


def show(
    chainless: ChainlessNetwork, code: str, points: int = 100, *, program: int = FUEL, merchant: int = CINE
) -> str:
    """Presents a code at a till; the member's id."""
    with request(chainless) as session:
        return present(session, code, points, program=program, merchant=merchant)


def present(session: Session, code: str, points: int = 100, *, program: int = FUEL, merchant: int = CINE) -> str:
    presenter = session.get_one(Merchant, merchant)
    codes = MemberCodeService(session)
    return codes.present(presenter, code, program=program, points=points, at=AT, used_for="spd_1", actor="till").id


def stored(chainless: ChainlessNetwork, code: str) -> MemberCode:
    with chainless.database.reading() as session:
        return session.scalars(select(MemberCode).where(MemberCode.code_hash == hash_of(code))).one()


def events(chainless: ChainlessNetwork, type_: str) -> list[Event]:
    with chainless.database.reading() as session:
        return list(session.scalars(select(Event).where(Event.type == type_).order_by(Event.seq)))


def refused(chainless: ChainlessNetwork, code: str, expected: str, points: int = 100, **options: int) -> ClearingError:
    with pytest.raises(ClearingError) as caught:
        show(chainless, code, points, **options)
    assert caught.value.code == expected, caught.value
    return caught.value


# -------------------------------------------------------------------- what a code is good for


def test_a_code_is_good_once(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    code = ask(chainless, member)
    assert show(chainless, code, 60) == member
    used = stored(chainless, code)
    assert (used.used_by, used.used_points, used.used_for) == (CINE, 60, "spd_1")
    again = refused(chainless, code, "member_code_invalid", 1)
    assert "used" in again.detail
    assert again.errors[0].pointer == "/member_code"


def test_a_code_may_be_typed_read_out_or_scanned(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    for spelling in (str.lower, lambda text: text.replace("-", " "), qr_payload, lambda text: qr_payload(text).upper()):
        assert show(chainless, spelling(ask(chainless, member))) == member


def test_a_code_ends_after_its_minutes(chainless: ChainlessNetwork, clock: MovableClock) -> None:
    code = ask(chainless, chainless.member())
    clock.move(timedelta(seconds=301))
    assert "expired" in refused(chainless, code, "member_code_invalid").detail
    assert stored(chainless, code).state_at(clock.now()) is MemberCodeState.EXPIRED


def test_a_code_has_a_ceiling_and_is_not_used_up_by_a_till_that_asks_for_more(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    code = ask(chainless, member, 100)
    over = refused(chainless, code, "over_member_code", 101)
    assert over.errors[0].pointer == "/points"
    assert show(chainless, code, 100) == member


def test_a_code_may_be_bound_to_a_program_and_a_merchant(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    with chainless.database.reading() as session:
        cine = session.get_one(Merchant, CINE).id
    bound = ask(chainless, member, program="FUEL", presenter=cine)
    refused(chainless, bound, "member_code_invalid", merchant=FUEL)
    refused(chainless, bound, "member_code_other_program", program=CINE)
    assert show(chainless, bound) == member


def test_nobody_consents_to_draw_on_another_issuers_points(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    with pytest.raises(Forbidden) as caught:
        ask(chainless, member, program="CINE")
    assert caught.value.code == "not_program_merchant"
    refused(chainless, ask(chainless, member), "member_code_other_program", program=CINE, merchant=FUEL)


def test_only_a_merchant_that_knows_the_member_asks_for_its_code(chainless: ChainlessNetwork) -> None:
    for nobody in ("external:nobody", "mem_" + "0" * 26):
        with pytest.raises(NotFound):
            ask(chainless, nobody)


def test_a_code_that_was_taken_back_is_worth_nothing(chainless: ChainlessNetwork) -> None:
    code = ask(chainless, chainless.member())
    end(chainless, code)
    end(chainless, code)
    assert "void" in refused(chainless, code, "member_code_invalid").detail
    assert [event.data["reason"] for event in events(chainless, "member.code_voided")] == ["merchant"]


def test_a_used_code_cannot_be_taken_back(chainless: ChainlessNetwork) -> None:
    code = ask(chainless, chainless.member())
    show(chainless, code)
    with pytest.raises(Conflict) as caught:
        end(chainless, code)
    assert caught.value.code == "member_code_used"


def end(chainless: ChainlessNetwork, code: str) -> None:
    with request(chainless) as session:
        found = session.scalars(select(MemberCode).where(MemberCode.code_hash == hash_of(code))).one()
        MemberCodeService(session).void(found, "app")


def test_a_peek_says_what_presenting_would_and_uses_nothing_up(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    code = ask(chainless, member)
    for _ in range(2):
        with request(chainless) as session:
            cine = session.get_one(Merchant, CINE)
            assert MemberCodeService(session).peek(cine, code, program=FUEL, points=1, at=AT).id == member
    with pytest.raises(Refused) as caught, request(chainless) as session:
        MemberCodeService(session).peek(session.get_one(Merchant, CINE), code, program=FUEL, points=101, at=AT)
    assert caught.value.code == "over_member_code"
    assert stored(chainless, code).refused_tries == 1
    assert show(chainless, code) == member


# -------------------------------------------------------------------- who is told


def test_the_members_own_merchant_is_told_and_nothing_tells_the_code(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    code = ask(chainless, member, program="FUEL")
    show(chainless, code, 60)
    created, used = events(chainless, "member.code_created") + events(chainless, "member.code_used")
    assert (created.subject, created.merchant_number, used.merchant_number) == (member, FUEL, FUEL)
    assert created.data["points"] == 100
    assert {**used.data, "merchant": None} == {
        "code": created.data["code"],
        "member": member,
        "points": 60,
        "program": "FUEL",
        "used_for": "spd_1",
        "merchant": None,
        "merchant_name": "cine",
    }
    assert code not in repr([created.data, used.data])


def test_another_merchant_does_not_see_the_code(chainless: ChainlessNetwork) -> None:
    member, other = chainless.member(), chainless.member()
    code = stored(chainless, ask(chainless, member))
    with chainless.database.reading() as session:
        codes, holder = MemberCodeService(session), session.get_one(Member, member)
        assert codes.visible(Viewer(FUEL), holder, code.id).id == code.id
        assert codes.visible(Viewer(), holder, code.id).id == code.id
        with pytest.raises(NotFound):
            codes.visible(Viewer(CINE), holder, code.id)
        with pytest.raises(NotFound):
            codes.visible(Viewer(FUEL), session.get_one(Member, other), code.id)


# -------------------------------------------------------------------- guessing


def test_a_merchant_has_five_wrong_tries_in_ten_minutes(chainless: ChainlessNetwork, clock: MovableClock) -> None:
    member = chainless.member()
    for _ in range(MOST_TRIES):
        refused(chainless, UNKNOWN, "member_code_invalid")
    code = ask(chainless, member)
    blocked = refused(chainless, code, "too_many_tries")
    assert isinstance(blocked, RateLimited)
    assert 0 < blocked.retry_after <= TRIES_WINDOW.total_seconds()
    assert show(chainless, code, merchant=FUEL) == member, "another merchant is not blocked"
    clock.move(TRIES_WINDOW)
    assert show(chainless, ask(chainless, member)) == member
    refused(chainless, UNKNOWN, "member_code_invalid")


def test_a_code_survives_four_tries_for_too_much_and_no_fifth(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    lucky, dead = ask(chainless, member), ask(chainless, member)
    for _ in range(MOST_TRIES - 1):
        refused(chainless, lucky, "over_member_code", 101)
    assert show(chainless, lucky) == member
    for _ in range(MOST_TRIES):
        refused(chainless, dead, "over_member_code", 101)
    assert "void" in refused(chainless, dead, "member_code_invalid").detail
    assert [event.data["reason"] for event in events(chainless, "member.code_voided")] == ["tries"]


def test_wrong_codes_at_the_same_moment_are_counted_one_by_one(chainless: ChainlessNetwork) -> None:
    barrier = threading.Barrier(12)

    def guess(_: int) -> str:
        barrier.wait()
        with pytest.raises(ClearingError) as caught:
            show(chainless, UNKNOWN)
        return caught.value.code

    with ThreadPoolExecutor(12) as pool:
        codes = sorted(pool.map(guess, range(12)))
    assert codes == ["member_code_invalid"] * MOST_TRIES + ["too_many_tries"] * (12 - MOST_TRIES)


# -------------------------------------------------------------------- two tills at once


def test_one_of_two_tills_gets_the_code_and_the_other_hears_that_it_is_used(
    chainless: ChainlessNetwork, clock: MovableClock
) -> None:
    member = chainless.member()
    for _ in range(10):
        code = ask(chainless, member)
        barrier = threading.Barrier(2)

        def till(merchant: int, code: str = code, barrier: threading.Barrier = barrier) -> str:
            barrier.wait()
            try:
                return show(chainless, code, merchant=merchant)
            except Refused as error:
                return error.detail

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(till, (FUEL, CINE)))
        assert results.count(member) == 1
        assert sum("used already" in result for result in results) == 1
        clock.move(TRIES_WINDOW)


def test_a_till_that_is_refused_for_another_reason_leaves_the_code_to_the_next(chainless: ChainlessNetwork) -> None:
    member = chainless.member()
    code = ask(chainless, member)
    with pytest.raises(Refused, match="too few points"):
        show_and_fail(chainless, code)
    assert stored(chainless, code).state_at(chainless.database.clock.now()) is MemberCodeState.LIVE
    assert events(chainless, "member.code_used") == []
    assert show(chainless, code) == member


def show_and_fail(chainless: ChainlessNetwork, code: str) -> None:
    with request(chainless) as session:
        present(session, code)
        raise Refused("too few points")
