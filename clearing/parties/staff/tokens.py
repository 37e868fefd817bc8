"""Tokens that people carry: `tds_` of sessions, `tdi_` of invitations, `tdr_` of password resets.

A token is the id of its row and 256 random bits; the row has only the hash of those, and so many random bits need no slow one.
"""

from __future__ import annotations

import hmac
import secrets
from enum import Enum
from hashlib import sha256
from typing import NamedTuple

from clearing.kit.ids import new_id
from clearing.kit.signing.keyring import Keyring


class TokenKind(Enum):
    """What a token opens: the prefix of the token, and that of its row's id."""

    SESSION = ("tds", "ses")
    INVITATION = ("tdi", "inv")
    RESET = ("tdr", "rst")


class NewToken(NamedTuple):
    """A token that was just made: its row's id, what the row stores, and what its bearer gets."""

    id: str
    hash: bytes
    text: str


def new_token(kind: TokenKind) -> NewToken:
    """A fresh, random token with the id of its row."""
    return _token(kind, new_id(kind.value[1]), secrets.token_hex(32))


def mailed_token(kind: TokenKind, keyring: Keyring, id: str | None = None) -> NewToken:  # noqa: A002
    """A token that can be made again for its row's id, by those who have the network's secret only: so a mail that waits to be sent
    need not hold it. Without an id it is the token of a new row."""
    known = id or new_id(kind.value[1])
    return _token(kind, known, keyring.derive(f"token {known}").hex())


def known_token(kind: TokenKind, keyring: Keyring, id: str, stored: bytes) -> NewToken:  # noqa: A002
    """The token of a row whose hash is stored, made again. Where the secret has changed so much that nobody can, another one: the
    row must take its hash."""
    for secret in keyring.derivations(f"token {id}"):
        token = _token(kind, id, secret.hex())
        if token.hash == stored:
            return token
    return mailed_token(kind, keyring, id)


def _token(kind: TokenKind, id: str, secret: str) -> NewToken:  # noqa: A002
    token_prefix, id_prefix = kind.value
    return NewToken(id, _hash(secret), f"{token_prefix}_{id.removeprefix(f'{id_prefix}_')}_{secret}")


def id_in(kind: TokenKind, token: str) -> str | None:
    """The id of the row that a token speaks of; None if it is no token of this kind."""
    token_prefix, id_prefix = kind.value
    prefix, _, rest = token.partition("_")
    id, _, _ = rest.partition("_")  # noqa: A001
    return f"{id_prefix}_{id}" if prefix == token_prefix and len(id) == 26 and id.isalnum() else None


def matches(token: str, stored: bytes | None) -> bool:
    """Whether the token's secret is the one whose hash is stored. It takes equally long if nothing is."""
    secret = token.rpartition("_")[2]
    return hmac.compare_digest(stored or bytes(32), _hash(secret)) and stored is not None


def _hash(secret: str) -> bytes:
    return sha256(secret.encode(errors="surrogateescape")).digest()
