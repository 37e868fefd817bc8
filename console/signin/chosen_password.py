"""A password that somebody chooses: typed twice, because nobody sees it."""

from __future__ import annotations

from pages.forms import Form, Secret
from pages.translations import gettext as _
from pages.translations import lazy

AGAIN = "again"


def new_password(*, focus: bool = False) -> Secret:
    """The field of the password."""
    hint = lazy("At least 12 characters, and nothing that is easy to guess.")
    return Secret(lazy("New password"), hint=hint, autocomplete="new-password", focus=focus)


def repetition() -> Secret:
    """The field in which it is typed again. The form's name for it is `AGAIN`."""
    return Secret(lazy("New password, again"), autocomplete="new-password")


def check_repetition(form: Form, name: str) -> None:
    """Refuses a form whose password, in the field of this name, was typed in two ways."""
    if form.values[name] != form.values[AGAIN]:
        form.refuse(AGAIN, _("The two are not the same."))
