"""The settings that a network of `clearing up` leaves for the commands beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clearing.kit.config import load_settings
from clearing.runtime.embedded.settings_file import SETTINGS_FILE, use_network_here, write_settings


@pytest.mark.parametrize("name", ["plain", "with a space", "it's mine", 'a "quoted" one', "back\\slash", "#1", "$HOME"])
def test_a_path_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    keys = tmp_path / name / "keys"
    write_settings(tmp_path / SETTINGS_FILE, {"TONGDUI_KEYSTORE_DIR": str(keys), "TONGDUI_ADMIN_PASSWORD": "p#w 'd"})
    monkeypatch.setenv("TONGDUI_ENV_FILE", str(tmp_path / SETTINGS_FILE))
    found = load_settings()
    assert found.keystore_dir == keys
    assert found.admin_password.get_secret_value() == "p#w 'd"
    assert (tmp_path / SETTINGS_FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ({}, ".tongdui/network.env"),
        ({"TONGDUI_ENV_FILE": "/etc/tongdui/network.env"}, "/etc/tongdui/network.env"),
        ({"TONGDUI_DATABASE_URL": "sqlite:///other.db"}, None),
    ],
)
def test_the_network_here_is_used_unless_another_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], found: str | None
) -> None:
    (tmp_path / ".tongdui").mkdir()
    write_settings(tmp_path / ".tongdui" / SETTINGS_FILE, {})
    monkeypatch.chdir(tmp_path)
    for name in ("TONGDUI_ENV_FILE", "TONGDUI_DATABASE_URL"):
        monkeypatch.setenv(name, "")  # so that what the function sets is taken back
        monkeypatch.delenv(name)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    use_network_here()
    assert os.environ.get("TONGDUI_ENV_FILE") == found
