"""What customers say of themselves."""

from __future__ import annotations

from pages.forms import Form, Hidden, Whole
from pages.translations import lazy


class Birthday(Form):
    """A birthday, without its year."""

    month = Whole(lazy("Birthday: month"), least=1, most=12, autocomplete="bday-month")
    day = Whole(lazy("Birthday: day"), least=1, most=31, autocomplete="bday-day")


class Consenting(Form):
    """That a customer agrees to something, or no longer does."""

    purpose = Hidden("")
    text_version = Hidden("")
    is_given = Hidden("")
