"""Webhooks of a network, and a server that receives them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.chainless import ChainlessNetwork
from tests.support.hooked import Hooked
from tests.support.webhook_receiver import WebhookReceiver


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as server:
        yield server


@pytest.fixture
def hooked(chainless: ChainlessNetwork) -> Iterator[Hooked]:
    hooked = Hooked(chainless)
    yield hooked
    hooked.deliverer.close()
