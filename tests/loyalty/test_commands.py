"""The commands, the jobs, the settings and the schema."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from alembic import command
from alembic.config import Config
from pydantic import SecretStr

from loyalty.commands import CANNOT, main
from loyalty.http.idempotency.service import IdempotencyService
from loyalty.jobs import work
from loyalty.jobs.app import create_app
from loyalty.kit.clock import ShiftedClock
from loyalty.kit.database import Database, newest_revision
from loyalty.kit.settings import Settings, WrongSettings, load_settings
from loyalty.migrations import check
from loyalty.staff.service import KeyService
from scripts.dev.services import free_port


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but those of the test."""
    monkeypatch.delenv("LOYALTY_DATABASE_URL", raising=False)


def ended(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code and output of a command."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err


def test_models_and_migrations_agree(bare_database_url: str) -> None:
    database = Database(bare_database_url)
    assert database.revision() is None
    database.migrate()
    database.migrate()
    assert database.revision() == newest_revision()
    assert check.differences(database) == []
    config = Config()
    config.set_main_option("script_location", "loyalty/migrations")
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    database.close()


def test_a_column_that_no_migration_makes_is_found(programme: Database) -> None:
    with programme.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE keys ADD COLUMN colour VARCHAR(9)")
    assert "colour" in "".join(check.differences(programme))


def test_a_key_made_by_the_command_line_is_good(
    programme: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOYALTY_DATABASE_URL", programme.url)
    code, printed, _ = ended(["staff", "add-key", "--name", "head office", "--role", "manager"], capsys)
    assert code == 0
    with programme.reading() as session:
        key = KeyService(session).holder(printed.split()[-1])
    assert key is not None
    assert (key.name, key.role) == ("head office", "manager")


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("LOYALTY_TIMEZONE", "Mars", "LOYALTY_TIMEZONE"),
        ("LOYALTY_DATABASE_URL", "mysql://x", "LOYALTY_DATABASE_URL"),
        ("LOYALTY_PROT", "1", "LOYALTY_PROT: there is no such setting"),
        ("LOYALTY_ORDER_SIZE", "501", "LOYALTY_ORDER_SIZE"),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(variable, value)
    code, _, printed = ended(["migrate"], capsys)
    assert code == CANNOT
    assert sentence in printed


def test_what_a_command_lacks_is_named(
    programme: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LOYALTY_DATABASE_URL", programme.url)
    assert "LOYALTY_API_KEY" in ended(["send"], capsys)[2]
    assert "LOYALTY_BROKER_URL" in ended(["worker"], capsys)[2]
    monkeypatch.setenv("LOYALTY_API_KEY", "tdk_x")
    monkeypatch.setenv("LOYALTY_KEYSTORE", str(tmp_path / "none.json"))
    assert "LOYALTY_KEYSTORE" in ended(["check"], capsys)[2]


def test_settings_come_from_a_file_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "loyalty.env").write_text("LOYALTY_PORT=8123\n")
    (tmp_path / "password").write_text("secret\n")
    monkeypatch.setenv("LOYALTY_ENV_FILE", str(tmp_path / "loyalty.env"))
    settings = load_settings(keystore_password_file=tmp_path / "password")
    assert (settings.port, settings.password) == (8123, "secret")
    with pytest.raises(WrongSettings, match="LOYALTY_LEASE"):
        load_settings(lease=1)


@pytest.mark.parametrize("page", ["docs/loyalty.md", "docs/zh/loyalty.md"])
def test_every_setting_is_in_the_table_with_its_default(page: str) -> None:
    text = Path(page).read_text(encoding="utf-8")
    for name, field in Settings.model_fields.items():
        (row,) = (line for line in text.splitlines() if line.startswith("|") and f"`LOYALTY_{name.upper()}`" in line)
        if field.default not in ("", None) and not isinstance(field.default, SecretStr):
            assert str(field.default).rstrip("/") in row, name


def test_every_job_of_the_schedule_is_there_and_runs(programme: Database, shifted: ShiftedClock) -> None:
    settings = Settings(database_url=programme.url)
    app = create_app(settings)
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == {
        name for name in app.tasks if name.startswith("loyalty.")
    }
    shifted.ahead = -timedelta(days=31)
    with programme.session.begin() as session:
        IdempotencyService(session).first_answer("key_x", "old", b"")
    shifted.ahead = timedelta()
    with programme.session.begin() as session:
        IdempotencyService(session).first_answer("key_x", "new", b"")
    assert app.tasks["loyalty.clean_up"].apply().get() == 1
    assert work.clean_up(settings) == 0


@pytest.mark.parametrize("programme_url", ["sqlite"], indirect=True)
def test_up_runs_a_programme_and_ends_with_its_parts(programme_url: str) -> None:
    port = free_port()
    environment = {
        "PATH": "/usr/bin",
        "PYTHONPATH": ":".join(sys.path),
        "LOYALTY_DATABASE_URL": programme_url,
        "LOYALTY_API_KEY": "tdk_x",
        "LOYALTY_PORT": str(port),
    }
    process = subprocess.Popen([sys.executable, "-m", "loyalty", "up"], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    while True:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
        with suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).is_success:
                break
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{port}/healthz")
