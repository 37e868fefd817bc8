"""The export of a merchant's entries: a CSV file in pieces, fetched while it is read."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

from ._flow import AsyncDriver, Driver, Flow, Param
from ._gateway import Gateway
from ._whole_file import replacing

_PATH = "/v1/entries/export"
_CSV = "text/csv"
_AT_ONCE = 1_000


class _Export:
    """What both kinds of export have in common: what to ask for."""

    def __init__(self, gateway: Gateway, params: Mapping[str, Param]) -> None:
        self._gateway = gateway
        self._params = {"limit": _AT_ONCE, **params}

    def _piece(self, cursor: str | None) -> Flow[tuple[str, str | None]]:
        """The next piece of the file, and where to go on."""
        params = self._params if cursor is None else {**self._params, "cursor": cursor}
        response = yield from self._gateway.send("GET", _PATH, params=params, media_type=_CSV)
        head, end, rows = response.text.partition("\r\n")
        return rows if cursor is not None else head + end + rows, response.headers.get("Next-Cursor")


class EntryExport(_Export):
    """A CSV file in pieces. Iterate over it, or `save` it. Iterate again, and it is fetched again.

    It is complete when the iteration ends by itself. If something fails on the way, the iteration raises.
    """

    def __init__(self, driver: Driver, gateway: Gateway, params: Mapping[str, Param]) -> None:
        super().__init__(gateway, params)
        self._driver = driver

    def __iter__(self) -> Iterator[str]:
        piece, cursor = self._driver.run(self._piece(None))
        yield piece
        while cursor is not None:
            piece, cursor = self._driver.run(self._piece(cursor))
            yield piece

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the file. Only a complete one ever has this name.

        Args:
            path: Where to. A file that is there is replaced.

        Returns:
            How many entries it has.

        Raises:
            APIError: The gateway refused it, or what it has served so far is no longer the chain.
            APIConnectionError: No answer came.
            OSError: It cannot be written.
        """
        lines = 0
        with replacing(Path(path)) as file:
            for piece in self:
                file.write(piece.encode())
                lines += piece.count("\r\n")
        return lines - 1


class AsyncEntryExport(_Export):
    """A CSV file in pieces: `async for piece in client.entries.export(...)`. Otherwise as `EntryExport`."""

    def __init__(self, driver: AsyncDriver, gateway: Gateway, params: Mapping[str, Param]) -> None:
        super().__init__(gateway, params)
        self._driver = driver

    async def __aiter__(self) -> AsyncIterator[str]:
        piece, cursor = await self._driver.run(self._piece(None))
        yield piece
        while cursor is not None:
            piece, cursor = await self._driver.run(self._piece(cursor))
            yield piece
