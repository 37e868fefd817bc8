"""What the resources of all kinds have in common: looking at movements, waiting for them, submitting one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Unpack

from tongdui._dry_run import DryRun
from tongdui._flow import Flow, operation
from tongdui._gateway import Identified, name_of, segment
from tongdui._instruction import InstructionRequest
from tongdui._models import Movement, expect, expectations_of
from tongdui._movement_filters import MovementFilters, movement_query
from tongdui._pagination import Query, listing
from tongdui._resource import Resource


class MovementResource(Resource):
    """Movements of one kind."""

    _path: ClassVar[str]

    request: ClassVar[type[InstructionRequest]]
    """The kind of instruction that these movements come from."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls._path = f"/v1/{cls.request.collection}"

    @listing
    def list(self, **filters: Unpack[MovementFilters]) -> Query[Movement]:
        """List the movements of this kind, newest first: those that you signed, and those in which you are the other side.

        Args:
            filters: Which of them: `direction`, `counterparty`, `member`, ... as `MovementFilters` explains them.

        Returns:
            An iterator that fetches pages as you go.
        """
        return movement_query(self._path, filters)

    @operation
    def get(self, movement: str, *, expand: Collection[str] = ()) -> Flow[Movement]:
        """Fetch one movement as it is now.

        Args:
            movement: Its id.
            expand: Fields to show whole, such as `["member", "agreement"]`: they are in `expanded` then.

        Returns:
            The movement.

        Raises:
            NotFoundError: There is none with this id, or you may not see it.
        """
        return (yield from self._gateway.get(Movement, self._path_of(movement), expand=expand))

    @operation
    def wait(self, movement: str | Identified, timeout: float = 30.0) -> Flow[Movement]:
        """Wait until a movement is settled, rejected or expired.

        Args:
            movement: The movement, or its id.
            timeout: Seconds to wait at most.

        Returns:
            The movement: final, or as it was when the time was up.

        Raises:
            NotFoundError: There is none with this id, or you may not see it.
        """
        path = self._path_of(name_of(movement))
        found = yield from self._gateway.get(Movement, path)
        found = yield from self._gateway.follow(found, path, self._gateway.now() + timeout)
        return expect(found, expectations_of(movement))

    @operation
    def dry_run(self, instruction: InstructionRequest) -> Flow[DryRun[Movement]]:
        """Ask what `create` would do, without doing it: every check of the gateway, but no effect and no signature.

        Args:
            instruction: What to try, such as `Exchange(member=..., points=100, agreement=...)`.

        Returns:
            The movement that there would be, and what its entry would say.

        Raises:
            TypeError: The instruction is of another kind.
            APIError: The gateway would refuse it, for the same reason.
        """
        if not isinstance(instruction, self.request):
            raise TypeError(f"{self._path} takes {self.request.__name__}, not {type(instruction).__name__}")
        return (yield from self._gateway.dry_run(Movement, self._path, instruction.body()))

    def _path_of(self, movement: str) -> str:
        return f"{self._path}/{segment(movement)}"

    def _submit(self, instruction: InstructionRequest, key: str | None, wait: float | None) -> Flow[Movement]:
        def only_body(bodies: list[dict[str, Any]]) -> dict[str, Any]:
            return bodies[0]

        return (yield from self._submitter.submit(Movement, self._path, [instruction], only_body, key=key, wait=wait))
