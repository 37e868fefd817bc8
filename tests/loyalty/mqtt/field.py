"""Devices that publish, and processes that listen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

from paho.mqtt.client import Client, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion

from loyalty.devices.broker import write_files
from loyalty.devices.service import DeviceService
from loyalty.kit.database import Database
from scripts.dev.services import Mosquitto
from tests.loyalty.fills.forecourt import Forecourt, Thing
from tests.loyalty.intake.shop import done

USER, PASSWORD = "loyalty", "the programme's password"
PATIENCE = 240


@dataclass(slots=True)
class Field:
    """A forecourt and its broker."""

    forecourt: Forecourt
    pump: Thing
    broker: Mosquitto
    users: Path
    database: Database
    listeners: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @staticmethod
    def write_users(database: Database, users: Path) -> None:
        """What `loyalty devices mosquitto-files` does."""
        with database.reading() as session:
            write_files(users, USER, PASSWORD, DeviceService(session).of_broker())

    def environment(self, **more: str) -> dict[str, str]:
        """The settings of a listener."""
        own = {
            "LOYALTY_DATABASE_URL": self.database.url,
            "LOYALTY_MQTT_URL": self.broker.url,
            "LOYALTY_MQTT_USER": USER,
            "LOYALTY_MQTT_PASSWORD": PASSWORD,
        }
        return {**os.environ, **own, **more}

    def listen(self, *command: str, **more: str) -> subprocess.Popen[bytes]:
        """Starts a listener, or a command in its place."""
        line = [sys.executable, "-m", *(command or ("loyalty", "listen"))]
        process = subprocess.Popen(line, env=self.environment(**more), start_new_session=True)
        self.listeners.append(process)
        return process

    def has_session(self) -> None:
        """Has the broker keep a session for the listener: one was there once, and has subscribed."""
        process = self.listen()
        until(lambda: b"tongdui/+/+/events" in self.broker.kept, "the listener subscribes")
        end(process)

    def close(self) -> None:
        """Ends all listeners."""
        for process in self.listeners:
            if process.poll() is None:
                process.kill()
                process.wait()

    def publish(
        self, *events: dict[str, Any] | bytes, thing: Thing | None = None, topic: str = "", times: int = 1
    ) -> None:
        """Publishes as a device, and waits until the broker has confirmed each."""
        of = thing or self.pump
        with connected(self.broker, of.id, of.secret) as client:
            for event in events:
                payload = event if isinstance(event, bytes) else json.dumps(event).encode()
                for _ in range(times):
                    sent = client.publish(topic or f"tongdui/S17/{of.id}/events", payload, 1)
                    sent.wait_for_publish(PATIENCE)
                    assert sent.is_published()

    def events(self) -> list[dict[str, Any]]:
        """The events that were taken."""
        found: list[dict[str, Any]] = done(self.forecourt.shop.api.get("/v1/devices/events", limit=200))["data"]
        return found

    def refused(self) -> list[dict[str, Any]]:
        """The messages that were refused, the first first."""
        found: list[dict[str, Any]] = done(self.forecourt.shop.api.get("/v1/refused-messages", limit=200))["data"]
        return found[::-1]

    def until_taken(self, count: int) -> None:
        """Waits until so many events have been taken."""
        until(lambda: len(self.events()) >= count, f"{count} events")

    def until_refused(self, count: int) -> None:
        """Waits until so many messages have been refused."""
        until(lambda: len(self.refused()) >= count, f"{count} refused messages")


class connected:  # noqa: N801 - reads as a word of a `with` statement
    """A device's connection, within a `with` block. The broker's answer to its sign-in is awaited."""

    def __init__(self, broker: Mosquitto, user: str, secret: str, *, session: str = "", **own: Any) -> None:
        self.client = Client(CallbackAPIVersion.VERSION2, session, not session or None, protocol=MQTTv311, **own)
        self.client.username_pw_set(user, secret)
        self.reason = ""
        self._port = broker.port
        self._answered = Event()
        self.client.on_connect = self._connected

    def _connected(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self.reason = str(reason)
        self._answered.set()

    def sign_in(self) -> str:
        """What the broker says."""
        self.client.connect("localhost", self._port)
        self.client.loop_start()
        assert self._answered.wait(PATIENCE)
        return self.reason

    def __enter__(self) -> Client:
        assert self.sign_in() == "Success", self.reason
        return self.client

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def until(is_so: Callable[[], bool], what: str) -> None:
    """Waits, patiently."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.05)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a listener as an operator does."""
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
