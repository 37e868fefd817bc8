"""The network itself: what it is, and how it does."""

from __future__ import annotations

from tongdui._flow import Awaiting, Blocking, Flow, operation
from tongdui._models import Health, Network

from ._base import Resource


class _NetworkInfo(Resource):
    @operation
    def get(self) -> Flow[Network]:
        """Chain, contract, currency, and the network's day. Checked against pinned values and the chain, if those
        were given."""
        self._book.forget()
        return (yield from self._book.network())


class _HealthInfo(Resource):
    @operation
    def get(self) -> Flow[Health]:
        """How the gateway and the parts behind it do. A degraded network is an answer, not an exception."""
        response = yield from self._core.send("GET", "/readyz", accept={503})
        return self._core.parse(Health, response)


class NetworkInfo(Blocking, _NetworkInfo):
    """`client.network`."""


class AsyncNetworkInfo(Awaiting, _NetworkInfo):
    """`client.network`, awaited."""


class HealthInfo(Blocking, _HealthInfo):
    """`client.health`."""


class AsyncHealthInfo(Awaiting, _HealthInfo):
    """`client.health`, awaited."""
