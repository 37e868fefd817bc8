"""The network itself: what it is, and the state it is in."""

from __future__ import annotations

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._models import Health, Network
from tongdui._resource import Resource


class _NetworkInfo(Resource):
    @operation
    def get(self) -> Flow[Network]:
        """Fetch the chain, the contract, the currency and the network's day.

        Returns:
            The network.

        Raises:
            VerificationError: It is not the contract or chain that the client was given, or the chain contradicts it.
        """
        self._directory.forget()
        return (yield from self._directory.network())


class _HealthInfo(Resource):
    @operation
    def get(self) -> Flow[Health]:
        """Fetch the state of the gateway and of the parts behind it. A degraded network is an answer, not an exception."""
        response = yield from self._gateway.send("GET", "/readyz", accept={503})
        return self._gateway.parse(Health, response)


class NetworkInfo(Blocking, _NetworkInfo):
    """The network: chain, contract, currency, day."""


class AsyncNetworkInfo(Awaiting, _NetworkInfo):
    """The network: chain, contract, currency, day. Its methods are awaited."""


class HealthInfo(Blocking, _HealthInfo):
    """The state of the gateway and of the parts behind it."""


class AsyncHealthInfo(Awaiting, _HealthInfo):
    """The state of the gateway and of the parts behind it. Its methods are awaited."""
