"""Mutations whose routes take no Idempotency-Key: what people do about themselves, and what only reads.

The gateway cannot recognise a second request of that kind, so the second answer may not be the first one's: a one-time code, or the
link of an invitation, is used by then.
"""

from __future__ import annotations

from collections.abc import Mapping

REPEATABLE: frozenset[tuple[str, str]] = frozenset(
    {
        ("POST", "/v1/members/lookup"),
        ("POST", "/v1/movements/lookup"),
        ("POST", "/v1/agreements/preview"),
        ("POST", "/v1/invitations/lookup"),
        ("POST", "/v1/sessions/current/seat"),
        ("DELETE", "/v1/sessions/{}"),
        ("PATCH", "/v1/profile"),
    }
)
"""They read, or do nothing more when they come again: sent until they are answered."""

_SIGN_IN = "Sign in again: a session that nobody has the token of does no harm, and ends by itself. A one-time code is good once."
_LOOK = "Sign in, and look at your profile."

ONCE: Mapping[tuple[str, str], str] = {
    ("POST", "/v1/sessions"): _SIGN_IN,
    ("POST", "/v1/sessions/oidc"): "Begin again: the issuer gives another code.",
    (
        "DELETE",
        "/v1/sessions/current",
    ): "Ask for the session: if the answer is 401, it has ended. Otherwise end it again.",
    ("POST", "/v1/profile/password"): "Sign in with the new password. If it is refused, the old one still holds.",
    ("POST", "/v1/profile/totp"): "Begin again, and scan the new QR code: the one before it is good for nothing.",
    ("POST", "/v1/profile/totp/confirm"): (
        "If you are not signed in any more, the app works: sign in with its next code, and renew your recovery codes. "
        "Otherwise confirm its next code."
    ),
    ("POST", "/v1/profile/totp/remove"): _LOOK,
    ("POST", "/v1/profile/recovery_codes"): "Renew them again: that takes the place of both the old and the lost ones.",
    ("POST", "/v1/invitations/accept"): (
        "Look the invitation up. If it was accepted (`invitation_used`), sign in with the password; otherwise accept it again."
    ),
    ("POST", "/v1/invitations/redeem"): (
        "Look the invitation up. If it was used (`invitation_used`), ask for another one, and with its key revoke the one that "
        "nobody has; otherwise redeem it again."
    ),
    ("POST", "/v1/password_resets"): "See whether the mail comes. If it does not, ask again.",
    ("POST", "/v1/password_resets/perform"): "Sign in with the new password. If it is refused, use the link again.",
}
"""What is sent once; and what to do if no answer comes, so that nobody knows whether it was carried out."""


def takes_key(method: str, path: str) -> bool:
    """Whether the route takes an Idempotency-Key."""
    route = _route(method, path)
    return method != "GET" and route not in REPEATABLE and route not in ONCE


def advice_of(method: str, path: str) -> str | None:
    """What to do if a request that may be sent only once is not answered; None for one that may be sent again."""
    return ONCE.get(_route(method, path))


def _route(method: str, path: str) -> tuple[str, str]:
    """The route as the tables name it: only its last segment may be an id."""
    named = path.rstrip("/")
    if (method, named) in ONCE or (method, named) in REPEATABLE:
        return method, named
    return method, f"{named.rpartition('/')[0]}/{{}}"
