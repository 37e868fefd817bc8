"""What somebody types about its own account."""

from __future__ import annotations

from pages.forms import Choice, Form, Secret, Text
from pages.translations import LANGUAGES, lazy


class AboutMe(Form):
    """How somebody is called, and what it reads."""

    name = Text(
        lazy("Your name"), longest=80, autocomplete="name", hint=lazy("Your colleagues see it beside what you did.")
    )
    language = Choice(lazy("Language"), options=LANGUAGES, radio=True, hint=lazy("Of your pages and mails."))


class Proof(Form):
    """Whether it is the person who sits there."""

    password = Secret(lazy("Present password"), autocomplete="current-password")


class ProofForRemoval(Proof):
    """The same, beside the other on one page."""

    ids = "f-removal-"
