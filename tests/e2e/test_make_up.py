"""`make up`: a network and a programme beside it, of which a sale settles, and which go on where they stopped."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.kit.database import Database
from loyalty.network.members import as_member
from loyalty.network.models import WishState
from loyalty.network.wish_repository import WishRepository
from loyalty.network.wishes import IssueWish, WishService
from scripts.up import PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
WAIT = 180.0


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Everything, until the end of the block; what it has printed."""
    log = directory / "up.log"
    command = [
        sys.executable,
        "-m",
        "scripts.up",
        "--dir",
        str(directory / "net"),
        "--port",
        "0",
        "--programme-port",
        "0",
    ]
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TONGDUI_", "LOYALTY_"))}
    with log.open("w") as output:
        process = subprocess.Popen([*command, "--no-console"], env=own, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + WAIT
        while "Ctrl-C stops" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield log.read_text()
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT) == 0, log.read_text()


def wish(database: Database, name: str, **found: Any) -> None:
    """Wishes points for a new customer, and waits until they are settled."""
    with database.session.begin() as session:
        customer = CustomerService(session).add([Shown(IdentifierKind.CARD, f"CARD{name}")], None, actor="test")
        wanted = IssueWish(
            reference=f"sale:{name}", program=PROGRAM, member=as_member(customer.id), points=7, facts=found
        )
        WishService(session).wish(wanted)
    deadline = time.monotonic() + WAIT
    while True:
        with database.reading() as session:
            wished = WishRepository(session).with_reference(f"sale:{name}")
        assert wished is not None
        if wished.state is WishState.SETTLED:
            return
        assert time.monotonic() < deadline, wished.state
        time.sleep(0.1)


def test_make_up_runs_a_programme_that_goes_on_where_it_stopped(tmp_path: Path) -> None:
    key = tmp_path / "net" / "programme" / "api.key"
    with running(tmp_path) as printed:
        (link,) = re.findall(r"joins by: (\S+)", printed)
        assert httpx.get(link).status_code == 200
        assert httpx.get(f"{link.partition('/staff')[0]}/my/", follow_redirects=True).status_code == 200
        with closing(Database(f"sqlite:///{key.parent / 'loyalty.db'}")) as database:
            wish(database, "1")
    secret = key.read_text()
    with running(tmp_path) as printed:
        (again,) = re.findall(r"joins by: (\S+)", printed)  # nobody has joined
        assert again.partition("?")[2] != link.partition("?")[2]
        assert httpx.get(again).status_code == 200
        with closing(Database(f"sqlite:///{key.parent / 'loyalty.db'}")) as database:
            wish(database, "2")
    assert key.read_text() == secret
