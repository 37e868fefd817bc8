"""key new, and keystores that do not open."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.sdk.cli.conftest import COMMAND, Place, Terminal
from tests.sdk.cli.keyboard import typed
from tongdui import LocalSigner


def test_a_password_file_is_enough(tongdui: Terminal, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\nnot this\n")
    made = tongdui.good("key", "new", str(tmp_path / "key.json"), "--password-file", str(password)).out.strip()
    assert LocalSigner.from_keystore(tmp_path / "key.json", "correct horse").address == made
    assert (tmp_path / "key.json").stat().st_mode & 0o777 == 0o600
    again = tongdui("key", "new", str(tmp_path / "key.json"), "--password-file", str(password))
    assert (again.code, "exists already" in again.err) == (2, True)


def test_a_variable_is_enough(tongdui: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_KEYSTORE_PASSWORD", "secret")
    document = tongdui.good("key", "new", str(tmp_path / "key.json"), "--json").json
    assert document == {"address": document["address"], "keystore": str(tmp_path / "key.json")}


@pytest.mark.parametrize("stdin", [subprocess.DEVNULL, subprocess.PIPE])
def test_without_a_terminal_it_does_not_hang(tmp_path: Path, stdin: int) -> None:
    command = [*COMMAND, "key", "new", str(tmp_path / "key.json")]
    ended = subprocess.run(
        command, stdin=stdin if stdin == subprocess.DEVNULL else None, input="x\n" if stdin == subprocess.PIPE else None,
        capture_output=True, text=True, timeout=60, start_new_session=True, check=False,
    )  # fmt: skip
    assert ended.returncode == 2
    assert ended.stderr == (
        "tongdui: there is no terminal to ask for a password at: give --password-file, or set TONGDUI_KEYSTORE_PASSWORD\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_at_a_terminal_it_asks_twice(tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    code, screen = typed([*COMMAND, "key", "new", str(path)], {}, [("Password for", "one"), ("Again", "two")])
    assert (code, "the two passwords differ" in screen, path.exists()) == (2, True, False)
    code, screen = typed([*COMMAND, "key", "new", str(path)], {}, [("Password for", "one"), ("Again", "one")])
    assert (code, LocalSigner.from_keystore(path, "one").address in screen) == (0, True)


def test_wrong_passwords_are_said_in_words(
    as_station: Terminal, place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TONGDUI_KEYSTORE_PASSWORD", "wrong")
    wrong = as_station("issue", "5", "FC-1", "--program", "FUEL")
    assert wrong.code == 2
    assert f"{place.keystore}: wrong password; give the one that the keystore was written with" in wrong.err
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert (
        "its first line, the password, is empty"
        in as_station("issue", "5", "FC-1", "--program", "FUEL", "--password-file", str(empty)).err
    )
    monkeypatch.delenv("TONGDUI_KEYSTORE_PASSWORD")
    assert "TONGDUI_KEYSTORE_PASSWORD is not set" in as_station("issue", "5", "FC-1", "--program", "FUEL").err


def test_the_folder_must_be_there(tongdui: Terminal, tmp_path: Path) -> None:
    assert "there is no such directory" in tongdui("key", "new", str(tmp_path / "none" / "key.json")).err
    missing = tongdui("key", "new", str(tmp_path / "key.json"), "--password-file", str(tmp_path / "none"))
    assert (missing.code, "No such file" in missing.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_password_file_that_is_no_text_is_named(tongdui: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xff\xfe")
    result = tongdui("key", "new", str(tmp_path / "key.json"), "--password-file", str(file))
    assert (result.code, result.out) == (2, "")
    assert f"{file} is not text in UTF-8" in result.err
