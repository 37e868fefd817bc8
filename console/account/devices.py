"""What somebody signs in with, as far as its browser says: "Chrome · Windows"."""

from __future__ import annotations

from collections.abc import Sequence

from pages.translations import gettext as _

# The first that is found counts: most browsers also call themselves by older names.
_BROWSERS: Sequence[tuple[str, str]] = (
    ("MicroMessenger/", "WeChat"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS: Sequence[tuple[str, str]] = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def device_of(user_agent: str) -> str:
    """Browser and system, or how a program calls itself."""
    browser, system = _first(_BROWSERS, user_agent), _first(_SYSTEMS, user_agent)
    if browser or system:
        return " · ".join(filter(None, (browser, system)))
    return user_agent[:40] or _("Unknown device")


def _first(known: Sequence[tuple[str, str]], user_agent: str) -> str | None:
    return next((name for mark, name in known if mark in user_agent), None)
