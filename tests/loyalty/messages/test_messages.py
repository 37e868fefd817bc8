"""Messages, from what they tell of to the service that takes them: once, not at night, not too often, not against a will."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from loyalty.bonuses.models import Cause
from loyalty.bonuses.service import BonusService, Grant
from loyalty.earning.reasons import Text
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.messages.channels import Channels
from loyalty.messages.messenger import MOST_TRIES, Messenger
from loyalty.messages.service import MessageService
from loyalty.staff.models import Role
from tests.loyalty.clock import show
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done, refused
from tests.loyalty.messages.receivers import WebService, channels_file, web_service
from tests.loyalty.tiers import schemes

PHONE = "+8613800138000"
MORNING = datetime(2026, 7, 7, 9, tzinfo=ZoneInfo("Asia/Shanghai"))
REASON = {"reason": "a test"}
_numbers = itertools.count(1)


@dataclass(slots=True)
class Post:
    """A programme that tells its customers something, and the services that take it."""

    shop: Shop
    clock: ShiftedClock
    settings: Settings
    sms: WebService
    mail: WebService
    messenger: Messenger = field(init=False)

    def __post_init__(self) -> None:
        self.messenger = self.another_messenger()

    def another_messenger(self) -> Messenger:
        return Messenger(self.shop.api.database, Channels.of(self.settings), self.settings)

    def customer(self, phone: str | None = None) -> str:
        customer = self.shop.customer()
        number = phone or f"+86138{next(_numbers):08}"
        done(self.shop.api.post(f"/v1/customers/{customer}/identifiers", {"kind": "phone", "value": number}))
        return customer

    def bonus(self, customer: str, points: int = 100) -> str:
        """Gives a gift, of which the customer is told; the bonus's id."""
        with self.shop.api.database.session.begin() as session:
            grant = Grant(
                cause=Cause.BIRTHDAY,
                key=f"{next(_numbers)}",
                program="FUEL",
                points=points,
                reason=Text("happy birthday", "生日快乐"),
            )
            return BonusService(session).grant(customer, grant).id

    def tell(self) -> list[tuple[str, str, str]]:
        """Has the messenger do all that is due; what the phones got since the last time."""
        while self.messenger.step():
            pass
        got, self.sms.got = self.sms.got, []
        return got

    def messages(self, **which: Any) -> list[tuple[str, str, str | None]]:
        """Kind, state and why of messages, the oldest first."""
        found = done(self.shop.api.get("/v1/messages", **which))["data"]
        return [(one["kind"], one["state"], one["why"]) for one in reversed(found)]

    def whole(self) -> dict[str, Any]:
        """The newest message with its tries."""
        newest = done(self.shop.api.get("/v1/messages", limit=1))["data"][0]
        return done(self.shop.api.get(f"/v1/messages/{newest['id']}"))


@pytest.fixture
def post(programme: Database, shifted: ShiftedClock, tmp_path: Path) -> Iterator[Post]:
    """A shop at nine in the morning, whose customers are reached by phone, or else by mail."""
    show(shifted, MORNING)
    shop = Shop(api_on(programme))
    shop.open()
    with web_service() as sms, web_service() as mail:
        file = channels_file(tmp_path / "channels.toml", sms=sms.url, mail=mail.url)
        yield Post(shop, shifted, Settings(channels_file=file), sms, mail)


def test_a_gift_is_told_once_in_the_customers_language(post: Post) -> None:
    customer = post.customer(PHONE)
    post.bonus(customer, 100)
    assert post.tell() == [(PHONE, "礼物送达", "生日快乐：送您 100 积分。")]
    assert post.tell() == []
    done(post.shop.api.post(f"/v1/customers/{customer}/language", {"language": "en"}))
    post.bonus(customer, 50)
    assert post.tell() == [(PHONE, "A gift for you", "happy birthday: 50 points are yours.")]
    assert post.messages() == [("gift_given", "sent", None)] * 2
    assert [(one["channel"], one["outcome"]) for one in post.whole()["deliveries"]] == [("sms", "sent")]


def test_what_was_taken_back_before_it_was_told_is_not_told(post: Post) -> None:
    customer = post.customer()
    with post.shop.api.database.session.begin() as session:
        grant = Grant(cause=Cause.TASK, key="a", program="FUEL", points=7, reason=Text("a task", "任务"))
        bonuses = BonusService(session)
        bonuses.revoke(bonuses.grant(customer, grant), because="rtn_1")
    assert post.tell() == []
    assert post.messages() == [("task_done", "withheld", "no_longer_true")]


