"""Devices over MQTT: each event has one effect, whoever dies, and nobody speaks for another one."""

from __future__ import annotations

import json
import signal
import ssl
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from loyalty.commands import main
from loyalty.fills.service import FillService
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings, WrongSettings, load_settings
from loyalty.mqtt.listener import Listener
from loyalty.mqtt.service import LARGEST_PAYLOAD, DeviceMessageService
from loyalty.staff.models import Role
from scripts.dev.services import Mosquitto
from tests.loyalty.fills.forecourt import given
from tests.loyalty.intake.shop import done, refused
from tests.loyalty.mqtt.field import PASSWORD, PATIENCE, USER, Field, connected, end, until
from tests.loyalty.nightly import on_postgresql_by_day
from tests.support.mail_server import Certificate


def fill(field: Field, number: str = "118") -> list[dict[str, Any]]:
    """What a pump publishes of a fill."""
    return [
        field.pump.event("started", 0, fill=number),
        field.pump.event("progress", 1, fill=number, **given(20_000)),
        field.pump.event("done", 2, fill=number, **given()),
    ]


def assert_one_sale(field: Field, events: int = 3) -> None:
    assert len(field.events()) == events
    (sale,) = field.forecourt.sales()
    assert sale["lines"][0]["quantity_milli"] == 38_200
    assert field.refused() == []


def test_what_a_pump_publishes_becomes_a_sale(field: Field) -> None:
    """And while nobody listens, it waits at the broker."""
    field.has_session()
    field.publish(*fill(field))
    assert field.events() == []
    listener = field.listen()
    field.until_taken(3)
    assert_one_sale(field)
    end(listener)


def test_published_five_times_it_counts_once(field: Field) -> None:
    field.has_session()
    field.publish(*fill(field), times=5)
    field.publish(field.pump.event("done", 9, fill="last", **given(0)))
    field.listen()
    until(lambda: any(event["fill"] and event["kind"] == "done" for event in field.events()), "the last event")
    field.until_taken(4)
    assert_one_sale(field, 4)


@on_postgresql_by_day
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_listener_that_is_killed_loses_nothing_and_doubles_nothing(field: Field, when: str) -> None:
    """Before the commit and after it: what was not acknowledged comes again."""
    field.has_session()
    field.publish(*fill(field))
    for life in range(1, 3):
        assert field.listen("tests.loyalty.mqtt.dying_listener", when).wait(PATIENCE) == -signal.SIGKILL
        assert len(field.events()) == (0 if when == "before" else min(life, 1))
    listener = field.listen()
    field.until_taken(3)
    end(listener)
    assert_one_sale(field)
    assert nothing_waits(field)


def nothing_waits(field: Field) -> bool:
    """Whether the broker has nothing more for the programme: all was acknowledged."""
    came = Event()
    taker = connected(field.broker, USER, PASSWORD, session=USER, manual_ack=True)
    taker.client.on_message = lambda *_: came.set()
    with taker:
        # What waits comes at once; the answer to another subscription comes behind it.
        answered = Event()
        taker.client.on_subscribe = lambda *_: answered.set()
        taker.client.subscribe("tongdui/+/+/events", 1)
        assert answered.wait(PATIENCE)
    return not came.is_set()


def test_a_refused_message_comes_no_more_either(field: Field) -> None:
    field.has_session()
    field.publish(b"{")
    assert field.listen("tests.loyalty.mqtt.dying_listener", "after").wait(PATIENCE) == -signal.SIGKILL
    listener = field.listen()
    until(lambda: [one["times"] for one in field.refused()] == [2], "the message again")
    end(listener)
    assert nothing_waits(field)


@on_postgresql_by_day
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_waits_outlives_the_broker(field: Field, how: str) -> None:
    field.has_session()
    events = fill(field)
    field.publish(*events)
    until(lambda: all(event["number"].encode() in field.broker.kept for event in events), "the broker writes it down")
    getattr(field.broker, how)()
    field.broker.start()
    field.listen()
    field.until_taken(3)
    assert_one_sale(field)


