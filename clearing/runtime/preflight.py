"""What a command checks before it works: each answer that cannot be right is refused in a sentence that names the variable.

A process that runs for long (`patient`) checks the same, but a node or a database server that does not answer is no reason for it
to end: it may be started before them, and waits for them as it does later on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from clearing.chain.client import ChainClient, ChainError, ChainUnreachable
from clearing.kit.config import Settings
from clearing.kit.database import Database, newest_revision
from clearing.kit.signing.keyring import Keyring, RoleKeys
from clearing.runtime.explanations import reason
from clearing.runtime.failures import CannotRun

_DATABASE, _RPC, _CONTRACT = "TONGDUI_DATABASE_URL", "TONGDUI_RPC_URL", "TONGDUI_CONTRACT"
_PASSWORD, _KEYSTORE = "TONGDUI_KEYSTORE_PASSWORD", "TONGDUI_KEYSTORE_DIR"
_READING_TIMEOUT = 120.0
"""Seconds; reconciling and rebuilding ask the node for much at a time."""


# -------------------------------------------------------------------- database


@contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database, with the schema that this version needs."""
    check_schema(settings)
    opened = Database(settings.database_url)
    try:
        yield opened
    finally:
        opened.close()


def check_schema(settings: Settings, *, patient: bool = False) -> None:
    """Refuses a database without the schema that this version needs."""
    check_place(settings.database_url)
    path = _sqlite_file(settings.database_url)
    if path is not None and not path.exists():  # connecting would make an empty file
        raise CannotRun(f"{_DATABASE}: there is no database at {path} yet; run `clearing migrate`")
    opened = Database(settings.database_url)
    try:
        found = opened.revision()
    except SQLAlchemyError as error:
        if patient:
            return
        raise CannotRun(
            f"{_DATABASE}: the database at {_shown(settings.database_url)} does not answer: {reason(error)}"
        ) from error
    finally:
        opened.close()
    if found is None:
        raise CannotRun(
            f"{_DATABASE}: the database at {_shown(settings.database_url)} has no tables; run `clearing migrate`"
        )
    if found != newest_revision():
        raise CannotRun(
            f"{_DATABASE}: the schema is at migration {found}, and this version needs {newest_revision()}; "
            "run `clearing migrate` with the newer version"
        )


def check_place(url: str, name: str = _DATABASE) -> None:
    """Refuses a URL that names no database, and a SQLite file in a directory that does not exist."""
    try:
        path = _sqlite_file(url)
    except ArgumentError:
        raise CannotRun(f"{name}: this is not the URL of a database") from None
    if path is not None and not path.absolute().parent.is_dir():
        raise CannotRun(f"{name}: there is no directory {path.parent}")


def _sqlite_file(url: str) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def _shown(url: str) -> str:
    """Where the database is, without the password."""
    return make_url(url).render_as_string(hide_password=True)


# -------------------------------------------------------------------- node and contract


@contextmanager
def node(settings: Settings) -> Iterator[ChainClient]:
    """The chain's node, on the right chain."""
    client = ChainClient(settings.rpc_url, timeout=_READING_TIMEOUT)
    try:
        check_node(client, settings)
        yield client
    finally:
        client.close()


def check_node(client: ChainClient, settings: Settings, *, patient: bool = False) -> None:
    """Refuses a node of another chain."""
    try:
        found = client.chain_id()
    except (ChainUnreachable, ChainError, KeyError, TypeError, ValueError) as error:
        if patient:
            return
        raise CannotRun(f"{_RPC}: no chain node answers at {_host(settings.rpc_url)}: {error}") from error
    if found != settings.chain_id:
        raise CannotRun(
            f"TONGDUI_CHAIN_ID: the node at {_host(settings.rpc_url)} is on chain {found}, this is {settings.chain_id}"
        )


def check_contract(settings: Settings) -> None:
    """Refuses to work without a contract."""
    if not settings.contract:
        raise CannotRun(f"{_CONTRACT}: is not set; `clearing deploy` prints the address")


def _host(url: str) -> str:
    """Where the node is; the rest of a URL may hold a secret."""
    return urlsplit(url).netloc.rpartition("@")[2]


# -------------------------------------------------------------------- keys


def role_keys(settings: Settings, needed: Sequence[str]) -> RoleKeys:
    """The role keys, of which the needed ones open."""
    check_password(settings)
    keys = RoleKeys(settings.keystore_dir, Keyring(settings.keystore_password.get_secret_value()))
    for role in needed:
        try:
            keys.private_key(role)
        except FileNotFoundError as error:
            raise CannotRun(
                f"{_KEYSTORE}: there is no key file {error.filename}; `clearing deploy` makes it, or copy it here"
            ) from None
        except (JSONDecodeError, KeyError, TypeError):
            raise CannotRun(
                f"{_KEYSTORE}: the key file of {role} in {settings.keystore_dir} is not a keystore"
            ) from None
        except ValueError:
            raise CannotRun(f"{_PASSWORD}: does not open the key of {role} in {settings.keystore_dir}") from None
        except OSError as error:
            raise CannotRun(f"{_KEYSTORE}: {error.filename} cannot be read: {error.strerror}") from None
    return keys


def existing_roles(settings: Settings, roles: Sequence[str]) -> list[str]:
    """Those roles that have a key file."""
    return [role for role in roles if (settings.keystore_dir / f"{role}.json").exists()]


def check_password(settings: Settings) -> None:
    """Refuses to work with keys without a password."""
    if not settings.keystore_password.get_secret_value():
        raise CannotRun(f"{_PASSWORD}: is not set; it opens the key files")


# -------------------------------------------------------------------- processes that run for long


def check_process(settings: Settings) -> None:
    """What gateway, sequencer, projector and workers need alike: a contract, the schema, and no node of another chain."""
    check_contract(settings)
    check_schema(settings, patient=True)
    client = ChainClient(settings.rpc_url, timeout=settings.health_timeout)
    try:
        check_node(client, settings, patient=True)
    finally:
        client.close()
