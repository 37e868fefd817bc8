"""What every resource of a client has, and the attribute that gives each client its own variant of a resource."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Generic, TypeVar, overload

from pydantic import BaseModel

from ._flow import AsyncDriver, Awaiting, Blocking, Driver
from ._gateway import expanding, optional_name_of
from ._instruction import MemberName, ProgramName
from ._pagination import Query, listing
from ._submission import OrderSubmitter


class Resource:
    """A group of operations under one path of the API."""

    _driver: Any  # the mixins `Blocking` and `Awaiting` say which

    def __init__(self, submitter: OrderSubmitter, driver: Driver | AsyncDriver) -> None:
        self._submitter = submitter
        self._gateway = submitter.gateway
        self._directory = submitter.directory
        self._driver = driver


ElementT = TypeVar("ElementT", bound=BaseModel)


class MemberCollection(Resource, Generic[ElementT]):
    """A collection whose elements belong to members of programs: movements, holds."""

    _model: type[ElementT]
    _path: str

    @listing
    def list(
        self,
        *,
        member: MemberName | None = None,
        program: ProgramName | None = None,
        state: str | None = None,
        reference: str | None = None,
        expand: Collection[str] = (),
        page_size: int | None = None,
    ) -> Query[ElementT]:
        """List the collection, newest first.

        Args:
            member: Only what belongs to this member.
            program: Only what is of this program.
            state: Only what is in this state: for movements accepted, submitted, settled, rejected or expired; for holds
                pending, captured, released or expired.
            reference: Only what has this reference of yours.
            expand: Fields to show whole, such as `["member", "agreement"]`: they are in `expanded` then.
            page_size: Elements to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "member": optional_name_of(member),
            "program": optional_name_of(program),
            "state": state,
            "reference": reference,
            "limit": page_size,
            **expanding(expand),
        }
        return Query(self._path, self._model, params)


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
