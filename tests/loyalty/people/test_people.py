"""People are invited by a link that works once, get other roles, and are let in no more."""

from __future__ import annotations

import re

import pyotp
import pytest
from sqlalchemy import select

from loyalty.audit_log.models import AuditEntry
from loyalty.commands import main
from loyalty.kit.errors import Contradiction, Malformed
from loyalty.people.service import PeopleService
from loyalty.staff.models import Role
from tests.loyalty.people.team import PASSWORD, SECRET, Browser, Member, Team, text_of


def joined(team: Team, link: str, login: str) -> tuple[Browser, Member]:
    """Follows a link as its person does."""
    browser = team.browser()
    page = browser.get(link)
    assert page.status_code == 200, page.text
    secret = link.partition("link=")[2]
    short = browser.post("/staff/join", {"link": secret, "password": "short", "again": "short"})
    assert (short.status_code, "less simple password" in short.text) == (422, True)
    differ = browser.post("/staff/join", {"link": secret, "password": PASSWORD, "again": "x"})
    assert (differ.status_code, "The two passwords differ" in differ.text) == (422, True)
    app_page = browser.post("/staff/join", {"link": secret, "password": PASSWORD, "again": PASSWORD})
    (app_secret,) = re.findall(r"\b[A-Z2-7]{32}\b", text_of(app_page))
    member = Member("", login, pyotp.TOTP(app_secret), team.clock)
    wrong = browser.post("/staff/join/code", {"link": secret, "code": "000000"})
    assert (wrong.status_code, "This code is wrong" in wrong.text) == (422, True)
    done = browser.post("/staff/join/code", {"link": secret, "code": member.code()})
    assert done.status_code == 200, done.text
    member.recovery_codes = re.findall(r"<code>([0-9A-Z-]+)</code>", done.text)
    assert len(member.recovery_codes) == 10
    return browser, member


def link_on(page: str) -> str:
    """The link that a page shows, without its host."""
    return max(re.findall(r"/staff/join\?link=[\w-]+", page), key=len)  # it stands there shortened, too


def test_a_manager_invites_somebody_who_signs_in(team: Team) -> None:
    manager = team.signed_in(Role.MANAGER)
    form = {"login": "Wu.Di", "name": "吴迪", "role": "cashier", "idempotency_key": "k1"}
    page = manager.post("/staff/people/invite", form)
    assert page.status_code == 200
    link = link_on(page.text)
    repeated = manager.post("/staff/people/invite", form)
    assert (repeated.status_code, repeated.headers["location"]) == (303, "/staff/people")
    browser, member = joined(team, link, "wu.di")
    assert "吴迪" in browser.get("/staff/home").text
    gone = team.browser().get(link)
    assert (gone.status_code, "This link leads nowhere" in gone.text) == (404, True)
    assert team.browser().sign_in(member).status_code == 303
    people = text_of(manager.get("/staff/people"))
    assert people.count("May sign in") == len(team.members) + 1


def test_nobody_signs_in_before_the_app_is_set_up(team: Team) -> None:
    with team.database.session.begin() as session:
        people = PeopleService(session)
        person, _ = people.invite("half", "Half", Role.MANAGER, actor="test")
        app = pyotp.TOTP(people.choose_password(person, PASSWORD, team.seal).secret)
    assert team.browser().sign_in(Member(person.id, "half", app, team.clock)).status_code == 422


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"login": "a"}, "A login has 2 to 40"),
        ({"login": "two words"}, "A login has 2 to 40"),
        ({"login": "cashier"}, "This login is somebody"),
        ({"name": ""}, "Fill this in"),
        ({"role": "device"}, "Choose one of those offered"),
    ],
)
def test_a_wrong_invitation_is_refused_beside_its_field(team: Team, values: dict[str, str], sentence: str) -> None:
    form = {"login": "new.one", "name": "New", "role": "cashier"} | values
    answer = team.signed_in(Role.MANAGER).post("/staff/people/invite", form)
    assert (answer.status_code, sentence in text_of(answer)) == (422, True), text_of(answer)


