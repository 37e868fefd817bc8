"""Asking before something moves: a form is checked by a dry run, its page shows what would happen, and one key confirms it.

All of it is one address. A form that is sent says which step it is: `check`, `edit` (the person goes back to it), or `do`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from fastapi.responses import Response

from console.problems import refusals
from pages.forms import Form

STEP = "step"
CHECK, EDIT, DO = "check", "edit", "do"

FormT = TypeVar("FormT", bound=Form)
PreviewT = TypeVar("PreviewT")
DoneT = TypeVar("DoneT")


def step_of(form: Form) -> str:
    """What the person wants: without a word of it, only a check."""
    sent = form.sent.get(STEP) if form.sent is not None else None
    return sent if sent in (EDIT, DO) else CHECK


async def confirmed(
    form: FormT,
    check: Callable[[FormT], Awaitable[PreviewT]],
    act: Callable[[FormT], Awaitable[DoneT]],
    tell: Callable[[DoneT], Response],
    words: AbstractContextManager[None] | None = None,
) -> Response | PreviewT | None:
    """What `tell` says of what was done, or else what would happen; None if the form itself is to be shown, with what is wrong.

    A preview has a new key, so confirming it twice acts once, and a later preview is another request; unless nobody knows what has
    become of the last one. `words` says some refusals in words of its own.
    """
    if not form.is_valid or step_of(form) == EDIT:
        return None
    if step_of(form) == DO:
        done: list[DoneT] = []
        with refusals(form), words or nullcontext():
            done.append(await act(form))
        return tell(done[0]) if done else None
    preview = None
    with refusals(form), words or nullcontext():
        preview = await check(form)
    if preview is not None and not form.is_unanswered:
        form.renew_key()
    return preview
