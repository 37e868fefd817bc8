"""Settings of the command and of `from_env`: what is missing or wrong is named in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from tongdui import Client, LocalSigner, SigningError
from tongdui._cli import main

DAY = str(Path(__file__).parents[2] / "scripts" / "demo" / "data" / "fuel_day.csv")
GOOD = {"TONGDUI_URL": "http://127.0.0.1:1", "TONGDUI_API_KEY": "tdk_1_x"}


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("URL", "API_KEY", "KEYSTORE", "KEYSTORE_PASSWORD", "NONCE_FILE", "CONTRACT", "CHAIN_ID", "RPC_URL"):
        monkeypatch.delenv(f"TONGDUI_{name}", raising=False)


def use(monkeypatch: pytest.MonkeyPatch, **settings: str | None) -> None:
    for name, value in {**GOOD, **settings}.items():
        if value is not None:
            monkeypatch.setenv(name, value)


WRONG: list[tuple[dict[str, str | None], str]] = [
    ({"TONGDUI_URL": None}, "TONGDUI_URL is not set"),
    ({"TONGDUI_URL": "gateway.example"}, "TONGDUI_URL is 'gateway.example'; it must begin with http"),
    ({"TONGDUI_API_KEY": "tdk_1_x\n"}, "TONGDUI_API_KEY has characters"),
    ({"TONGDUI_CHAIN_ID": "main"}, "TONGDUI_CHAIN_ID is 'main', which is not a whole number"),
    ({"TONGDUI_CONTRACT": "0x12"}, "TONGDUI_CONTRACT is '0x12', which is not an address"),
    ({"TONGDUI_RPC_URL": "node:8545"}, "TONGDUI_RPC_URL is 'node:8545'; it must begin with http"),
    ({"TONGDUI_KEYSTORE": "none.json"}, "TONGDUI_KEYSTORE_PASSWORD is not set"),
    (
        {"TONGDUI_KEYSTORE": "none.json", "TONGDUI_KEYSTORE_PASSWORD": "x"},
        "TONGDUI_KEYSTORE: none.json cannot be read: No such file",
    ),
]


@pytest.mark.parametrize(("settings", "sentence"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_variable_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    settings: dict[str, str | None],
    sentence: str,
) -> None:
    use(monkeypatch, **settings)
    with pytest.raises(ValueError, match=sentence.partition(";")[0]):
        Client.from_env()
    assert main(["till", "import", DAY, "--program", "FUEL"]) == 2
    assert capsys.readouterr().err.startswith(f"tongdui: {sentence}")
    assert list(tmp_path.iterdir()) == []


def test_an_argument_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, TONGDUI_URL="wrong", TONGDUI_KEYSTORE="none.json", TONGDUI_CHAIN_ID="wrong")
    client = Client.from_env(base_url="http://gateway", signer=None, chain_id=7)
    options = client._submitter.gateway.options
    assert (options.base_url, options.signer, options.chain_id) == ("http://gateway", None, 7)


def test_a_keystore_that_the_password_does_not_open_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keystore = LocalSigner("11" * 32).save_keystore(tmp_path / "key.json", "right")
    use(monkeypatch, TONGDUI_KEYSTORE=str(keystore), TONGDUI_KEYSTORE_PASSWORD="wrong")
    with pytest.raises(SigningError, match=r"TONGDUI_KEYSTORE cannot be .*key\.json: wrong password"):
        Client.from_env()


def test_a_nonce_file_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    use(monkeypatch, TONGDUI_NONCE_FILE=str(tmp_path / "missing" / "nonces.db"))
    with pytest.raises(ValueError, match=r"TONGDUI_NONCE_FILE: .*cannot be used: unable to open"):
        Client.from_env(signer=LocalSigner("11" * 32))


def test_the_command_needs_an_api_key_to_issue(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, TONGDUI_API_KEY=None)
    assert main(["till", "import", DAY, "--program", "FUEL", "--dry-run"]) == 0
    assert main(["till", "import", DAY, "--program", "FUEL"]) == 2
    assert "TONGDUI_API_KEY is not set" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--rpc", "node:8545", "--contract", "0x" + "11" * 20], "'node:8545' must begin with http"),
        (["--rpc", "http://node", "--contract", "0x11"], "'0x11' is not an address"),
        (["--rpc", "http://node"], "Missing option '--contract'"),
    ],
)
def test_a_wrong_option_is_named(capsys: pytest.CaptureFixture[str], options: list[str], sentence: str) -> None:
    assert main(["verify", "receipt.json", *options]) == 2
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_missing_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    contract = "0x" + "11" * 20
    assert main(["verify", "none.json", "--rpc", "http://node", "--contract", contract]) == 2
    assert capsys.readouterr().err == "tongdui: none.json: No such file or directory\n"
    assert main(["key", "new", "none/key.json"]) == 2
    assert "there is no such directory" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
