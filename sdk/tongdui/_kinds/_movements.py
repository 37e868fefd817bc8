"""What the resources of all kinds have in common: looking at movements, waiting for them, submitting one."""

from __future__ import annotations

from typing import Any, ClassVar

from tongdui._flow import Flow, operation
from tongdui._gateway import Identified, name_of, optional_name_of, segment
from tongdui._instruction import InstructionRequest, MemberName, ProgramName
from tongdui._models import Movement, expect, expectations_of
from tongdui._pagination import Query, listing
from tongdui._resource import Resource


class MovementResource(Resource):
    """Movements of one kind."""

    request: ClassVar[type[InstructionRequest]]
    """The kind of instruction that these movements come from."""

    @operation
    def get(self, movement: str) -> Flow[Movement]:
        """Fetch one movement as it is now.

        Args:
            movement: Its id.

        Returns:
            The movement.

        Raises:
            NotFoundError: There is none with this id, or you may not see it.
        """
        return (yield from self._gateway.get(Movement, self._path_of(movement)))

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

    @listing
    def list(
        self,
        *,
        member: MemberName | None = None,
        program: ProgramName | None = None,
        state: str | None = None,
        reference: str | None = None,
        page_size: int | None = None,
    ) -> Query[Movement]:
        """List movements, newest first.

        Args:
            member: Only those of this member.
            program: Only those of this program.
            state: Only those in this state: accepted, submitted, settled, rejected or expired.
            reference: Only those with this reference of yours.
            page_size: Movements to fetch at a time.

        Returns:
            An iterator that fetches pages as you go.
        """
        params = {
            "member": optional_name_of(member),
            "program": optional_name_of(program),
            "state": state,
            "reference": reference,
            "limit": page_size,
        }
        return Query(self._path, Movement, params)

    @property
    def _path(self) -> str:
        return f"/v1/{self.request.collection}"

    def _path_of(self, movement: str) -> str:
        return f"{self._path}/{segment(movement)}"

    def _submit(self, instruction: InstructionRequest, key: str | None, wait: float | None) -> Flow[Movement]:
        def only_body(bodies: list[dict[str, Any]]) -> dict[str, Any]:
            return bodies[0]

        return (yield from self._submitter.submit(Movement, self._path, [instruction], only_body, key=key, wait=wait))
