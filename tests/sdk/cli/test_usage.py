"""What every command has: help, version, completion, the nearest spelling, exit codes; and no traceback, whatever happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.sdk.cli.conftest import COMMAND, Terminal
from tongdui._cli._app import app

GROUPS = {
    "api-keys": ["list", "create", "revoke"],
    "members": ["list", "show", "create", "search", "code"],
    "entries": ["export"],
    "events": ["tail"],
    "till": ["inspect", "import"],
    "key": ["new", "replace"],
    "approvals": ["list", "show", "approve", "decline", "withdraw"],
    "audit": ["run", "member", "export", "verify"],
}
ALL = [
    *(
        [name]
        for name in (
            *(
                "login",
                "logout",
                "status",
                "balance",
                "issue",
                "redeem",
                "exchange",
                "spend",
                "transfer",
                "reverse",
                "quote",
                *("deposit", "withdrawal", "credit-limit", "join"),
            ),
            *("listen", "trigger", "get", "post", "verify"),
        )
    ),
    *([group, name] for group, names in GROUPS.items() for name in names),
]


def test_the_list_of_commands_is_complete() -> None:
    single = [[command.name] for command in app.registered_commands]
    grouped = [
        [group.typer_instance.info.name, command.name]
        for group in app.registered_groups
        for command in group.typer_instance.registered_commands
    ]
    assert sorted([*single, *grouped]) == sorted(ALL)


@pytest.mark.parametrize("command", ALL, ids=" ".join)
def test_every_command_has_help_json_and_exit_codes(tongdui: Terminal, command: list[str]) -> None:
    text = " ".join(tongdui.good(*command, "--help").out.split())
    assert "--json" in text
    if command[0] == "audit":
        assert "Exit codes: 0 all holds; 1 something does not" in text
    else:
        assert "Exit codes: 0 a good outcome; 1 a bad one" in text
    assert ("--profile" in text) == (command != ["audit", "run"])


def test_version(tongdui: Terminal) -> None:
    assert tongdui.good("--version").out == "tongdui 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["isue"], "No such command 'isue'. Did you mean 'issue'"),
        (["members", "serch"], "No such command 'serch'. Did you mean 'search'?"),
        (["issue", "5", "FC-1", "--progam", "FUEL"], "No such option: --progam. Did you mean --program?"),
        (["issue", "5", "FC-1"], "Missing option '--program'"),
        (["issue", "5"], "Missing argument"),
        (["spend", "5", "--timeout", "-1"], "'--timeout'"),
    ],
)
def test_wrong_use_is_named(tongdui: Terminal, arguments: list[str], sentence: str) -> None:
    wrong = tongdui(*arguments)
    assert (wrong.code, wrong.out) == (2, "")
    assert wrong.err.startswith("tongdui: ")
    assert sentence in wrong.err
    problem = tongdui(*arguments, "--json").problem
    assert (problem["code"], problem["exit_code"]) == ("wrong_use", 2)
    assert sentence in problem["detail"]


def test_a_group_alone_shows_its_help(tongdui: Terminal) -> None:
    for arguments in ([], ["members"]):
        shown = tongdui(*arguments)
        assert (shown.code, shown.out) == (2, "")
        assert shown.err.startswith("Usage: tongdui")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_offered(shell: str) -> None:
    environment = {
        **os.environ,
        "_TONGDUI_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "tongdui memb",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "tongdui memb",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    ended = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, check=False)
    assert "members" in ended.stdout
    assert ended.stderr == ""


def test_without_its_extra_it_says_how_to_install_it() -> None:
    script = "import sys; sys.modules['typer'] = None; from tongdui._cli import main; sys.exit(main(['--help']))"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "tongdui: the command line needs typer and rich; install them: pip install 'tongdui[cli]'\n"


def test_no_traceback_reaches_the_user(tongdui: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("out of paper")

    monkeypatch.setattr("tongdui._cli._session.read_profiles", broken)
    failed = tongdui("status")
    assert (failed.code, failed.out) == (2, "")
    assert failed.err.startswith("tongdui: this is a fault of the command: RuntimeError: out of paper\n")
    assert json.loads(tongdui("status", "--json").err)["code"] == "internal_error"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    script = f"{sys.executable} -m tongdui._cli --help | head -c 0"
    ended = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert ended.stderr == ""


def test_a_table_that_nobody_reads_to_its_end_is_no_error() -> None:
    """rich would end the process with another exit code."""
    program = (
        "import os, sys; from tongdui._cli import _run, _output\n"
        "def invoke(arguments):\n"
        "    _output.Output(as_json=False).table(['name'], [['x']]); return 0\n"
        "_run._invoke = invoke; sys.exit(_run.run([]))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", program], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_json_is_json_in_every_encoding() -> None:
    program = "from tongdui._cli._output import Output; Output(as_json=True).document('é😀')"
    for encoding in ("ascii:backslashreplace", "latin-1:backslashreplace", "utf-8"):
        environment = {**os.environ, "PYTHONIOENCODING": encoding}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        assert json.loads(done.stdout) == "é😀"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--json", "status"], "--json belongs behind the command"),
        (["status", "--profile", ""], "--profile is empty"),
        (["login", "--url", "http://"], "names no host and port"),
        (["login", "--url", "http://[::1"], "is no URL"),
        (["login", "--url", "http://h:99999"], "names no host and port"),
        (["trigger", "order.settled", "--forward-to", "http:///hook"], "names no host and port"),
        (["issue", "2", "M", "--program", "FUEL", "--timeout", "inf"], "'--timeout'"),
        (["issue", "18446744073709551616", "M", "--program", "FUEL"], "is more points than there can be"),
        (["exchange", "5", "M", "--from", "FUEL"], "--from and --to, or --agreement, or --quote"),
        (["quote", "5", "--from", "FUEL"], "--from, with --to or --at, or --agreement"),
        (["till", "import", "x.csv", "--program", "FUEL", "--mapping", "statio", "--dry-run"], "ships station"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_careless_use_is_named(tongdui: Terminal, arguments: list[str], sentence: str) -> None:
    result = tongdui(*arguments)
    assert result.code == 2
    assert sentence in result.err