def test_what_was_told_and_taken_back_is_told_too(post: Post) -> None:
    customer = post.customer()
    bonus = post.bonus(customer, 30)
    post.tell()
    with post.shop.api.database.session.begin() as session:
        service = BonusService(session)
        (found,) = [one for one in service.given(customer, Cause.BIRTHDAY, "") if one.id == bonus]
        service.revoke(found, because="rtn_1")
    assert [body for _, _, body in post.tell()] == ["因相关商品已退货，“生日快乐”的 30 积分已收回。"]


def test_whoever_reaches_a_tier_is_told(post: Post) -> None:
    api = post.shop.api
    draft = done(api.post("/v1/tier-schemes", {"scheme": schemes.plain()}, Role.MARKETING))
    done(api.post(f"/v1/tier-schemes/{draft['id']}/publish", REASON))
    customer = post.customer(PHONE)
    while not post.messages():
        post.shop.sell(customer=customer)
    ((to, title, _),) = post.tell()
    tier = done(post.shop.api.get(f"/v1/customers/{customer}/tier"))
    assert to == PHONE
    assert tier["level"]["name"]["zh"] in title


def test_nobody_is_told_anything_at_night(post: Post) -> None:
    post.bonus(post.customer())
    show(post.clock, MORNING.replace(hour=22))
    assert post.tell() == []
    show(post.clock, MORNING.replace(hour=7) + timedelta(days=1))
    assert post.tell() == []
    assert post.messages() == [("gift_given", "waiting", None)]
    show(post.clock, MORNING.replace(hour=8) + timedelta(days=1))
    assert len(post.tell()) == 1


def test_nobody_is_told_too_much_in_a_day_or_a_week(post: Post) -> None:
    customer = post.customer()
    for _ in range(13):
        post.bonus(customer)
    told = []
    for day in range(9):
        show(post.clock, MORNING + timedelta(days=day, hours=1))
        told.append(len(post.tell()))
    # Three a day, ten in seven days; on the eighth day the first one is no longer counted.
    assert told == [3, 3, 3, 1, 0, 0, 0, 3, 0]


def test_two_messengers_count_alike(post: Post) -> None:
    customer = post.customer()
    for _ in range(5):
        post.bonus(customer)
    _, first = post.messenger.take()
    _, second = post.another_messenger().take()
    assert (len(first), len(second)) == (3, 0)


def test_whoever_does_not_want_it_is_told_nothing(post: Post) -> None:
    customer = post.customer()
    consent = {"purpose": "messages", "text_version": "1"}
    done(post.shop.api.post(f"/v1/customers/{customer}/consents", {**consent, "is_given": False}))
    post.bonus(customer)
    assert post.tell() == []
    done(post.shop.api.post(f"/v1/customers/{customer}/consents", {**consent, "is_given": True}))
    post.bonus(customer)
    assert len(post.tell()) == 1
    assert post.messages() == [("gift_given", "withheld", "consent_withdrawn"), ("gift_given", "sent", None)]


def test_whoever_left_or_has_no_address_is_told_nothing(post: Post) -> None:
    gone, unreachable = post.customer(), post.shop.customer()
    post.bonus(gone)
    post.bonus(unreachable)
    done(post.shop.api.post(f"/v1/customers/{gone}/erase", {**REASON, "forfeit_points": True}))
    assert post.tell() == []
    assert post.messages(customer=gone) == [("gift_given", "withheld", "customer_erased")]
    assert post.messages(customer=unreachable) == [("gift_given", "withheld", "no_address")]


def test_a_kind_that_is_off_is_not_told(post: Post) -> None:
    kind = done(post.shop.api.post("/v1/message-kinds/gift_given", {"is_on": False, "texts": None}))
    assert (kind["is_on"], kind["is_default"]) == (False, True)
    post.bonus(post.customer())
    assert post.tell() == []
    assert post.messages() == [("gift_given", "withheld", "kind_off")]


def test_staff_write_other_words(post: Post) -> None:
    texts = {
        "en": {"title": "Hooray", "body": "{points} points"},
        "zh": {"title": "太好了", "body": "{points} 积分：{reason}"},
    }
    kind = done(post.shop.api.post("/v1/message-kinds/gift_given", {"is_on": True, "texts": texts}, Role.MARKETING))
    assert kind["examples"]["zh"] == {"title": "太好了", "body": "100 积分：生日快乐"}
    post.bonus(post.customer(PHONE), 9)
    assert post.tell() == [(PHONE, "太好了", "9 积分：生日快乐")]
    log = done(post.shop.api.get("/v1/audit-log", subject="gift_given"))["data"]
    assert [entry["action"] for entry in log] == ["message_kind.changed"]
    assert log[0]["before"]["texts"]["zh"][0] == "礼物送达"