@on_postgresql_by_day
def test_a_listener_finds_the_broker_again(field: Field) -> None:
    field.broker.stop()
    field.listen(LOYALTY_LONGEST_PAUSE="1")
    field.broker.start()
    until(lambda: b"tongdui/+/+/events" in field.broker.kept, "the listener subscribes")
    field.broker.restart()
    field.publish(*fill(field))
    field.until_taken(3)
    assert_one_sale(field)


def test_a_database_that_is_away_is_waited_for(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is acknowledged when it has been taken."""
    listener = Listener(field.database, settings_of(field))
    failures = [OperationalError("", {}, Exception("away"))] * 2
    take = listener.take

    def taken(topic: str, payload: bytes) -> None:
        if failures:
            raise failures.pop()
        take(topic, payload)
        listener.stop()

    monkeypatch.setattr(listener, "take", taken)
    monkeypatch.setattr(listener, "_longest_pause", 0)
    field.has_session()
    field.publish(fill(field)[0])
    listener.run()
    assert failures == []
    assert len(field.events()) == 1


# ---------------------------------------------------------------- who may say what


def settings_of(field: Field) -> Settings:
    return Settings(mqtt_url=field.broker.url, mqtt_user=USER, mqtt_password=SecretStr(PASSWORD))


def test_a_device_publishes_to_its_own_topic_only(field: Field) -> None:
    """The broker confirms what the ACL forbids, and throws it away."""
    other = field.forecourt.pump("P4")
    field.write_users(field.database, field.users)
    field.broker.reload()
    until(
        lambda: connected(field.broker, other.id, other.secret).sign_in() == "Success",
        "the broker knows the other pump",
    )
    field.has_session()
    field.publish(other.event("started", 0, fill="1"), thing=other, topic=f"tongdui/S17/{field.pump.id}/events")
    field.publish(b"{}", thing=other, topic="tongdui/S17/events")
    field.publish(other.event("started", 0, fill="2"), thing=other)
    field.listen()
    field.until_taken(1)
    assert [event["device"] for event in field.events()] == [other.id]
    assert field.refused() == []


def test_a_device_reads_nothing(field: Field) -> None:
    heard = Event()
    spy = connected(field.broker, field.pump.id, field.pump.secret)
    spy.client.on_message = lambda *_: heard.set()
    with spy as client:
        client.subscribe("tongdui/#", 1)
        field.publish(*fill(field))
    assert not heard.is_set()


def test_the_broker_knows_only_devices_in_use(field: Field) -> None:
    assert connected(field.broker, field.pump.id, "tdl_wrong").sign_in() == "Not authorized"
    assert connected(field.broker, "dev_x", field.pump.secret).sign_in() == "Not authorized"
    done(field.forecourt.shop.api.post(f"/v1/devices/{field.pump.id}/revoke", {"reason": "it was stolen"}))
    field.write_users(field.database, field.users)
    field.broker.reload()
    until(
        lambda: connected(field.broker, field.pump.id, field.pump.secret).sign_in() == "Not authorized",
        "the broker forgets the pump",
    )


def test_a_new_key_is_the_password_once_the_files_are_written(field: Field) -> None:
    path = f"/v1/devices/{field.pump.id}/rotate-key"
    made = done(field.forecourt.shop.api.post(path, {"reason": "it was seen"}))
    field.write_users(field.database, field.users)
    field.broker.reload()
    until(
        lambda: connected(field.broker, field.pump.id, field.pump.secret).sign_in() == "Not authorized",
        "the broker forgets the old password",
    )
    assert connected(field.broker, field.pump.id, made["secret"]).sign_in() == "Success"


def test_a_revoked_device_is_refused_at_once(field: Field) -> None:
    """Also while the broker knows it still."""
    field.has_session()
    done(field.forecourt.shop.api.post(f"/v1/devices/{field.pump.id}/revoke", {"reason": "it was stolen"}))
    field.publish(*fill(field))
    field.listen()
    field.until_refused(3)
    assert {one["code"] for one in field.refused()} == {"device_revoked"}
    assert field.events() == []


def test_the_command_writes_the_brokers_files(
    field: Field, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LOYALTY_DATABASE_URL", field.database.url)
    with pytest.raises(SystemExit) as end_of_it:
        main(["devices", "mosquitto-files", str(tmp_path)])
    assert end_of_it.value.code == 2
    assert "LOYALTY_MQTT_PASSWORD" in capsys.readouterr().err
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    monkeypatch.setenv("LOYALTY_MQTT_PASSWORD_FILE", str(tmp_path / "secret"))
    with pytest.raises(SystemExit) as end_of_it:
        main(["devices", "mosquitto-files", str(tmp_path)])
    assert end_of_it.value.code == 0
    names = [line.partition(":")[0] for line in (tmp_path / "passwords").read_text().splitlines()]
    assert names == [USER, field.pump.id]
    assert field.pump.secret not in (tmp_path / "passwords").read_text()
    assert (tmp_path / "passwords").stat().st_mode & 0o007 == 0
    with Mosquitto(tmp_path) as broker:
        assert connected(broker, field.pump.id, field.pump.secret).sign_in() == "Success"
        assert connected(broker, USER, PASSWORD).sign_in() == "Success"


# ---------------------------------------------------------------- what cannot be meant


@pytest.mark.parametrize(
    ("topic", "payload", "code", "pointer"),
    [
        ("{own}", b"\xff\xfe\x00", "validation_failed", ""),
        ("{own}", b"[]", "validation_failed", ""),
        ("{own}", b'{"number": "1"}', "validation_failed", "/kind"),
        (
            "{own}",
            b'{"number": "1", "kind": "plate_seen", "time": "2026-07-07T12:00:00Z", "plate": "A"}',
            "wrong_device",
            "/kind",
        ),
        ("{own}", b'{"number": "1", "kind": "started", "time": "2026-07-07T12:00:00Z"}', "field_missing", "/fill"),
        (
            "{own}",
            b'{"number": "1", "kind": "started", "time": "2096-07-07T12:00:00Z", "fill": "1"}',
            "time_ahead",
            "/time",
        ),
        ("{own}", b"x" * (LARGEST_PAYLOAD + 1), "message_too_large", ""),
        ("tongdui/S17/dev_x/events", b"{}", "unknown_device", ""),
        ("tongdui/S18/{device}/events", b"{}", "other_station", ""),
        ("tongdui/S17/events", b"{}", "bad_topic", ""),
    ],
)
def test_what_cannot_be_meant_is_kept_with_its_reason(
    field: Field, topic: str, payload: bytes, code: str, pointer: str
) -> None:
    """Once, however often it comes."""
    named = topic.format(own=f"tongdui/S17/{field.pump.id}/events", device=field.pump.id)
    for _ in range(5):
        with field.database.session.begin() as session:
            assert DeviceMessageService(session).take(named, payload) is not None
    (kept,) = field.refused()
    assert (kept["code"], kept["field"], kept["times"], kept["topic"]) == (code, pointer, 5, named)
    assert kept["detail"]
    assert field.events() == []
    api = field.forecourt.shop.api
    assert done(api.get("/v1/refused-messages", device="dev_other"))["data"] == []
    assert api.get("/v1/refused-messages", Role.AUDITOR).status_code == 403
    assert kept["is_whole"] is (payload not in (b"\xff\xfe\x00", b"x" * (LARGEST_PAYLOAD + 1)))
    assert api.post(f"/v1/refused-messages/{kept['id']}/take-again").status_code in (403, 404, 409, 422)
    assert done(api.get(f"/v1/refused-messages/{kept['id']}"))["state"] == "open"


def test_a_message_is_taken_when_nothing_stands_against_it_any_more(field: Field) -> None:
    first, *_ = fill(field)
    topic, payload = f"tongdui/S17/{field.pump.id}/events", json.dumps(first).encode()
    with field.database.session.begin() as session:
        kept = DeviceMessageService(session).refuse(topic, payload, "internal_error", "the programme failed").id
        aside = DeviceMessageService(session).refuse(topic, b"{}", "validation_failed", "it is none").id
    api = field.forecourt.shop.api
    taken = done(api.post(f"/v1/refused-messages/{kept}/take-again"))
    assert (taken["state"], len(field.events())) == ("taken", 1)
    refused(api.post(f"/v1/refused-messages/{kept}/take-again"), 409, "already_decided")
    refused(api.post(f"/v1/refused-messages/{aside}/put-aside", {}), 422, "validation_failed", "/reason")
    done(api.post(f"/v1/refused-messages/{aside}/put-aside", {"reason": "a test of ours"}))
    with field.database.session.begin() as session:
        DeviceMessageService(session).take(topic, b"{}")
    (again,) = done(api.get("/v1/refused-messages", state="put_aside"))["data"]
    assert (again["times"], again["reason"]) == (2, "a test of ours"), "put aside, it stays so"
    assert done(api.get("/v1/refused-messages", state="open"))["data"] == []


def test_one_bad_message_keeps_no_good_one_from_being_taken(field: Field) -> None:
    field.has_session()
    first, second, third = fill(field)
    field.publish(first, b"no json", {**first, "time": "2026-07-07T12:30:00+08:00"}, second, third)
    field.listen()
    field.until_taken(3)
    assert [one["code"] for one in field.refused()] == ["validation_failed", "event_differs"]
    assert len(field.forecourt.sales()) == 1


def test_a_defect_at_a_message_is_kept_too(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would come for ever, and hold up all others."""
    monkeypatch.setattr(FillService, "take", lambda *_: 1 / 0)
    listener = Listener(field.database, settings_of(field))
    listener.take(
        f"tongdui/S17/{field.pump.id}/events", b'{"number": "1", "kind": "started", "time": "2026-07-07T12:00:00Z"}'
    )
    assert [one["code"] for one in field.refused()] == ["internal_error"]


# ---------------------------------------------------------------- encryption and settings


def test_it_speaks_tls_to_a_broker_that_it_trusts(programme: Database, tmp_path: Path) -> None:
    certificate = Certificate(tmp_path, "localhost").path
    with Mosquitto(certificate=certificate) as broker:
        assert broker.url.startswith("mqtts://")
        ready = Event()
        trusting = Listener(programme, Settings(mqtt_url=broker.url, mqtt_ca_file=certificate))
        trusting.client.on_subscribe = lambda *_: (ready.set(), trusting.stop())
        trusting.run()
        assert ready.is_set()
        doubting = Listener(programme, Settings(mqtt_url=broker.url))
        said: list[BaseException] = []
        connect = doubting.client.reconnect

        def tried() -> Any:
            try:
                return connect()
            except ssl.SSLError as error:
                said.append(error)
                doubting.stop()
                raise

        doubting.client.reconnect = tried  # type: ignore[method-assign]
        doubting.run()
        assert "certificate" in str(said[0])


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LOYALTY_MQTT_URL", "http://broker"),
        ("LOYALTY_MQTT_URL", "mqtts://"),
        ("LOYALTY_MQTT_URL", "mqtts://user:secret@broker"),
        ("LOYALTY_MQTT_URL", "mqtts://broker:99999"),
        ("LOYALTY_MQTT_USER", "two words"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(WrongSettings, match=variable):
        load_settings()


@pytest.mark.parametrize(
    ("given_settings", "says"),
    [
        ({}, "LOYALTY_MQTT_URL"),
        ({"mqtt_url": "mqtt://localhost", "mqtt_password_file": Path("/nowhere")}, "LOYALTY_MQTT_PASSWORD_FILE"),
        ({"mqtt_url": "mqtts://localhost", "mqtt_ca_file": Path("/nowhere")}, "LOYALTY_MQTT_CA_FILE"),
    ],
)
@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_what_it_lacks_is_named(programme: Database, given_settings: dict[str, Any], says: str) -> None:
    with pytest.raises(WrongSettings, match=says):
        Listener(programme, load_settings(**given_settings))
