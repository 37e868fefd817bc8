"""login, logout, status: profiles and what wins over them."""

from __future__ import annotations

import io
import json
import stat
from pathlib import Path

import pytest

from tests.sdk.cli.conftest import COMMAND, Place, Terminal
from tests.sdk.cli.keyboard import typed
from tongdui import LocalSigner
from tongdui._cli._profiles import profiles_file


@pytest.fixture
def key_file(place: Place, tmp_path: Path) -> str:
    path = tmp_path / "key.txt"
    path.write_text(f"{place.station.api_key}\n")
    return str(path)


def log_in(tongdui: Terminal, place: Place, key_file: str, *more: str) -> None:
    tongdui.good("login", "--url", f"{place.network.url}/", "--api-key-file", key_file, *more)


def test_login_checks_and_remembers_what_only_the_owner_can_read(
    tongdui: Terminal, place: Place, key_file: str
) -> None:
    result = tongdui.good(
        *("login", "--url", place.network.url, "--api-key-file", key_file, "--keystore", str(place.keystore), "--json")
    )
    assert result.json["merchant"]["id"] == place.station.merchant.id
    assert result.json["contract"] == place.network.contract
    assert stat.S_IMODE(profiles_file().stat().st_mode) == 0o600
    assert stat.S_IMODE(profiles_file().parent.stat().st_mode) == 0o700
    written = json.loads(profiles_file().read_text())["profiles"]["default"]
    assert written == {
        "url": place.network.url,
        "api_key": place.station.api_key,
        "keystore": str(place.keystore),
        "contract": place.network.contract,
        "chain_id": "31337",
    }
    assert place.station.api_key not in result.out
    assert "FUEL" in tongdui.good("status").out


def test_login_refuses_what_does_not_fit(tongdui: Terminal, place: Place, key_file: str, tmp_path: Path) -> None:
    wrong_key = tmp_path / "wrong.txt"
    wrong_key.write_text("tdk_1_x")
    refused = tongdui("login", "--url", place.network.url, "--api-key-file", str(wrong_key))
    assert (refused.code, "unauthenticated" in refused.err) == (2, True)
    wrong_key.write_text('{"secret": "tdk_1_x"}')
    refused = tongdui("login", "--url", place.network.url, "--api-key-file", str(wrong_key))
    assert (refused.code, f"{wrong_key}: this is no API key" in refused.err) == (2, True)
    other = LocalSigner.generate().save_keystore(tmp_path / "other.json", "x")
    refused = tongdui("login", "--url", place.network.url, "--api-key-file", key_file, "--keystore", str(other))
    assert refused.code == 2
    assert f"the merchant's registered key is {place.station.signer.address.lower()}" in refused.err.lower()
    refused = tongdui("login", "--url", place.network.url, "--api-key-file", key_file, "--keystore", key_file)
    assert "is not a keystore; `tongdui key new` makes one" in refused.err
    refused = tongdui(
        *("login", "--url", place.network.url, "--api-key-file", key_file, "--contract", "0x" + "11" * 20)
    )
    assert (refused.code, "contract: the gateway serves another one" in refused.err) == (1, True)
    refused = tongdui("login", "--url", "http://127.0.0.1:1", "--api-key-file", key_file)
    assert (refused.code, "127.0.0.1" in refused.err or "refused" in refused.err) == (2, True)
    assert not profiles_file().exists()


def test_login_asks_at_a_terminal_and_shows_no_key(place: Place, empty_home: Path) -> None:
    answers = [
        ("URL of the gateway: ", place.network.url),
        ("API key (tdk_...): ", place.station.api_key),
        ("Keystore of 0x", str(place.keystore)),
    ]
    code, screen = typed([*COMMAND, "login", "--profile", "asked"], {}, answers)
    assert code == 0, screen
    assert "logged in to" in screen
    assert place.station.api_key not in screen
    assert json.loads(profiles_file().read_text())["profiles"]["asked"]["keystore"] == str(place.keystore)


def test_login_without_a_terminal_says_what_to_give(tongdui: Terminal, place: Place) -> None:
    assert "give --url" in tongdui("login").err
    assert "give --api-key-file, set TONGDUI_API_KEY" in tongdui("login", "--url", place.network.url).err


