"""The nearest spelling of what somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tongdui._errors import APIError, TongduiError

if TYPE_CHECKING:
    from tongdui._client import Client


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """Name the known words that are near to what was typed.

    Args:
        typed: What somebody wrote.
        known: What there is.

    Returns:
        `: did you mean FUEL?`, or nothing.
    """
    by_case = {word.casefold(): word for word in known}
    near = get_close_matches(typed.casefold(), by_case, n=3)
    return f": did you mean {' or '.join(by_case[word] for word in near)}?" if near else ""


@contextmanager
def suggesting_programs(client: Client, *typed: str | None) -> Iterator[None]:
    """Note the nearest program codes in the gateway's refusal of a program that there is not."""
    try:
        yield
    except APIError as error:
        if error.status in {404, 422}:
            for note in _nearest_programs(client, [code for code in typed if code]):
                error.add_note(note)
        raise


def _nearest_programs(client: Client, typed: Iterable[str]) -> list[str]:
    try:
        known = [program.code for program in client.programs.list(page_size=200)]
    except TongduiError:  # the refusal itself is what the user has to see
        return []
    else:
        there_are = f": the programs are {', '.join(sorted(known)[:20])}"
        return [f"{code}{did_you_mean(code, known) or there_are}" for code in typed if code not in known]
