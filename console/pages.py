"""Every page of the console, in the order of the navigation. A new page is a folder and a line here."""

from __future__ import annotations

from console.registry import EVERYBODY, MERCHANT, TREASURY, Group, Page
from pages.translations import lazy as _

TODAY = Group("today", "")
POINTS = Group("points", _("Points"))
PARTNERS = Group("partners", _("Partners and money"))
NETWORK = Group("network", _("Network"))
SETTINGS = Group("settings", _("Settings"))

GROUPS = (TODAY, POINTS, PARTNERS, NETWORK, SETTINGS)

PAGES: tuple[Page, ...] = (
    Page("home", "/home", _("Overview"), MERCHANT, TODAY, "home"),
    Page("movements", "/movements", _("Movements"), EVERYBODY - TREASURY, POINTS, "movements"),
    Page("explorer", "/explorer", _("Explorer"), EVERYBODY - TREASURY, NETWORK, "explorer", public=True),
)
