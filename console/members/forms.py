"""What can be typed about a member."""

from __future__ import annotations

from typing import Any

from pages.forms import Choice, Flag, Form, Hidden, Points, Text
from pages.translations import gettext as _
from pages.translations import lazy

_LONGEST = 64


class NewMember(Form):
    """A customer that gets a number."""

    external_id = Text(
        lazy("Member number"), hint=lazy("As it stands on the card or in your till"), longest=_LONGEST, focus=True
    )
    link_code = Text(
        lazy("Link code"),
        hint=lazy("If another merchant has made one for the same customer: both then know one member"),
        longest=_LONGEST,
        required=False,
    )
    reissue = Flag(lazy("Give out again a number that was retired"))
    member = Hidden("", required=False)


class NewNumber(Form):
    """A further number of a member: a second card."""

    external_id = Text(lazy("Further number"), longest=_LONGEST)
    reissue = Flag(lazy("Give out again a number that was retired"))


class OldNumber(Form):
    """A number that leads to the member no more."""

    external_id = Hidden("")


class Freeze(Form):
    """Why nobody may take the member's points."""

    reason = Text(lazy("Reason"), hint=lazy("Whoever sees the freeze reads it"), longest=200)


class NewMemberCode(Form):
    """What the member lets another merchant take."""

    points = Points(lazy("At most so many points"), focus=True)
    program = Choice(lazy("Of"))


class MergeInto(Form):
    """The member that stays."""

    into = Text(
        lazy("Which member stays?"),
        hint=lazy("Your own number of it, or its id. All numbers of this member will lead to it"),
        longest=_LONGEST,
        focus=True,
    )


class Erase(Form):
    """That somebody knows what an erasure is, and means this member."""

    forfeit_points = Flag(lazy("The member gives up the points that are left, and has been asked"))
    name = Text(lazy("To confirm, type the member's number"), longest=_LONGEST)
    sure = Hidden("", required=False)

    def __init__(self, *args: Any, expected: tuple[str, ...] = (), **more: Any) -> None:
        self.expected = expected
        super().__init__(*args, **more)

    def check(self) -> None:
        """It must be this member's number, and the second question must have been answered."""
        if self.values["name"] not in self.expected:
            self.refuse("name", _("Type %(name)s, the number of this member.") % {"name": self.expected[0]})
        elif not self.values["sure"]:
            self.refuse(None, _("Answer the second question, too: nothing was erased."))
