"""Another issuer (OpenID Connect) with people of each kind: one who works here, one whose address is not verified, two who merely
look like somebody, and one whom nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import oidc_provider_mock


def _user(name: str, email: str, *, verified: bool = True) -> oidc_provider_mock.User:
    return oidc_provider_mock.User(sub=name, claims={"email": email, "email_verified": verified})


USERS = [
    _user("li", "Li@Partner.example"),
    _user("eve", "li@partner.example", verified=False),
    _user("lookalike", "ℓi@partner.example"),
    _user("neighbour", "li@strasse.example"),
    _user("nobody", "nobody@partner.example"),
]


@contextmanager
def other_issuer() -> Iterator[str]:
    """Serves it; its address, which for browsers is another site than 127.0.0.1."""
    with oidc_provider_mock.run_server_in_thread(require_nonce=True, user_claims=USERS) as server:
        yield f"http://localhost:{server.server_port}"
