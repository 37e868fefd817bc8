"""Channels, with servers that take what is sent: over HTTP, by mail, and the console of development."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pytest

from loyalty.kit.database import Database
from loyalty.kit.settings import Settings, WrongSettings
from loyalty.messages.channels import Channels, NotSent
from loyalty.messages.templates import Text
from loyalty.staff.models import Role
from tests.loyalty.http_calls import api_on
from tests.loyalty.messages.receivers import channels_file, web_service
from tests.support.mail_server import SECRET, USER, MailServer

HELLO = Text("您好", "50 积分是您的。")


def channels(path: Path, **urls: str) -> Channels:
    return Channels.of(Settings(channels_file=channels_file(path / "channels.toml", **urls)))


def test_a_web_service_gets_the_address_the_title_and_the_text(tmp_path: Path) -> None:
    with web_service() as service:
        channels(tmp_path, sms=service.url).send("sms", "+8613800138000", HELLO)
        assert service.got == [("+8613800138000", "您好", "50 积分是您的。")]


def test_an_address_cannot_become_another_part_of_the_url(tmp_path: Path) -> None:
    with web_service() as service:
        channels(tmp_path, webhook=service.url).send("webhook", "a&to=b/../#?", HELLO)
        assert service.got == [("a&to=b/../#?", "您好", "50 积分是您的。")]


def test_a_service_that_refuses_has_not_sent_and_no_secret_is_told(tmp_path: Path) -> None:
    with web_service() as service:
        service.answers = [503]
        with pytest.raises(NotSent) as refused:
            channels(tmp_path, sms=service.url.replace("//", "//user:secret@")).send("sms", "+8613800138000", HELLO)
    assert "503" in str(refused.value)
    assert "secret" not in str(refused.value)
    assert "13800138000" not in str(refused.value)


def test_a_service_that_is_away_has_not_sent(tmp_path: Path) -> None:
    with web_service() as service:
        pass
    with pytest.raises(NotSent):
        channels(tmp_path, sms=service.url).send("sms", "+8613800138000", HELLO)


def test_a_mail_arrives(tmp_path: Path) -> None:
    with MailServer() as server:
        url = (
            f"mailto://{USER}:{SECRET}@127.0.0.1:{server.port}/?from=programme@station.example&to={{to}}&mode=insecure"
        )
        channels(tmp_path, mail=url).send("mail", "lin.lan@mail.example", HELLO)
        (mail,) = server.box.mails
    assert mail["To"] == "lin.lan@mail.example"
    assert mail["Subject"] == "您好"
    body = mail.get_body()
    assert body is not None
    assert "50 积分是您的。" in body.get_content()


def test_the_console_is_for_development(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    channels(tmp_path, sms="console://").send("sms", "+8613800138000", HELLO)
    assert capsys.readouterr().err == "message: 您好: 50 积分是您的。\n"


def test_without_a_file_there_is_no_channel() -> None:
    with pytest.raises(NotSent, match="no channel sms is set up"):
        Channels.of(Settings()).send("sms", "+8613800138000", HELLO)


@pytest.mark.parametrize(
    "url",
    [
        "wecombot://{to}",
        "dingtalk://0123456789abcdef/{to}",
        "bark://push.example/{to}",
        "mailtos://programme:password@mail.example/?to={to}",
        f"twilio://AC{'a' * 32}:{'b' * 32}@+15551234567/{{to}}",
    ],
)
def test_services_of_every_channel_can_be_named(tmp_path: Path, url: str) -> None:
    assert len(channels(tmp_path, app=url).names) == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("sms = 1", "has one table, [channels]"),
        ("[channels", "channels.toml"),
        ("[channels]\nfax = 'json://x/{to}'", "there is no channel 'fax'; there are app, sms, wecom"),
        ("[channels]\nsms = 'carrier-pigeon://{to}'", "channels.sms is no address of a service"),
        ("[channels]\nsms = 7", "channels.sms is no address of a service"),
        ("[channels]\nsms = 'json://sms.example/'", "channels.sms says nowhere to whom"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_at_the_start(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "channels.toml"
    path.write_text(content)
    with pytest.raises(WrongSettings) as refused:
        Channels.of(Settings(channels_file=path))
    assert "LOYALTY_CHANNELS_FILE" in str(refused.value)
    assert says in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match=r"LOYALTY_CHANNELS_FILE: .*nothing\.toml"):
        Channels.of(Settings(channels_file=tmp_path / "nothing.toml"))


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_the_api_tells_how_messages_are_sent_and_no_secret(programme: Database, tmp_path: Path) -> None:
    path = channels_file(tmp_path / "channels.toml", sms="jsons://key@sms.example/{to}")
    api = api_on(programme, Settings(channels_file=path, quiet_from=time(22)))
    told = api.get("/v1/message-channels", Role.AUDITOR).json()
    assert told["channels"] == [{"channel": "sms", "service": "JSON"}]
    assert (told["quiet_from"], told["quiet_until"], told["messages_a_day"], told["problem"]) == (
        "22:00:00",
        "08:00:00",
        3,
        None,
    )
    path.write_text("no file of channels")
    told = api.get("/v1/message-channels").json()
    assert (told["channels"], "channels.toml" in told["problem"]) == ([], True)
