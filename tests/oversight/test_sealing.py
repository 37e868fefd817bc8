"""Another password for what the database keeps: row by row, killed anywhere, with nothing shown."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, select

from clearing.kit.config import Settings
from clearing.kit.config import settings as process_settings
from clearing.kit.events.models import Event
from clearing.kit.signing.keyring import Keyring
from clearing.kit.signing.keyrings import Keyrings
from clearing.kit.signing.managed_keys import ManagedKeys
from clearing.kit.signing.passwords import Purpose
from clearing.kit.signing.role_keys import ROLES, RoleKeys
from clearing.notifications.webhooks.models import WebhookEndpoint
from clearing.notifications.webhooks.service import WebhookService, seal_purpose
from clearing.oversight.sealing.service import Outcome, SealingService
from clearing.parties.merchants.models import Merchant, SignerKey
from clearing.parties.staff.models import Language, Person
from clearing.parties.staff.second_factor import seal_purpose as totp_purpose
from clearing.parties.staff.tokens import TokenKind, known_token, mailed_token
from clearing.runtime import cli
from clearing.runtime.commands.keystores import _NAMES
from clearing.runtime.preflight.refusal import CannotRun
from clearing.runtime.preflight.sealed import check_sealed
from tests.support.chainless import ChainlessNetwork
from tests.support.web3signer_server import Web3SignerServer

OLD, NEW = "old-secret", "new-secret"
STORED = (Purpose.MANAGED_KEYS, Purpose.WEBHOOK_SECRETS, Purpose.STAFF_SECRETS)
ELSEWHERE = "0x" + "11" * 20

Opens = Callable[[Keyring], bytes]


@pytest.fixture
def town(chainless: ChainlessNetwork) -> ChainlessNetwork:
    """A network that keeps something for every purpose under the old password, and something that it does not keep."""
    old = Keyring(OLD)
    with chainless.database.session.begin() as session:
        for key in session.scalars(select(SignerKey)):
            session.delete(key)
        session.flush()
        for number in (1, 1, 2):
            address, keystore = old.create()
            session.add(SignerKey(address=address, merchant_number=number, keystore=keystore))
        session.add(SignerKey(address=ELSEWHERE, merchant_number=2, keystore="awskms:alias/elsewhere"))
        session.add(SignerKey(address="0x" + "22" * 20, merchant_number=2))
        service = WebhookService(session, keyring=old, settings=chainless.settings)
        merchant = session.get_one(Merchant, 1)
        for number in range(2):
            url = f"https://{number}.example/"
            endpoint, _ = service.create(merchant, url=url, types=[], description="", actor="t")
        service.renew_secret(endpoint, "t")
        person = Person(id="stf_1", email="li@example", email_key="li@example", name="Li", language=Language.ENGLISH)
        person.totp_secret = old.seal(totp_purpose("stf_1"), b"app")
        session.add(person)
    return chainless


def _stored(town: ChainlessNetwork) -> dict[str, Opens]:
    """How to open each thing that is encrypted. It raises ValueError under another password."""
    found: dict[str, Opens] = {}
    with town.database.reading() as session:
        for key in session.scalars(select(SignerKey).where(SignerKey.keystore.startswith("{"))):
            found[key.address] = lambda keyring, text=key.keystore: keyring.private_key(text)
        for endpoint in session.scalars(select(WebhookEndpoint)):
            for name in ("secret", "old_secret"):
                if (text := getattr(endpoint, name)) is not None:
                    purpose = seal_purpose(endpoint.id)
                    found[f"{name} of {endpoint.id}"] = lambda keyring, p=purpose, t=text: keyring.unseal(p, t)
        person = session.get_one(Person, "stf_1")
        found["stf_1"] = lambda keyring: keyring.unseal(totp_purpose("stf_1"), person.totp_secret or "")
    assert len(found) == 3 + 3 + 1
    return found


def _opened(town: ChainlessNetwork, *passwords: str) -> dict[str, bytes]:
    """Everything that is encrypted, opened."""
    return {name: opens(Keyring(*passwords)) for name, opens in _stored(town).items()}


def _opens(opens: Opens, password: str) -> bool:
    try:
        opens(Keyring(password))
    except ValueError:
        return False
    return True


def _rewrap(town: ChainlessNetwork, *passwords: str, dry_run: bool = False) -> list[tuple[int, int, list[str]]]:
    found = [SealingService(town.database, purpose, passwords).rewrap(dry_run=dry_run) for purpose in STORED]
    return [(len(rows[Outcome.REWRAPPED]), len(rows[Outcome.CURRENT]), list(rows[Outcome.CLOSED])) for rows in found]


def test_everything_comes_under_the_new_password_once(town: ChainlessNetwork) -> None:
    before, texts = _opened(town, OLD), _texts(town)
    assert _rewrap(town, NEW, OLD, dry_run=True) == [(3, 0, []), (2, 0, []), (1, 0, [])]
    assert _texts(town) == texts, "a dry run changes nothing"
    assert _rewrap(town, NEW, OLD) == [(3, 0, []), (2, 0, []), (1, 0, [])]
    assert _opened(town, NEW) == before
    assert not any(_opens(opens, OLD) for opens in _stored(town).values())
    texts = _texts(town)
    assert _rewrap(town, NEW, OLD) == [(0, 3, []), (0, 2, []), (0, 1, [])]
    assert _rewrap(town, NEW) == [(0, 3, []), (0, 2, []), (0, 1, [])], "the old one is needed no more"
    assert _texts(town) == texts
    with town.database.reading() as session:
        assert session.get_one(SignerKey, ELSEWHERE).keystore == "awskms:alias/elsewhere"


def _texts(town: ChainlessNetwork) -> list[str | None]:
    with town.database.reading() as session:
        keys = session.scalars(select(SignerKey.keystore).order_by(SignerKey.address)).all()
        hooks = session.scalars(select(WebhookEndpoint.secret).order_by(WebhookEndpoint.id)).all()
        return [*keys, *hooks, session.get_one(Person, "stf_1").totp_secret]


def test_killed_at_any_step_it_leaves_each_secret_under_one_password_and_goes_on(town: ChainlessNetwork) -> None:
    secrets = _opened(town, OLD)
    old, new = OLD, NEW
    step, was_killed = 0, True
    while was_killed:
        with _killed_at(town, step) as run:
            _rewrap(town, new, old)
            run.append("came to its end")
        was_killed = not run
        stored = _stored(town)
        assert {name: opens(Keyring(new, old)) for name, opens in stored.items()} == secrets, "who has both opens all"
        assert all(_opens(opens, new) is not _opens(opens, old) for opens in stored.values())
        _check_told(town, stored, new)
        _check_told(town, stored, old)
        if was_killed:
            left = sum(_opens(opens, old) for opens in stored.values())
            assert (left > 0) is any(done for done, _, _ in _rewrap(town, new, old, dry_run=True))
            _rewrap(town, new, old)
        assert _opened(town, new) == secrets
        old, new, step = new, old, step + 1
    assert step == (3 + 3) + (2 + 3) + (1 + 1) + 1, (
        "a commit for each row, a new text for each secret, and a run to the end"
    )


def _check_told(town: ChainlessNetwork, stored: dict[str, Opens], password: str) -> None:
    """Whoever starts with one password is told whether anything does not open, although nobody tries every row."""
    of_purpose = {Purpose.MANAGED_KEYS: "0x", Purpose.STAFF_SECRETS: "stf_"}
    for purpose in STORED:
        mine = [opens for name, opens in stored.items() if _purpose_of(name, of_purpose) is purpose]
        is_closed = SealingService(town.database, purpose, [password]).closed_end() is not None
        assert is_closed is not all(_opens(opens, password) for opens in mine)


def _purpose_of(name: str, prefixes: dict[Purpose, str]) -> Purpose:
    found = [purpose for purpose, prefix in prefixes.items() if name.startswith(prefix)]
    return found[0] if found else Purpose.WEBHOOK_SECRETS


@contextmanager
def _killed_at(town: ChainlessNetwork, step: int) -> Iterator[list[str]]:
    """Dies before so many-th new text or commit."""
    left = step

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        for name in ("encrypt", "seal"):
            honest = getattr(Keyring, name)
            patch.setattr(Keyring, name, lambda *given, honest=honest: (count(), honest(*given))[1])
        event.listen(town.database.session, "before_commit", count)
        try:
            yield (run := [])
        except KeyboardInterrupt:
            assert not run
        finally:
            event.remove(town.database.session, "before_commit", count)


def test_a_process_killed_between_rows_leaves_both_kinds_and_the_next_one_goes_on(
    town: ChainlessNetwork, tmp_path: Path
) -> None:
    old = Keyring(OLD)
    with town.database.session.begin() as session:
        for _ in range(20):
            address, keystore = old.create()
            session.add(SignerKey(address=address, merchant_number=1, keystore=keystore))
    kept = _keystores(town)
    passwords = tmp_path / "passwords"
    passwords.write_text(f"{NEW}\n{OLD}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "clearing", "keystore", "rewrap", "managed_keys"],
        env={
            **os.environ,
            "TONGDUI_DATABASE_URL": town.settings.database_url,
            "TONGDUI_MANAGED_KEYS_PASSWORD_FILE": str(passwords),
        },
        stdout=subprocess.DEVNULL,
    )
    give_up = time.monotonic() + 60
    while _keystores(town) == kept and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    left = [address for address, text in _keystores(town).items() if text == kept[address]]
    assert 0 < len(left) < len(kept)
    done, before, closed = _rewrap(town, NEW, OLD)[0]
    assert (done, done + before, closed) == (len(left), len(kept), [])
    for address, text in _keystores(town).items():
        assert Keyring(NEW).private_key(text) == old.private_key(kept[address])


def _keystores(town: ChainlessNetwork) -> dict[str, str]:
    with town.database.reading() as session:
        found = session.scalars(select(SignerKey).where(SignerKey.keystore.startswith("{")))
        return {key.address: key.keystore or "" for key in found}


def test_what_no_password_opens_is_named_and_the_rest_goes_on(town: ChainlessNetwork) -> None:
    stranger, keystore = Keyring("somebody else's").create()
    with town.database.session.begin() as session:
        session.add(SignerKey(address=stranger, merchant_number=1, keystore=keystore))
    assert _rewrap(town, NEW, OLD)[0] == (3, 0, [stranger])


def test_with_a_wrong_old_password_nothing_changes(town: ChainlessNetwork) -> None:
    texts, before = _texts(town), _opened(town, OLD)
    for done, current, closed in _rewrap(town, NEW, "wrong"):
        assert (done, current) == (0, 0)
        assert closed
    assert _texts(town) == texts
    assert _rewrap(town, NEW, "wrong", OLD) == [(3, 0, []), (2, 0, []), (1, 0, [])], "with a further line it goes on"
    assert _opened(town, NEW) == before


def test_a_process_with_the_wrong_password_is_told_at_its_start(town: ChainlessNetwork) -> None:
    def settings(**passwords: str) -> Settings:
        values = {f"{purpose}_password": OLD for purpose in STORED} | passwords
        return Settings.model_validate({"database_url": town.settings.database_url, **values})

    check_sealed(settings(), "gateway")
    for purpose, process in zip(STORED, ("rounds", "worker", "gateway"), strict=True):
        wrong = settings(**{f"{purpose}_password": "wrong"})
        with pytest.raises(CannotRun, match=rf"^TONGDUI_{purpose.upper()}_PASSWORD: does not open the "):
            check_sealed(wrong, process)
    nowhere = settings().model_copy(update={"database_url": "postgresql+psycopg://u@127.0.0.1:9/x"})
    check_sealed(nowhere, "gateway")  # it waits for its database


def test_managed_keys_sign_during_the_change(town: ChainlessNetwork) -> None:
    both = ManagedKeys(Keyring(NEW, OLD))
    for address, kept in _keystores(town).items():
        assert both.sign(address, kept, b"order")


def test_a_link_can_be_made_again_under_either_password_and_anew_without() -> None:
    token = mailed_token(TokenKind.INVITATION, Keyring(OLD))
    assert known_token(TokenKind.INVITATION, Keyring(NEW, OLD), token.id, token.hash) == token
    anew = known_token(TokenKind.INVITATION, Keyring(NEW), token.id, token.hash)
    assert (anew.id, anew.hash == token.hash) == (token.id, False)
    assert known_token(TokenKind.INVITATION, Keyring(NEW), anew.id, anew.hash) == anew


# -------------------------------------------------------------------- the commands


class Shell:
    """Runs `clearing keystore`, with the network's settings."""

    def __init__(
        self, town: ChainlessNetwork, directory: Path, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.directory = directory
        self._patch = patch
        self._capture = capture
        self.said = ""
        """Everything that was printed."""
        self.set(DATABASE_URL=town.settings.database_url, KEYSTORE_DIR=str(directory / "role"))

    def set(self, **variables: str) -> None:
        for name, value in variables.items():
            self._patch.setenv(f"TONGDUI_{name}", value)

    def passwords(self, name: str, *lines: str) -> None:
        """Gives a role or purpose a file with these passwords."""
        path = self.directory / f"password-of-{name}"
        path.write_text("".join(f"{line}\n" for line in lines))
        self.set(**{f"{name.upper()}_PASSWORD_FILE": str(path)})

    def run(self, *arguments: str) -> tuple[int, str]:
        """The exit code, and what was printed."""
        process_settings.cache_clear()
        with pytest.raises(SystemExit) as end:
            cli.main(["keystore", *arguments])
        process_settings.cache_clear()
        printed = " ".join("".join(self._capture.readouterr()).split())
        self.said += printed
        assert isinstance(end.value.code, int)
        return end.value.code, printed


@pytest.fixture
def shell(
    town: ChainlessNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Shell:
    return Shell(town, tmp_path, monkeypatch, capsys)


def test_the_command_knows_every_role_and_purpose() -> None:
    assert (*ROLES, *Purpose) == _NAMES


def test_the_command_changes_a_key_file_and_managed_keys_and_shows_nothing(shell: Shell) -> None:
    directory = shell.directory / "role"
    old = RoleKeys(Settings.model_validate({"keystore_dir": directory, "treasury_password": OLD}))
    address, key = old.ensure("treasury"), old.private_key("treasury")
    for name in ("treasury", "managed_keys", "mailed_links"):
        shell.passwords(name, NEW, OLD)
    before = (directory / "treasury.json").read_text()
    would = "treasury: 1 would come under the new password, 0 were under it already."
    assert shell.run("rewrap", "treasury", "--dry-run") == (0, would)
    assert (directory / "treasury.json").read_text() == before
    for arguments, said in (
        ("treasury", "treasury: 1 came under the new password, 0 were under it already."),
        ("treasury", "treasury: 0 came under the new password, 1 were under it already."),
        ("managed_keys", "managed_keys: 3 came under the new password, 0 were under it already."),
    ):
        assert shell.run("rewrap", arguments) == (0, said)
    assert shell.run("rewrap", "mailed_links")[1].startswith("Nothing to do: links are derived.")
    for secret in (key.hex(), OLD, NEW):
        assert secret not in shell.said
    shell.passwords("treasury", NEW)
    new = RoleKeys(Settings.model_validate({"keystore_dir": directory}))
    assert (new.signer("treasury").address, new.private_key("treasury")) == (address, key)
    assert [path.name for path in directory.iterdir()] == ["treasury.json"]
    assert (directory / "treasury.json").stat().st_mode & 0o777 == 0o600


def test_a_key_file_whose_change_is_killed_is_the_old_one_or_the_new_one(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = shell.directory / "role"
    keys = RoleKeys(Settings.model_validate({"keystore_dir": directory, "treasury_password": OLD}))
    keys.ensure("treasury")
    shell.passwords("treasury", NEW, OLD)
    before = (directory / "treasury.json").read_text()

    def killed(module: object, step: str, death: Callable[..., None]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(module, step, death)
            shell.run("rewrap", "treasury")

    def of_directory(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            _dies()

    for module, step in ((Path, "unlink"), (Path, "touch"), (Path, "open"), (os, "fsync"), (Path, "rename")):
        with pytest.raises(KeyboardInterrupt):
            killed(module, step, _dies)
        assert (directory / "treasury.json").read_text() == before
    with pytest.raises(KeyboardInterrupt):
        killed(os, "fsync", of_directory)
    said = "treasury: 0 came under the new password, 1 were under it already."
    assert shell.run("rewrap", "treasury") == (0, said), "the file had its name"


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["treasury", "managed_keys"])
def test_the_command_refuses_passwords_with_which_nothing_would_change(shell: Shell, name: str) -> None:
    directory = shell.directory / "role"
    RoleKeys(Settings.model_validate({"keystore_dir": directory, "treasury_password": OLD})).ensure("treasury")
    variable = f"TONGDUI_{name.upper()}_PASSWORD"
    missing = f"{variable}: is not set; give a long random secret, or the file that holds it with {variable}_FILE"
    assert shell.run("rewrap", name) == (2, missing)
    shell.passwords(name, OLD, OLD)
    twice = "has the same password twice; put the new one into the first line, and leave the old one in the second"
    assert shell.run("rewrap", name) == (2, f"{variable}_FILE: {twice}")
    shell.passwords(name, NEW, "wrong")
    code, said = shell.run("rewrap", name)
    if name == "treasury":
        assert (code, said) == (2, f"TONGDUI_TREASURY_PASSWORD: does not open {directory / 'treasury.json'}")
    else:
        assert code == 1
        assert said.startswith("managed_keys: 0 came under the new password, 0 were under it already. managed_keys: no")
        assert said.count("no password opens 0x") == 3


def test_a_key_of_a_merchant_moves_to_a_remote_signer(shell: Shell, town: ChainlessNetwork) -> None:
    """The gateway has kept it; what it had of it is gone then."""
    (mine, kept), (other, _) = list(_keystores(town).items())[:2]
    key = Keyring(OLD).private_key(kept)
    server = Web3SignerServer([key])
    try:
        shell.set(WEB3SIGNER_URL=server.url)
        reference = f"web3signer:{mine}"
        for arguments, said in (
            ((mine, "awskms:"), "REFERENCE: must be web3signer:0x..., or awskms: and the id, ARN or alias of a key"),
            (("0x" + "33" * 20, reference), f"ADDRESS: no merchant has registered the key 0x{'33' * 20}"),
            ((other, reference), f"REFERENCE: is the key of {mine}, not of {other}; name the right one"),
        ):
            assert shell.run("link", *arguments) == (2, said)
        server.fault = "lies"
        code, said = shell.run("link", mine, reference)
        assert (code, "has signed with another key" in said) == (2, True)
        server.fault = ""
        assert shell.run("link", mine, reference, "--dry-run") == (0, f"{reference} signs; nothing has changed.")
        assert _keystores(town)[mine] == kept
        assert shell.run("link", mine, reference) == (0, f"{reference} signs wherever {mine} has to.")
        with town.database.reading() as session:
            assert session.get_one(SignerKey, mine).keystore == reference
            (noted,) = session.scalars(select(Event).where(Event.type == "merchant.key_kept_elsewhere"))
            changed = {"before": {"kept_by": "gateway"}, "after": {"kept_by": reference}}
            assert noted.data == {"signer": mine, **changed}
        settings = Settings.model_validate({"web3signer_url": server.url, "managed_keys_password": OLD})
        assert Keyrings.of(settings).managed_keys.sign(mine, reference, b"\x19\x01order")
        shell.passwords("managed_keys", NEW, OLD)
        assert shell.run("rewrap", "managed_keys")[1].startswith("managed_keys: 2 came under the new password, 0 were")
        assert key.hex() not in shell.said
    finally:
        server.stop()
