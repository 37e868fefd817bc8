"""What every resource of a client has, and the attribute that gives each client its own variant of a resource."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from ._flow import AsyncDriver, Awaiting, Blocking, Driver
from ._submission import OrderSubmitter


class Resource:
    """A group of operations under one path of the API."""

    _driver: Any  # the mixins `Blocking` and `Awaiting` say which

    def __init__(self, submitter: OrderSubmitter, driver: Driver | AsyncDriver) -> None:
        self._submitter = submitter
        self._gateway = submitter.gateway
        self._directory = submitter.directory
        self._driver = driver


BlockingT = TypeVar("BlockingT", bound=Resource)
AwaitingT = TypeVar("AwaitingT", bound=Resource)


class ResourceAttribute(Generic[BlockingT, AwaitingT]):
    """A client's attribute for a resource: the blocking variant on `Client`, the awaited one on `AsyncClient`."""

    def __init__(self, blocking: type[BlockingT], awaiting: type[AwaitingT]) -> None:
        self.blocking = blocking
        self.awaiting = awaiting

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> type[BlockingT] | type[AwaitingT]: ...
    @overload
    def __get__(self, instance: Blocking, owner: type) -> BlockingT: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type) -> AwaitingT: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        variant = self.awaiting if issubclass(owner, Awaiting) else self.blocking
        if instance is None:
            return variant  # so that `help(Client)` describes the resource
        resource = variant(instance._submitter, instance._driver)
        vars(instance)[self._name] = resource  # from now on the instance's own attribute is found first
        return resource