def test_words_that_cannot_be_meant_are_refused_by_their_fields(post: Post) -> None:
    texts = {"en": {"title": "{x}", "body": "b"}, "zh": {"title": "t", "body": "{points"}}
    answer = post.shop.api.post("/v1/message-kinds/gift_given", {"is_on": True, "texts": texts})
    refused(answer, 422, "bad_text", "/texts/en/title")
    refused(answer, 422, "bad_text", "/texts/zh/body")
    answer = post.shop.api.post("/v1/message-kinds/sign_in_code", {"is_on": False, "texts": None})
    refused(answer, 404, "unknown_message_kind")


def test_what_a_channel_refuses_goes_by_the_next_one_later(post: Post) -> None:
    customer = post.customer()
    address = {"channel": "mail", "value": "lin.lan@mail.example"}
    done(post.shop.api.post(f"/v1/customers/{customer}/addresses", address))
    post.sms.answers = [503]
    post.bonus(customer)
    assert post.tell() == []
    assert post.mail.got == []
    post.clock.ahead += timedelta(minutes=1)
    post.tell()
    assert [to for to, _, _ in post.mail.got] == ["lin.lan@mail.example"]
    tries = post.whole()["deliveries"]
    assert [(one["channel"], one["outcome"]) for one in tries] == [("sms", "not_sent"), ("mail", "sent")]
    assert "503" in tries[0]["detail"]


def test_what_no_channel_takes_fails_in_the_end_and_can_be_sent_again(post: Post) -> None:
    post.sms.answers = [500] * MOST_TRIES
    post.bonus(post.customer())
    for _ in range(MOST_TRIES):
        assert post.messages() == [("gift_given", "waiting", None)]
        post.tell()
        post.clock.ahead += timedelta(minutes=40)
    assert post.messages() == [("gift_given", "failed", None)]
    message = post.whole()
    assert len(message["deliveries"]) == MOST_TRIES
    done(post.shop.api.post(f"/v1/messages/{message['id']}/send-again", REASON))
    assert len(post.tell()) == 1
    refused(post.shop.api.post(f"/v1/messages/{message['id']}/send-again", REASON), 409, "not_repeatable")


def test_a_reminder_that_is_late_is_not_told(post: Post) -> None:
    customer = post.customer()
    with post.shop.api.database.session.begin() as session:
        values = {"points": 1, "program": "FUEL", "expires_on": "2026-07-06", "days": 1}
        day = (MORNING - timedelta(days=1)).date()
        MessageService(session).notify(customer, "points_expiring", "x", values, good_until=day)
    assert post.tell() == []
    assert post.messages() == [("points_expiring", "withheld", "too_late")]


def test_a_messenger_that_died_leaves_what_is_unclear_and_nobody_is_told_twice(post: Post) -> None:
    post.bonus(post.customer())
    _, (parcel,) = post.messenger.take()  # and then it is gone, before or after the channel took it
    assert post.tell() == []
    post.clock.ahead += timedelta(minutes=11)
    assert post.tell() == []
    assert post.messages() == [("gift_given", "unclear", None)]
    assert parcel.text.title == "礼物送达"
    (message,) = done(post.shop.api.get("/v1/messages", state="unclear"))["data"]
    done(post.shop.api.post(f"/v1/messages/{message['id']}/send-again", REASON))
    assert len(post.tell()) == 1


def test_an_address_is_checked_replaced_forgotten_and_erased(post: Post) -> None:
    api, customer = post.shop.api, post.customer()
    path = f"/v1/customers/{customer}/addresses"
    refused(api.post(path, {"channel": "sms", "value": PHONE}), 422, "bad_address", "/channel")
    refused(api.post(path, {"channel": "mail", "value": "nobody"}), 422, "bad_address", "/value")
    refused(api.post(path, {"channel": "app", "value": "two words"}), 422, "bad_address", "/value")
    refused(api.post(path, {"channel": "fax", "value": "1"}), 422, "validation_failed", "/channel")
    for value in ("a@mail.example", "b@mail.example", "b@mail.example"):
        done(api.post(path, {"channel": "mail", "value": value}))
    seen = done(api.get(f"/v1/customers/{customer}"))["addresses"]
    assert [(one["channel"], one["value"]) for one in seen] == [("mail", "b@mail.example")]
    done(api.post(f"{path}/mail/remove", REASON))
    refused(api.post(f"{path}/mail/remove", REASON), 404, "unknown_address")
    done(api.post(path, {"channel": "app", "value": "token"}))
    done(api.post(f"/v1/customers/{customer}/erase", {**REASON, "forfeit_points": True}))
    assert done(api.get(f"/v1/customers/{customer}"))["addresses"] == []
    refused(api.post(path, {"channel": "app", "value": "token"}), 409, "customer_erased")
    log = done(api.get("/v1/audit-log", subject=customer))["data"]
    assert "mail.example" not in str(log)
