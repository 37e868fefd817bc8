"""The client of the network, made from the settings."""

from __future__ import annotations

from loyalty.kit.settings import Settings, WrongSettings
from tongdui import Client, LocalSigner, SigningError

_RETRIES = 1
"""The sender repeats by itself, with the same bytes: the client need not do it for long."""
_LONGEST_BACKOFF = 2.0


def network_client(settings: Settings) -> Client:
    """A client that acts for the merchant. Raises WrongSettings if its key cannot be read."""
    key = settings.network_key
    if not key:
        raise WrongSettings("LOYALTY_API_KEY: the network has to know who calls; set the merchant's API key (tdk_...)")
    return Client(
        str(settings.gateway_url),
        key,
        signer=_signer(settings),
        contract=settings.contract,
        chain_id=settings.chain_id,
        rpc_url=settings.rpc_url,
        deadline_seconds=settings.order_lifetime,
        max_retries=_RETRIES,
        longest_backoff=_LONGEST_BACKOFF,
    )


def _signer(settings: Settings) -> LocalSigner | None:
    if settings.keystore is None:
        return None
    try:
        return LocalSigner.from_keystore(settings.keystore, settings.password)
    except (OSError, SigningError) as error:
        raise WrongSettings(f"LOYALTY_KEYSTORE: {error}") from error
