"""A messenger that is killed while a service has its message: the customer is told once, whatever comes after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from loyalty.messages.channels import Channels
from loyalty.messages.messenger import Messenger
from loyalty.messages.models import MessageState
from loyalty.messages.service import MessageService
from tests.loyalty.http_calls import api_on
from tests.loyalty.intake.shop import Shop, done
from tests.loyalty.messages.receivers import channels_file, web_service
from tests.loyalty.nightly import on_postgresql_by_day

PATIENCE = 120.0


@on_postgresql_by_day
def test_a_messenger_that_is_killed_tells_nobody_twice(
    programme: Database, shifted: ShiftedClock, tmp_path: Path
) -> None:
    shop = Shop(api_on(programme))
    customer = str(
        done(shop.api.post("/v1/customers", {"identifiers": [{"kind": "phone", "value": "+8613800138000"}]}))["id"]
    )
    with programme.session.begin() as session:
        MessageService(session).notify(customer, "gift_given", "x", {"points": 1, "reason": {"en": "a", "zh": "b"}})
    with web_service() as service:
        taken, gone = threading.Event(), threading.Event()

        def hold() -> None:
            """The service has the message; the messenger does not know it."""
            taken.set()
            gone.wait(PATIENCE)

        service.before_answer = hold
        file = channels_file(tmp_path / "channels.toml", sms=service.url)
        own = {
            "LOYALTY_DATABASE_URL": programme.url,
            "LOYALTY_CHANNELS_FILE": str(file),
            "LOYALTY_QUIET_FROM": "00:00",
            "LOYALTY_QUIET_UNTIL": "00:00",
            "LOYALTY_GATEWAY_URL": "http://127.0.0.1:1",
            "LOYALTY_API_KEY": "tdk_test",
        }
        process = subprocess.Popen([sys.executable, "-m", "loyalty", "notify"], env={**os.environ, **own})
        try:
            assert taken.wait(PATIENCE)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            gone.set()
        service.before_answer = lambda: None
        shifted.ahead = timedelta(minutes=11)
        settings = Settings(channels_file=file, quiet_from="00:00", quiet_until="00:00")  # type: ignore[arg-type] # as a variable has it
        messenger = Messenger(programme, Channels.of(settings), settings)
        while messenger.step():
            pass
        assert len(service.got) == 1
    with programme.reading() as session:
        found, _ = MessageService(session).page(customer=customer, kind=None, state=None, cursor=None, limit=9)
    assert [message.state for message in found] == [MessageState.UNCLEAR]
