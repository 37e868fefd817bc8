"""The registry of effects. A new effect is one file beside this one and one line in `EFFECTS`."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from loyalty.earning.effects.base import Earning, Effect, Multiplying
from loyalty.earning.effects.birthday_month import BirthdayMonth
from loyalty.earning.effects.by_article import ByArticle
from loyalty.earning.effects.by_category import ByCategory
from loyalty.earning.effects.first_purchase import FirstPurchase
from loyalty.earning.effects.fixed import FixedPoints
from loyalty.earning.effects.multiplier import Multiplier
from loyalty.earning.effects.off_peak import OffPeak
from loyalty.earning.effects.pair import Pair
from loyalty.earning.effects.per_kwh import PerKwh
from loyalty.earning.effects.per_litre import PerLitre
from loyalty.earning.effects.per_piece import PerPiece
from loyalty.earning.effects.per_yuan import PerYuan
from loyalty.earning.effects.season import Season
from loyalty.earning.effects.station import Stations
from loyalty.earning.effects.tier import Tier
from loyalty.earning.effects.value_class import ValueClass
from loyalty.earning.effects.weather import WeatherIs
from loyalty.earning.effects.weekday import Weekday

EFFECTS: tuple[type[Effect], ...] = (
    PerYuan,
    PerLitre,
    PerKwh,
    PerPiece,
    FixedPoints,
    ByArticle,
    ByCategory,
    Multiplier,
    Tier,
    ValueClass,
    OffPeak,
    Season,
    Weekday,
    Stations,
    BirthdayMonth,
    FirstPurchase,
    Pair,
    WeatherIs,
)

if TYPE_CHECKING:
    AnyEffect = Effect
else:
    AnyEffect = Annotated[reduce(or_, EFFECTS), Field(discriminator="kind")]
"""Any of the effects, told by its `kind`."""

__all__ = ["EFFECTS", "AnyEffect", "Earning", "Effect", "Multiplying"]
