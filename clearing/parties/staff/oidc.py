"""Signing in at another issuer: OpenID Connect's authorization code flow, with PKCE, state and nonce.

Nothing is kept between the two halves: the state is signed, and what must stay secret is derived from it. The issuer takes a code
once. Nothing here touches the database, so it may take its time.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from clearing.kit.clock import Clock
from clearing.kit.config import Settings
from clearing.kit.errors import Refused, Unauthenticated
from clearing.kit.signing.keyring import Keyring
from clearing.parties.staff.issuer import IssuerDirectory, ask

CALLBACK = "/sign-in/oidc"
"""Where the console awaits those who come back."""
_LIFETIME = 600
"""Seconds that a person may take to sign in at the issuer."""
_LEEWAY = 60
"""Seconds by which its clock and ours may differ."""
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
"""Signatures with the issuer's own key. What both of us could sign proves nothing."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """Where to send a person, and the state with which it comes back: the console compares it with what the browser kept."""

    url: str
    state: str


@dataclass(frozen=True, slots=True)
class Issuer:
    """Another issuer at which people may sign in, and what people call it."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class _Flow:
    """What belongs to one attempt."""

    state: str
    nonce: str
    verifier: str


class OidcProvider:
    """The issuer that the settings name."""

    def __init__(self, settings: Settings, keyring: Keyring, clock: Clock) -> None:
        self._settings = settings
        self._keyring = keyring
        self._clock = clock
        self._issuers = IssuerDirectory(settings.oidc_issuer, clock)

    @property
    def issuers(self) -> Sequence[Issuer]:
        """Where people may sign in: at one issuer, or at none."""
        url = self._settings.oidc_issuer
        return [Issuer(self._settings.oidc_name or urlsplit(url).netloc, url)] if url else []

    def authorization(self) -> Authorization:
        """Begins: where to send a person who wants to sign in."""
        self._require_configured()
        state = f"{secrets.token_urlsafe(24)}.{self._clock.unix() + _LIFETIME}"
        flow = self._flow(f"{state}.{next(self._signatures(state))}")
        parameters = {
            "response_type": "code",
            "client_id": self._settings.oidc_client_id,
            "redirect_uri": self._redirect_uri,
            "scope": "openid email profile",
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": create_s256_code_challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        url = add_params_to_uri(self._issuers.issuer().metadata.authorization_endpoint, list(parameters.items()))
        return Authorization(url, flow.state)

    def verified_email(self, code: str, state: str) -> str:
        """Ends: the address of whoever comes back with this code, which the issuer says it has verified."""
        self._require_configured()
        flow = self._checked(state)
        tokens = self._tokens(code, flow)
        claims = self._claims(str(tokens.get("id_token") or ""), flow)
        if "email" not in claims:
            claims = {**self._user_info(str(tokens.get("access_token") or ""), claims["sub"]), **claims}
        email = claims.get("email")
        if not isinstance(email, str) or claims.get("email_verified") is not True:
            raise Unauthenticated("the issuer has not verified your address", code="oidc_failed")
        return email

    # ---------------------------------------------------------------- state

    def _flow(self, state: str) -> _Flow:
        return next(self._flows(state))

    def _flows(self, state: str) -> Iterator[_Flow]:
        """What belongs to a state, under each password that it may have begun with."""
        verifiers, nonces = (self._keyring.derivations(f"oidc {what} {state}") for what in ("verifier", "nonce"))
        for verifier, nonce in zip(verifiers, nonces, strict=True):
            yield _Flow(state, nonce.hex(), urlsafe_b64encode(verifier).rstrip(b"=").decode())

    def _checked(self, state: str) -> _Flow:
        begun, _, signature = state.rpartition(".")
        given, until = signature.encode(errors="surrogateescape"), begun.rpartition(".")[2]
        for flow, expected in zip(self._flows(state), self._signatures(begun), strict=True):
            if hmac.compare_digest(given, expected.encode()) and until.isdecimal() and int(until) >= self._clock.unix():
                return flow
        raise Unauthenticated("you took too long, or did not begin here; begin again", code="oidc_failed")

    def _signatures(self, begun: str) -> Iterator[str]:
        return (signature.hex() for signature in self._keyring.derivations(f"oidc state {begun}"))

    @property
    def _redirect_uri(self) -> str:
        return self._settings.console_url.rstrip("/") + CALLBACK

    # ---------------------------------------------------------------- what the issuer answers

    def _tokens(self, code: str, flow: _Flow) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": flow.verifier,
        }
        metadata = self._issuers.issuer().metadata
        identity = self._settings.oidc_client_id, self._settings.oidc_client_secret.get_secret_value()
        if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            basic = httpx.BasicAuth(quote(identity[0], safe=""), quote(identity[1], safe=""))
            return ask("POST", metadata.token_endpoint, data=form, auth=basic)
        form |= {"client_id": identity[0], "client_secret": identity[1]}
        return ask("POST", metadata.token_endpoint, data=form)

    def _claims(self, id_token: str, flow: _Flow) -> dict[str, Any]:
        client_id = self._settings.oidc_client_id
        registry = jwt.JWTClaimsRegistry(
            now=self._clock.unix,
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._issuers.issuer().metadata.issuer},
            aud={"essential": True, "value": client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": flow.nonce},
        )
        try:
            claims = self._decoded(id_token)
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            detail = f"the issuer's answer cannot be believed: {error}"
            raise Unauthenticated(detail, code="oidc_failed") from error
        if isinstance(claims["aud"], list) and len(claims["aud"]) > 1 and claims.get("azp") != client_id:
            raise Unauthenticated("the issuer's answer is for somebody else", code="oidc_failed")
        return claims

    def _decoded(self, id_token: str) -> dict[str, Any]:
        """The token's claims. If no key fits, the issuer may have new ones."""
        known = self._issuers.issuer()
        try:
            return _decoded_with(known.keys, id_token)
        except (JoseError, ValueError):
            newer = self._issuers.newer(known)
            if newer is known:
                raise
            return _decoded_with(newer.keys, id_token)

    def _user_info(self, access_token: str, subject: str) -> dict[str, Any]:
        endpoint = self._issuers.issuer().metadata.userinfo_endpoint
        if endpoint is None:
            return {}
        found = ask("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})
        if found.get("sub") != subject:
            raise Unauthenticated("the issuer's answers are about two people", code="oidc_failed")
        return found

    def _require_configured(self) -> None:
        if not self._settings.oidc_issuer:
            raise Refused("this network has no other issuer; sign in with a password", code="no_oidc")


def _decoded_with(keys: KeySet, id_token: str) -> dict[str, Any]:
    return dict(jwt.decode(id_token, keys, algorithms=_ALGORITHMS).claims)
