"""`clearing staff`, and the first operator of a new network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearing.kit import logs
from clearing.kit.config import settings
from clearing.parties.staff import passwords
from clearing.parties.staff.first_operator import add_first_operator
from clearing.parties.staff.people import PeopleService
from clearing.runtime import cli
from tests.gateway.site import Site
from tests.gateway.staff import worker

Clearing = Callable[..., int]


@pytest.fixture
def site(database_url: str, tmp_path: Path) -> Iterator[Site]:
    with Site(database_url, tmp_path) as running:
        yield running


@pytest.fixture
def clearing(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clearing]:
    """Runs the command on this network and returns its exit code."""
    monkeypatch.setenv("TONGDUI_DATABASE_URL", site.settings.database_url)
    monkeypatch.setattr(logs, "configure", lambda: None)  # it would hold on to this test's standard error
    settings.cache_clear()

    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as end:
            cli.main(["staff", *arguments])
        assert isinstance(end.value.code, int)
        return end.value.code

    yield run
    settings.cache_clear()


def _password(capsys: pytest.CaptureFixture[str]) -> str:
    found = re.search(r"^password  (\S+)$", capsys.readouterr().out, re.MULTILINE)
    assert found is not None
    return found[1]


def test_the_commands_add_disable_and_reset_people(
    site: Site, clearing: Clearing, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clearing("add", "li@tongdui.example", "--name", "Li Na", "--title", "treasury", "--language", "en") == 0
    password = _password(capsys)
    sign_in = {"email": "li@tongdui.example", "password": password}
    session = site.post("/v1/sessions", sign_in)
    assert (session["restriction"], session["seat"]["title"]) == ("password_change", "treasury")
    assert clearing("list") == 0
    assert "Li Na" in capsys.readouterr().out
    assert clearing("disable", "LI@tongdui.example") == 0
    assert site.call("GET", "/v1/sessions/current", caller=session["token"]).status_code == 401
    site.refused("/v1/sessions", sign_in, "wrong_credentials", 401)
    assert clearing("enable", "li@tongdui.example") == 0
    capsys.readouterr()
    assert clearing("reset", "li@tongdui.example", "--second-factor") == 0
    site.refused("/v1/sessions", sign_in, "wrong_credentials", 401)
    assert site.post("/v1/sessions", {**sign_in, "password": _password(capsys)})["restriction"] == "password_change"


def test_whom_a_command_has_disabled_no_admin_lets_in_again(site: Site, clearing: Clearing) -> None:
    gas = site.merchant("Strict Gas")
    admin, one = worker(site, "admin", gas), worker(site, "cashier", gas)
    assert clearing("disable", one.email) == 0
    refused = admin.call("POST", f"/v1/staff/{one.id}/enable", {})
    assert (refused.status_code, refused.json()["code"]) == (403, "disabled_by_network")
    assert clearing("enable", one.email) == 0
    one.sign_in()


def test_a_command_says_what_is_wrong(site: Site, clearing: Clearing, capsys: pytest.CaptureFixture[str]) -> None:
    gas = site.merchant("Gas")
    assert clearing("add", "a@tongdui.example", "--name", "A", "--merchant", gas.id) == 0
    capsys.readouterr()
    for arguments, words in (
        (("add", "a@tongdui.example", "--name", "A"), "belongs to somebody already"),
        (("add", "nonsense", "--name", "A"), "must be an address of mails"),
        (("add", "b@tongdui.example", "--name", "B", "--title", "cashier"), "the titles are operator"),
        (("add", "b@tongdui.example", "--name", "B", "--merchant", gas.id), "the merchant has an admin"),
        (("add", "b@tongdui.example", "--name", "B", "--merchant", gas.id, "--title", "viewer"), "first admin"),
        (("disable", "nobody@tongdui.example"), "nobody signs in as"),
    ):
        assert clearing(*arguments) == 2
        assert words in capsys.readouterr().err


def test_a_new_network_gets_its_first_operator_once(site: Site) -> None:
    with site.database.session.begin() as session:
        first = add_first_operator(session)
        assert first is not None
        assert add_first_operator(session) is None
    passwords.require_good(first.password, first.email)
    signed_in = site.post("/v1/sessions", first._asdict())
    assert (signed_in["seat"]["title"], signed_in["restriction"]) == ("operator", "password_change")
    with site.database.session.begin() as session:
        person = PeopleService(session).by_email(first.email)
        assert person is not None
        PeopleService(session).shut_out(person, by_network=True, actor="test")
        assert add_first_operator(session) is None, "somebody has the address; `clearing staff add` helps"