def test_login_takes_the_key_from_standard_input(
    tongdui: Terminal, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{place.shop_key}\n"))
    printed = tongdui.good("login", "--url", place.network.url, "--api-key-file", "-").out
    assert printed.startswith(f"logged in to {place.network.url} as Shop\n")


def test_a_key_that_may_not_read_logs_in(tongdui: Terminal, place: Place, tmp_path: Path) -> None:
    key = place.station.client.api_keys.create(scopes=["issue"]).secret
    assert key is not None
    (tmp_path / "key").write_text(key)
    log_in(tongdui, place, str(tmp_path / "key"), "--keystore", str(place.keystore))
    assert tongdui("balance", "FC-1").code == 2


def test_a_profile_is_chosen_by_option_or_variable(
    tongdui: Terminal, place: Place, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(tongdui, place, key_file, "--profile", "station")
    assert tongdui("status").code == 2
    assert tongdui.good("status", "--profile", "station", "--json").json["merchant"]["name"] == "FUEL"
    monkeypatch.setenv("TONGDUI_PROFILE", "station")
    assert tongdui.good("status", "--json").json["merchant"]["name"] == "FUEL"
    wrong = tongdui("status", "--profile", "staton")
    assert wrong.err.startswith("tongdui: there is no profile staton: did you mean station?; `tongdui login")
    tongdui.good("logout")
    assert tongdui("status").code == 2
    assert "there was no profile station" in tongdui.good("logout").out


def test_the_environment_wins_over_the_profile(
    tongdui: Terminal, place: Place, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(tongdui, place, key_file)
    monkeypatch.setenv("TONGDUI_API_KEY", place.shop_key)
    assert tongdui.good("status", "--json").json["merchant"]["name"] == "Shop"


def test_a_key_never_goes_to_another_gateway_than_its_own(
    tongdui: Terminal, place: Place, key_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log_in(tongdui, place, key_file)
    monkeypatch.setenv("TONGDUI_URL", "http://127.0.0.1:1")
    assert tongdui("status").err.startswith("tongdui: TONGDUI_API_KEY is not set: who are you?")


def test_a_file_that_others_can_read_is_refused(tongdui: Terminal, place: Place, key_file: str) -> None:
    log_in(tongdui, place, key_file)
    profiles_file().chmod(0o644)
    refused = tongdui("status")
    assert (refused.code, f"run `chmod 600 {profiles_file()}`" in refused.err) == (2, True)


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}"),
        '{"profiles": {"default": {"url": "http://x"}}}',
        '{"profiles": {"default": {"url": 1, "api_key": "x"}}}',
        '{"profiles": {"a": {"x": "1"}}}',
    ],
)
def test_a_file_that_is_none_of_ours_is_named(tongdui: Terminal, text: str) -> None:
    profiles_file().parent.mkdir(parents=True)
    profiles_file().touch(mode=0o600)
    profiles_file().write_text(text)
    refused = tongdui("status")
    assert (refused.code, "is not a file of profiles" in refused.err) == (2, True)


def test_status_shows_the_position_exactly(as_shop: Terminal, place: Place) -> None:
    printed = as_shop.good("status").out
    assert printed.startswith(f"{place.network.url}: ok\n")
    for line in (
        "  liquidity     100.00 CNY",
        "  pending       0 movements",
        f"  network       {place.network.contract} on",
    ):
        assert line in printed
    document = as_shop.good("status", "--json").json
    assert document["position"]["liquidity_micros"] == 100_000_000
    assert (document["health"]["status"], document["pending"]) == ("ok", 0)


def test_status_of_a_key_without_a_merchant(as_shop: Terminal, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_API_KEY", place.network.api_keys["operator"])
    assert "none that this key may see" in as_shop.good("status").out


def test_no_answer_is_no_outcome(tongdui: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGDUI_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TONGDUI_API_KEY", "tdk_1_x")
    failed = tongdui("status", "--json")
    assert (failed.code, failed.problem["code"], failed.problem["exit_code"]) == (2, "no_answer", 2)
    assert failed.problem["hints"] == ["the gateway is at http://127.0.0.1:1: does it run there?"]
