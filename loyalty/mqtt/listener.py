"""Listens to the broker. A message is acknowledged when what follows from it is committed, so a process that dies loses none."""

from __future__ import annotations

import signal
import ssl
from threading import Event
from types import FrameType
from typing import Any

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from sqlalchemy.exc import DBAPIError

from loyalty.kit.database import Database
from loyalty.kit.errors import NotNow
from loyalty.kit.settings import Settings, WrongSettings
from loyalty.mqtt.service import TOPICS, DeviceMessageService

log = structlog.get_logger(__name__)

_KEEP_ALIVE_SECONDS = 30
_AT_LEAST_ONCE = 1


class Listener:
    """A client of the broker with a session that the broker keeps while nobody listens."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._longest_pause = settings.longest_pause
        self._stop = Event()
        self.client = _client(settings)
        self.client.on_connect = self._connected
        self.client.on_disconnect = self._disconnected
        self.client.on_connect_fail = self._unreachable
        self.client.on_subscribe = self._subscribed
        self.client.on_message = self._received

    def stop(self, _signal: int = 0, _frame: FrameType | None = None) -> None:
        """Has it end. What is not acknowledged comes again to whoever listens next."""
        self._stop.set()
        self.client.disconnect()

    def run(self) -> None:
        """Listens until `stop`. A broker that is away is looked for again and again, a database that is away is waited for."""
        self.client.loop_forever(retry_first_connection=True)

    def run_until_signal(self) -> None:
        """The same, until SIGTERM or SIGINT."""
        for one in (signal.SIGTERM, signal.SIGINT):
            signal.signal(one, self.stop)
        self.run()

    # ---------------------------------------------------------------- what the broker says

    def _connected(
        self, client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.error("the broker refuses the connection", reason=str(reason))
            return
        log.info("connected to the broker", goes_on=flags.session_present)
        client.subscribe(TOPICS, _AT_LEAST_ONCE)

    def _subscribed(
        self, _client: Client, _data: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            log.error("the broker refuses the subscription: does its ACL file let this user read?", topics=TOPICS)
        else:
            log.info("listening", topics=TOPICS)

    def _disconnected(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if not self._stop.is_set():
            log.warning("the connection to the broker has ended", reason=str(reason))

    def _unreachable(self, _client: Client, _data: Any) -> None:
        log.warning("the broker does not answer")

    # ---------------------------------------------------------------- what devices say

    def _received(self, client: Client, _data: Any, message: MQTTMessage) -> None:
        """Takes a message, however long the database is away, and acknowledges it then."""
        pause = 1
        while not self._stop.is_set():
            try:
                self.take(message.topic, bytes(message.payload))
            except (DBAPIError, NotNow) as error:
                log.warning("a message has to wait", detail=str(error)[:300], seconds=pause)
                self._stop.wait(pause)
                pause = min(2 * pause, self._longest_pause)
            else:
                client.ack(message.mid, message.qos)
                return

    def take(self, topic: str, payload: bytes) -> None:
        """Takes a message in a transaction of its own. One at which the programme fails is kept as refused, too."""
        try:
            with self._database.session.begin() as session:
                refused = DeviceMessageService(session).take(topic, payload)
        except (DBAPIError, NotNow):
            raise
        except Exception:
            log.exception("the programme failed at a message", topic=topic)
            with self._database.session.begin() as session:
                detail = "the programme failed; its log says why"
                refused = DeviceMessageService(session).refuse(topic, payload, "internal_error", detail)
        if refused is not None:
            log.warning("a message was refused", id=refused.id, topic=topic, code=refused.code)


def _client(settings: Settings) -> Client:
    """A client for these settings, which is not connected yet. Raises WrongSettings."""
    broker = settings.mqtt_broker
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=settings.mqtt_user,
        clean_session=False,
        protocol=MQTTProtocolVersion.MQTTv311,
        manual_ack=True,
    )
    client.username_pw_set(settings.mqtt_user, settings.mqtt_secret or None)
    if broker.is_encrypted:
        try:
            client.tls_set(ca_certs=None if settings.mqtt_ca_file is None else str(settings.mqtt_ca_file))
        except (OSError, ssl.SSLError, ValueError) as error:
            raise WrongSettings(f"LOYALTY_MQTT_CA_FILE: {error}") from None
    client.reconnect_delay_set(1, settings.longest_pause)
    client.connect_async(broker.host, broker.port, _KEEP_ALIVE_SECONDS)
    return client
