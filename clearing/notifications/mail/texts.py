"""What mails say, in each language. Every mail is text, so that the link in it is the one that one sees."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import NamedTuple

from clearing.parties.staff.models import Language
from clearing.parties.staff.titles import Title


class Text(NamedTuple):
    """A mail's subject and text."""

    subject: str
    body: str


TITLES: Mapping[Language, Mapping[Title, str]] = {
    Language.ENGLISH: {title: title.value for title in Title},
    Language.CHINESE: {
        Title.ADMIN: "管理员",
        Title.MANAGER: "经理",
        Title.CASHIER: "收银员",
        Title.ACCOUNTANT: "会计",
        Title.VIEWER: "查看者",
        Title.OPERATOR: "运营方",
        Title.TREASURY: "资金方",
        Title.AUDITOR: "审计方",
    },
}

_INVITATION = {
    Language.ENGLISH: Text(
        "You are invited to Tongdui: {place}",
        "Hello{name},\n\n"
        "you are invited to work with Tongdui at {place}, as {title}.\n\n"
        "Accept here until {until}:\n\n{link}\n\n"
        "If you do not know what this is about, leave it: nothing happens without you.\n",
    ),
    Language.CHINESE: Text(
        "邀请您加入通兑：{place}",
        "您好{name}：\n\n"
        "邀请您在{place}使用通兑，职务为{title}。\n\n"
        "请在 {until} 之前从这里接受：\n\n{link}\n\n"
        "如果您不了解此事，可以不理会：没有您的操作，什么都不会发生。\n",
    ),
}
_RESET = {
    Language.ENGLISH: Text(
        "A new password for Tongdui",
        "Hello {name},\n\n"
        "somebody has asked for a new password for your account at Tongdui. If it was you, choose one here within an hour:\n\n"
        "{link}\n\n"
        "If it was not you, leave it: your password stays as it is.\n",
    ),
    Language.CHINESE: Text(
        "重设通兑密码",
        "{name}，您好：\n\n"
        "有人为您的通兑账户申请了新密码。如果是您本人，请在一小时内从这里设置：\n\n"
        "{link}\n\n"
        "如果不是您，可以不理会：您的密码保持不变。\n",
    ),
}
_NETWORK = {Language.ENGLISH: "the network itself", Language.CHINESE: "网络运营方"}


def invitation(language: Language, *, name: str, title: Title, merchant: str | None, link: str, until: str) -> Text:
    """The mail that brings an invitation. Without a merchant it is for a seat in the network itself."""
    place = merchant or _NETWORK[language]
    greeted = (" " if language is Language.ENGLISH else "，") + name if name else ""
    fields = {"place": place, "name": greeted, "title": TITLES[language][title], "link": link, "until": until}
    return _filled(_INVITATION[language], fields)


def password_reset(language: Language, *, name: str, link: str) -> Text:
    """The mail with which a person chooses a new password."""
    return _filled(_RESET[language], {"name": name, "link": link})


def moment(at: datetime, utc_offset_seconds: int) -> str:
    """A moment as people of the network read it."""
    zone = timezone(timedelta(seconds=utc_offset_seconds))
    sign = "-" if utc_offset_seconds < 0 else "+"
    hours, seconds = divmod(abs(utc_offset_seconds), 3_600)
    return f"{at.astimezone(UTC).astimezone(zone):%Y-%m-%d %H:%M} (UTC{sign}{hours:02}:{seconds // 60:02})"


def _filled(text: Text, fields: Mapping[str, str]) -> Text:
    """The text with its fields. Names that people chose are no place for line breaks: they would make headers of their own."""
    clean = {name: " ".join(value.split()) for name, value in fields.items()}
    clean["name"] = fields["name"].replace("\n", " ").replace("\r", " ")
    return Text(text.subject.format(**clean), text.body.format(**clean))
