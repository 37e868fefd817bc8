"""What importing the SDK loads. Tested by modules and not by seconds, which depend on the machine."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import tongdui

SIGNING = {"coincurve", "eth_account", "eth_keyfile", "eth_keys", "eth_utils", "py_ecc", "web3"}
HEAVY = {*SIGNING, "httpx", "pydantic", "rich", "sqlalchemy", "sqlite3", "ssl"}


def loaded_by(code: str) -> set[str]:
    """The top-level modules in a fresh process after this code."""
    script = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(ended.stderr.split())


@pytest.mark.parametrize(
    "code",
    [
        "import tongdui",
        "from tongdui import encoding, orders, rates, receipts",
        "from tongdui import PendingError, TongduiError, VerificationError",
        "import tongdui; dir(tongdui), tongdui.__all__",
    ],
)
def test_an_import_loads_nothing_heavy(code: str) -> None:
    assert loaded_by(code) & HEAVY == set()


def test_a_client_without_a_signer_loads_nothing_that_signs() -> None:
    assert loaded_by("from tongdui import Client, Receipt; Client('http://gateway', 'tdk_x')") & SIGNING == set()


def test_a_signer_loads_nothing_that_opens_keystores() -> None:
    loaded = loaded_by("from tongdui import LocalSigner; LocalSigner('11' * 32).sign(bytes(32))")
    assert loaded & {"eth_account", "eth_keyfile", "py_ecc", "web3"} == set()


COMMAND = """
import contextlib, io
from tongdui._cli import main
with contextlib.redirect_stderr(io.StringIO()):
    main({arguments})
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["till", "import", "--help"], ["isue"], ["members"]])
def test_the_command_loads_nothing_heavy_to_answer_at_once(arguments: list[str]) -> None:
    assert loaded_by(COMMAND.format(arguments=arguments)) & HEAVY == set()


@pytest.mark.parametrize("arguments", [["verify"], ["issue", "1.5", "FC-1"], ["key", "new", "/none/x"]])
def test_wrong_use_loads_only_what_reads_arguments(arguments: list[str]) -> None:
    """typer reads them with pydantic."""
    assert loaded_by(COMMAND.format(arguments=arguments)) & HEAVY == {"pydantic"}


def test_every_public_name_is_there_for_programs_and_for_type_checkers() -> None:
    """`__init__` names them twice: once for type checkers, once with the module that is loaded when they are used."""
    tree = ast.parse(Path(tongdui.__file__).read_text())
    shown = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }
    public = {name: module for name, module in shown.items() if module is not None}
    assert public == tongdui._HOMES
    assert {name for name, module in shown.items() if module is None} == set(tongdui._SUBMODULES)
    assert set(tongdui.__all__) == set(public)
    assert set(dir(tongdui)) >= set(shown)
    for name in shown:
        assert getattr(tongdui, name) is not None


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Clients'"):
        _ = tongdui.Clients  # type: ignore[attr-defined]
    with pytest.raises(ImportError, match="Clients"):
        from tongdui import Clients  # type: ignore[attr-defined] # noqa: F401, PLC0415 (importing it is the test)
