"""How messages are sent, as the settings say it: channels without their secrets, quiet hours, caps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from loyalty.customers.models import ChannelName
from loyalty.kit.settings import Settings, WrongSettings
from loyalty.messages.channels import Channels
from loyalty.messages.timing import Timing


@dataclass(frozen=True, slots=True)
class Sending:
    """How messages are sent.

    Attributes:
        timing: Quiet hours and caps.
        services: The kind of service of each channel, in the order in which channels are tried.
        problem: Why the channels cannot be told here.
    """

    timing: Timing
    services: Mapping[ChannelName, str]
    problem: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Sending:
        """What the settings say now. Whoever sends has read them when they began."""
        timing = Timing.of(settings)
        try:
            return cls(timing, Channels.of(settings).services)
        except WrongSettings as error:
            return cls(timing, {}, str(error))
