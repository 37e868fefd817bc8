"""What is typed about the people of a merchant, or of the network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from console.asking import REASON_FOR_POWER, check_reason
from console.problem_texts import sentence_of
from console.titles import MERCHANT_TITLES
from pages.forms import Choice, Email, Form, Text
from pages.translations import LANGUAGES, lazy
from tongdui import ForbiddenError

_UNDERSTOOD = frozenset({"disabled_by_network", "own_seat", "person_elsewhere"})


class Invite(Form):
    """Somebody who is to work here."""

    email = Email(lazy("Email"), focus=True)
    name = Text(lazy("Person's name"), required=False, longest=80)
    title = Choice(lazy("Title"), radio=True)
    language = Choice(lazy("Language of the mail"), options=LANGUAGES, radio=True)


class InviteToNetwork(Invite):
    """Somebody who is to work for the network."""

    reason = REASON_FOR_POWER

    def check(self) -> None:
        """There is a reason, if there has to be."""
        check_reason(self, self.values["title"])


class ChangeTitle(Form):
    """What somebody is from now on."""

    title = Choice(lazy("New title"), options=MERCHANT_TITLES)


@contextmanager
def understood(form: Form) -> Iterator[None]:
    """Says in the form what is refused because of who the person is. Other refusals are not for whoever may be here."""
    try:
        yield
    except ForbiddenError as error:
        if error.code not in _UNDERSTOOD:
            raise
        form.renew_key()
        form.refuse(None, sentence_of(error.code, error.title))
