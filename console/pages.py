"""Every page of the console, in the order of the navigation. A new page is a folder and a line here."""

from __future__ import annotations

from console.registry import AUDITOR, EVERYBODY, MERCHANT, OPERATOR, TREASURY, Group, Page, merchant
from pages.translations import lazy as _

TODAY = Group("today", "")
POINTS = Group("points", _("Points"))
PARTNERS = Group("partners", _("Partners and money"))
NETWORK = Group("network", _("Network"))
SETTINGS = Group("settings", _("Settings"))

GROUPS = (TODAY, POINTS, PARTNERS, NETWORK, SETTINGS)

MOVERS = merchant("admin", "manager")
TILL = merchant("admin", "manager", "cashier")
AT_A_DESK = MERCHANT - merchant("cashier")
"""A merchant's people who do not stand at a till."""

OVERSEERS = OPERATOR | AUDITOR
NETWORK_PEOPLE = OVERSEERS | TREASURY

PAGES: tuple[Page, ...] = (
    Page("home", "/home", _("Overview"), MERCHANT, TODAY, "home"),
    Page("operations", "/operations", _("Operations"), OVERSEERS, TODAY, "operator"),
    Page("approvals", "/approvals", _("Approvals"), NETWORK_PEOPLE, TODAY, "check"),
    Page("alerts", "/alerts", _("Alerts"), OVERSEERS, TODAY, "bell"),
    Page("till", "/cashier", _("Till"), TILL, TODAY, "till"),
    Page("movements", "/movements", _("Movements"), EVERYBODY - TREASURY, POINTS, "movements"),
    Page("members", "/members", _("Members"), EVERYBODY - TREASURY, POINTS, "members"),
    Page("issue", "/issue", _("Issue points"), MOVERS, POINTS, "plus"),
    Page("transfer", "/transfer", _("Transfer points"), MOVERS, POINTS, "swap"),
    Page("reversals", "/reversals", _("Give back"), TILL, POINTS, "undo"),
    Page("agreements", "/agreements", _("Agreements"), AT_A_DESK | OPERATOR | AUDITOR, PARTNERS, "agreements"),
    Page(
        "settlement", "/settlement", _("Settlement"), AT_A_DESK | OPERATOR | TREASURY | AUDITOR, PARTNERS, "settlement"
    ),
    Page("explorer", "/explorer", _("Explorer"), EVERYBODY - TREASURY, NETWORK, "explorer", public=True),
    Page("onboarding", "/merchants", _("Merchants"), OVERSEERS, NETWORK, "merchants"),
    Page("audit", "/audit", _("Audit log"), OVERSEERS, NETWORK, "audit"),
    Page("audits", "/audits", _("Audits"), OVERSEERS, NETWORK, "check"),
    Page("people", "/people", _("People"), merchant("admin") | OVERSEERS, SETTINGS, "staff"),
    Page("account", "/account", _("Your account"), EVERYBODY),
    Page("webhooks", "/webhooks", _("Webhooks"), MOVERS, SETTINGS, "webhooks"),
    Page("keys", "/keys", _("API keys"), merchant("admin") | NETWORK_PEOPLE, SETTINGS, "keys"),
)
