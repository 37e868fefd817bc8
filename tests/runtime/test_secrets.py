"""Each process opens what the table of secrets gives it, and has no way to open the rest."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from structlog.testing import CapturingLogger

from clearing.kit.config import Settings
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.signing.passwords import Purpose, variable_of
from clearing.kit.signing.role_keys import ROLES, RoleKeys
from clearing.runtime.preflight import keys
from clearing.runtime.preflight.keys import NEEDS, check_secrets
from clearing.runtime.preflight.refusal import CannotRun
from tests.support.secrets import keyrings, passwords, role_keys

ROOT = Path(__file__).resolve().parents[2]
SEALING = [Purpose.WEBHOOK_SECRETS, Purpose.STAFF_SECRETS]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All keys of a network in one place, as badly as can be: what keeps them apart is the passwords."""
    found = tmp_path_factory.mktemp("keys")
    for role in ROLES:
        role_keys(found).ensure(role)
    return found


def _settings(directory: Path, process: str, without: str = "") -> Settings:
    needs = [name for name in (*NEEDS[process].roles, *NEEDS[process].purposes) if name != without]
    return Settings.model_validate({"keystore_dir": directory, **(passwords(*needs) if needs else {})})


@pytest.mark.parametrize("process", NEEDS)
def test_a_process_opens_what_it_is_given_and_nothing_else(directory: Path, process: str) -> None:
    settings, needs = _settings(directory, process), NEEDS[process]
    check_secrets(settings, process)
    for role in ROLES:
        if role in needs.roles:
            assert RoleKeys(settings).signer(role).address == role_keys(directory).address(role)
        else:
            with pytest.raises(ValueError, match="MAC mismatch"):
                RoleKeys(settings).signer(role)
    theirs, mine = keyrings(), Keyrings.of(settings)
    address, kept = theirs.managed_keys.create()
    if Purpose.MANAGED_KEYS in needs.purposes:
        assert mine.managed_keys.sign(address, kept, b"order")
    else:
        with pytest.raises(ValueError, match="MAC mismatch"):
            mine.managed_keys.sign(address, kept, b"order")
    for purpose in SEALING:
        sealed = getattr(theirs, purpose).seal("something", b"secret")
        if purpose in needs.purposes:
            assert getattr(mine, purpose).unseal("something", sealed) == b"secret"
        else:
            with pytest.raises(ValueError, match="was not sealed here"):
                getattr(mine, purpose).unseal("something", sealed)
    links = list(mine.mailed_links.derivations("token inv_1"))
    assert (links == [theirs.mailed_links.derive("token inv_1")]) is (Purpose.MAILED_LINKS in needs.purposes)


@pytest.mark.parametrize(
    ("process", "name"),
    [(process, name) for process, needs in NEEDS.items() for name in (*needs.roles, *needs.purposes)],
)
def test_a_process_without_one_of_its_secrets_does_not_start(directory: Path, process: str, name: str) -> None:
    with pytest.raises(CannotRun, match=f"^{variable_of(name)}: is not set"):
        check_secrets(_settings(directory, process, without=name), process)


def test_a_process_is_told_of_a_secret_that_it_has_for_nothing(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = CapturingLogger()
    monkeypatch.setattr(keys, "log", written)
    everything = Settings.model_validate({"keystore_dir": directory, **passwords()})
    check_secrets(everything, "sequencer")
    said = str(written.calls)
    assert set(re.findall(r"TONGDUI_\w+", said)) == {variable_of(name) for name in (*ROLES, *Purpose)} - {
        variable_of("sequencer")
    }
    assert "only-for-tests" not in said


def test_a_signer_for_one_role_needs_one_key(directory: Path) -> None:
    only = Settings.model_validate({"keystore_dir": directory, **passwords("treasury")})
    assert check_secrets(only, "signer", ["treasury"]).signer("treasury")
    with pytest.raises(CannotRun, match=r"^TONGDUI_OPERATOR_PASSWORD: is not set"):
        check_secrets(only, "signer", ["operator"])


def test_a_gateway_that_keeps_no_keys_needs_no_password_for_them(directory: Path) -> None:
    values = passwords(*(purpose for purpose in Purpose if purpose is not Purpose.MANAGED_KEYS))
    settings = Settings.model_validate({"keystore_dir": directory, "managed_keys": False, **values})
    check_secrets(settings, "gateway")
    assert not Keyrings.of(settings).managed_keys.are_kept


@pytest.mark.parametrize("page", ["docs/deploy.md", "docs/zh/deploy.md", "SECURITY.md"])
def test_the_table_of_the_docs_is_that_of_the_code(page: str) -> None:
    text = (ROOT / page).read_text()
    rows = [re.findall(r"[^|]+", line) for line in text.splitlines() if line.startswith("| ") and "✓" in line]
    head = next(line for line in text.splitlines() if line.startswith("| ") and "`managed_keys`" in line)
    columns = re.findall(r"`(\w+)`", head)
    assert columns == ["sequencer", "operator", "treasury", *Purpose]
    found = {
        match[1]: {column for column, cell in zip(columns, row[1:], strict=False) if "✓" in cell}
        for row in rows
        if (match := re.match(r" `(?:clearing )?(\w+)", row[0]))
    }
    assert found == {
        process: {*needs.roles, *needs.purposes} for process, needs in NEEDS.items() if needs.roles or needs.purposes
    }
