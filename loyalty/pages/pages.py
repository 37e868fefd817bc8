"""Every page of the staff, in the order of the navigation. A new page is a folder, a line here, and its rules in `rules.py`."""

from __future__ import annotations

from loyalty.pages.registry import Group, Page
from pages.translations import lazy as _

TODAY = Group("today", "")
CUSTOMERS = Group("customers", _("Customers and sales"))
RULES = Group("rules", _("Earning"))
NETWORK = Group("network", _("Network"))
SETTINGS = Group("settings", _("Settings"))

GROUPS = (TODAY, CUSTOMERS, RULES, NETWORK, SETTINGS)

PAGES: tuple[Page, ...] = (
    Page("home", "/home", _("Overview"), TODAY, "home"),
    Page("customers", "/customers", _("Customers"), CUSTOMERS, "members"),
    Page("sales", "/sales", _("Sales"), CUSTOMERS, "till"),
    Page("fills", "/fills", _("Fills"), CUSTOMERS, "in"),
    Page("till_files", "/till-files", _("Till files"), CUSTOMERS, "upload"),
    Page("rule_sets", "/rule-sets", _("Rule sets"), RULES, "agreements"),
    Page("tiers", "/tiers", _("Tiers"), RULES, "members"),
    Page("tasks", "/tasks", _("Tasks"), RULES, "check"),
    Page("referrals", "/referrals", _("Referrals"), RULES, "person"),
    Page("gifts", "/gifts", _("Gifts"), RULES, "bell"),
    Page("budgets", "/budgets", _("Budgets"), RULES, "settlement"),
    Page("messages", "/messages", _("Messages"), CUSTOMERS, "webhooks"),
    Page("quiet_weeks", "/quiet-weeks", _("Quiet weeks"), RULES, "clock"),
    Page("wishes", "/wishes", _("Wishes"), NETWORK, "movements"),
    Page("differences", "/differences", _("Differences"), NETWORK, "alert"),
    Page("stations", "/stations", _("Stations"), SETTINGS, "merchants"),
    Page("devices", "/devices", _("Devices"), SETTINGS, "operator"),
    Page("refused_messages", "/refused-messages", _("Refused messages"), SETTINGS, "alert"),
    Page("keys", "/keys", _("Keys"), SETTINGS, "keys"),
    Page("people", "/people", _("People"), SETTINGS, "staff"),
    Page("audit_log", "/audit-log", _("Audit log"), SETTINGS, "audit"),
    Page("account", "/account", _("Your account")),
)
