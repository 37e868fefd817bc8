"""What an attacker tries: forged forms, frames, fixed sessions, other sites, too long bodies, addresses elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from console.app import create_app
from console.pages import PAGES
from console.settings import Settings
from pages import csrf
from pages.security import SAFE_METHODS
from tests.console.served import GALLERY, served
from tests.console.site import Site
from tests.gateway.staff import PASSWORD

FORBIDDEN = 403
CREDENTIALS = {"email": "operator@tongdui.example", "password": PASSWORD}
UNSAFE = [
    (page, method, route.path)  # type: ignore[attr-defined]
    for page in PAGES
    for route in page.router.routes
    for method in route.methods - SAFE_METHODS  # type: ignore[attr-defined]
]


@pytest.fixture(scope="module")
def gallery(site: Site) -> Iterator[str]:
    with served(site.network.url, (*PAGES, GALLERY)) as url:
        yield url


@pytest.fixture
def http(site: Site, gallery: str) -> Iterator[httpx.Client]:
    """A browser without scruples, signed in as a merchant."""
    with httpx.Client(base_url=gallery, cookies={site.cookie: site.seats["merchant:admin"]}, timeout=60) as client:
        yield client


def token_in(page: str) -> str:
    found = re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', page)
    assert found is not None
    return found[1]


# -------------------------------------------------------------------- what every answer says


@pytest.mark.parametrize("path", ["/sign-in", "/home", "/nowhere", "/healthz", "/gallery/broken", "/static/none.css"])
def test_every_answer_binds_the_browser(http: httpx.Client, path: str) -> None:
    headers = http.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert "server" not in headers


def test_a_page_is_stored_nowhere_and_a_static_file_for_ever(http: httpx.Client) -> None:
    page = http.get("/home")
    assert page.headers["cache-control"] == "no-store"
    (style,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page.text)
    file = http.get(style)
    assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "cookie" not in file.headers.get("vary", "").lower()
    assert "set-cookie" not in file.headers


def test_a_failure_of_ours_tells_nothing_but_its_number(http: httpx.Client) -> None:
    answer = http.get("/gallery/broken")
    assert answer.status_code == 500
    assert "a secret of ours" not in answer.text
    assert "Traceback" not in answer.text


# -------------------------------------------------------------------- forged requests


def test_a_form_needs_the_token_of_its_own_session(site: Site, gallery: str, http: httpx.Client) -> None:
    own = token_in(http.get("/gallery/form").text)
    with httpx.Client(base_url=gallery, cookies={site.cookie: site.strangers["MART"]}, timeout=60) as other:
        foreign = token_in(other.get("/gallery/form").text)
    # Not at its end: four bits of the last character do not count, so one token in 256 stays as it was.
    changed = ("B" if own.startswith("A") else "A") + own[1:]
    for token in ("", "x", "A" * 86, foreign, changed, "💥"):
        assert http.post("/gallery/form", data={csrf.FIELD: token, "external_id": "F-1"}).status_code == FORBIDDEN
        assert (
            http.post("/gallery/form", data={"external_id": "F-1"}, headers={csrf.HEADER: token.encode()}).status_code
            == FORBIDDEN
        )
    assert http.post("/gallery/form", data={csrf.FIELD: own, "external_id": ""}).status_code == 422


def test_a_token_looks_different_each_time(http: httpx.Client) -> None:
    assert token_in(http.get("/gallery/form").text) != token_in(http.get("/gallery/form").text)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"},
    ],
)
def test_another_site_cannot_send_a_form_even_with_a_token(http: httpx.Client, headers: dict[str, str]) -> None:
    own = token_in(http.get("/gallery/form").text)
    answer = http.post("/gallery/form", data={csrf.FIELD: own, "external_id": "F-2"}, headers=headers)
    assert answer.status_code == FORBIDDEN
    assert http.get("/gallery/form", headers=headers).status_code == 200  # a link is no harm


@pytest.mark.parametrize(("page", "method", "path"), UNSAFE, ids=lambda value: str(getattr(value, "name", value)))
def test_every_form_of_every_page_needs_a_token(site: Site, page: object, method: str, path: str) -> None:
    address = page.path + re.sub(r"{[^}]*}", "x", path)  # type: ignore[attr-defined]
    seat = next((seat for seat in site.seats if seat in page.seats), None)  # type: ignore[attr-defined]
    assert seat is not None
    with site.http(site.seats[seat]) as http:
        assert http.request(method, address).status_code == FORBIDDEN


def test_what_belongs_to_no_page_needs_a_token_as_well(site: Site) -> None:
    with site.http(site.seats["merchant:admin"]) as http:
        for path in ("/sign-in", "/sign-out", "/preferences"):
            assert http.post(path).status_code == FORBIDDEN


# -------------------------------------------------------------------- sessions


def test_a_session_cannot_be_fixed_before_signing_in(site: Site) -> None:
    with site.http() as http:
        page = http.get("/sign-in")
        planted = http.cookies["tongdui_visit"]
        answer = http.post(
            "/sign-in",
            data={csrf.FIELD: token_in(page.text), **CREDENTIALS},
        )
        assert answer.status_code == 303
        assert http.cookies[site.cookie].startswith("tds_")
        assert http.cookies[site.cookie] != planted
        assert "tongdui_visit" not in http.cookies
        stale = token_in(page.text)
        assert http.post("/sign-out", data={csrf.FIELD: stale}).status_code == FORBIDDEN


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(site: Site) -> None:
    with site.http() as http:
        token = token_in(http.get("/sign-in").text)
        answer = http.post("/sign-in", data={csrf.FIELD: token, **CREDENTIALS})
    cookies = answer.headers.get_list("set-cookie")
    session = next(one for one in cookies if one.startswith(f"{site.cookie}=tds_"))
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in session.split(";")}


def test_over_https_the_cookie_is_for_this_host_only(site: Site) -> None:
    with served(site.network.url, url="https://console.example") as url, httpx.Client(base_url=url, timeout=60) as http:
        answer = http.get("/sign-in")
        secret = answer.headers["set-cookie"]
        assert secret.startswith("__Host-tongdui_visit=")
        assert "Secure" in secret
        assert "strict-transport-security" in answer.headers
        visit = secret.partition(";")[0]
        form = {csrf.FIELD: token_in(answer.text), **CREDENTIALS}
        signed_in = http.post("/sign-in", data=form, headers={"Cookie": visit, "Origin": "https://console.example"})
    assert any(
        one.startswith("__Host-tongdui_session=") and "Secure" in one and "Domain" not in one
        for one in signed_in.headers.get_list("set-cookie")
    )


@pytest.mark.parametrize("token", ["tdk_unknown", "x", "a b", "é"])
def test_a_token_that_is_none_leads_to_signing_in(site: Site, token: str) -> None:
    with site.http() as http:
        answer = http.get("/home", headers={"Cookie": f"{site.cookie}={token}".encode()})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=%2Fhome"


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "evil"],
)
def test_signing_in_leads_nowhere_else(site: Site, address: str) -> None:
    with site.http() as http:
        token = token_in(http.get("/sign-in").text)
        form = {csrf.FIELD: token, **CREDENTIALS, "next": address}
        assert http.post("/sign-in", data=form).headers["location"] == "/"


def test_a_message_cannot_be_planted(http: httpx.Client) -> None:
    http.cookies.set("tongdui_flash", "W3sidGV4dCI6ImhlbGxvIn1d")
    assert "hello" not in http.get("/home").text


# -------------------------------------------------------------------- too much


def test_a_body_that_is_too_long_is_refused_before_it_is_read(http: httpx.Client) -> None:
    assert http.post("/gallery/form", content=b"x" * 10_000_001).status_code == 413


def test_a_body_that_hides_its_length_is_cut_off(http: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(11):
            yield b"x" * 1_000_000

    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        refused = http.post("/gallery/form", content=chunks(), headers=sent).status_code >= 400
    except httpx.TransportError:
        refused = True
    assert refused


def test_no_page_declares_an_interface(site: Site) -> None:
    with site.http(site.seats["operator"]) as http:
        assert {http.get(path).status_code for path in ("/docs", "/redoc", "/openapi.json")} == {404}


def test_the_application_has_no_route_beside_those_that_are_checked() -> None:
    app = create_app(Settings())
    assert app.openapi_url is None