def test_a_new_link_takes_the_place_of_password_app_and_sessions(team: Team) -> None:
    manager, cashier = team.signed_in(Role.MANAGER), team.signed_in(Role.CASHIER)
    member = team.members[Role.CASHIER]
    assert manager.post(f"/staff/people/{member.id}/invite-again", {"reason": "x"}).status_code == 422
    page = manager.post(f"/staff/people/{member.id}/invite-again", {"reason": "the phone is lost"})
    assert cashier.get("/staff/home").status_code == 303
    assert team.browser().sign_in(member).status_code == 422
    _, again = joined(team, link_on(page.text), member.login)
    assert team.browser().sign_in(again).status_code == 303


def test_another_role_counts_at_once(team: Team) -> None:
    manager, cashier = team.signed_in(Role.MANAGER), team.signed_in(Role.CASHIER)
    path = f"/staff/people/{team.members[Role.CASHIER].id}/role"
    assert cashier.get("/staff/people").status_code == 403
    assert manager.post(path, {"role": "king", "reason": "is promoted"}).status_code == 422
    assert manager.post(path, {"role": "auditor", "reason": "is promoted"}).status_code == 303
    assert cashier.get("/staff/people").status_code == 200


def test_whoever_ended_is_out_at_once(team: Team) -> None:
    manager, cashier = team.signed_in(Role.MANAGER), team.signed_in(Role.CASHIER)
    member = team.members[Role.CASHIER]
    path = f"/staff/people/{member.id}"
    assert manager.post(f"{path}/end", {"reason": "has left us"}).status_code == 303
    assert cashier.get("/staff/home").status_code == 303
    assert team.browser().sign_in(member).status_code == 422
    assert team.browser().sign_in(member, code=member.recovery_codes[0]).status_code == 422
    assert "does not work here any more" in manager.post(f"{path}/invite-again", {"reason": "is back"}).text
    assert manager.post(f"{path}/end", {"reason": "once more"}).status_code == 303


def test_nobody_decides_about_themselves_and_the_last_manager_stays(team: Team) -> None:
    manager = team.signed_in(Role.MANAGER)
    own = f"/staff/people/{team.members[Role.MANAGER].id}"
    for what, values in (("role", {"role": "cashier"}), ("end", {})):
        answer = manager.post(f"{own}/{what}", {**values, "reason": "a test"})
        assert (answer.status_code, "Another manager does" in answer.text) == (422, True)
    last = manager.post(f"{own}/invite-again", {"reason": "a test"})
    assert (last.status_code, "the last manager" in last.text) == (422, True)
    with pytest.raises(Contradiction), team.database.session.begin() as session:
        PeopleService(session).end(team.members[Role.MANAGER].id, actor="test", reason="a test")


def test_every_act_stands_in_the_audit_log_with_its_actor(team: Team) -> None:
    manager, member = team.signed_in(Role.MANAGER), team.members[Role.CASHIER]
    manager.post(f"/staff/people/{member.id}/role", {"role": "marketing", "reason": "is promoted"})
    with team.database.reading() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.role_changed")).one()
    assert (entry.actor, entry.subject, entry.reason) == (team.members[Role.MANAGER].id, member.id, "is promoted")
    assert (entry.before, entry.after) == ({"role": "cashier"}, {"role": "marketing"})


def test_a_device_is_no_person(team: Team) -> None:
    with pytest.raises(Malformed), team.database.session.begin() as session:
        PeopleService(session).invite("pump", "Pump 3", Role.DEVICE, actor="test")


def test_the_first_manager_is_invited_by_a_command(
    team: Team, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOYALTY_DATABASE_URL", team.database.url)
    arguments = ["staff", "invite", "--login", "first", "--name", "林岚", "--role", "manager"]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert (end.value.code, "LOYALTY_STAFF_SECRET" in capsys.readouterr().err) == (2, True)
    monkeypatch.setenv("LOYALTY_STAFF_SECRET", SECRET)
    monkeypatch.setenv("LOYALTY_URL", "https://staff.example")
    with pytest.raises(SystemExit) as end:
        main(arguments)
    printed = capsys.readouterr().out
    assert (end.value.code, "https://staff.example/staff/join?link=" in printed) == (0, True)
    joined(team, link_on(printed), "first")
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert (end.value.code, "is somebody's" in capsys.readouterr().err) == (2, True)


def test_without_a_secret_there_are_no_pages(team: Team) -> None:
    bare = team.settings.model_copy(update={"staff_secret": type(team.settings.staff_secret)("")})
    assert Team(team.database, team.clock, bare).browser().get("/staff/sign-in").status_code == 404
