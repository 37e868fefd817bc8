"""What stands at `/`, for people and for programs."""

from __future__ import annotations

from tests.gateway.site import Site


def test_a_person_finds_the_console_and_the_reference(site: Site) -> None:
    page = site.http.get("/", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert f'<a href="{site.settings.console_url}">' in page.text
    for path in ("/docs", "/openapi.json", "/problems", "/readyz"):
        assert f'<a href="{path}">' in page.text
        assert site.http.get(path).status_code in (200, 503)


def test_a_program_finds_the_same_as_json(site: Site) -> None:
    told = site.http.get("/").json()
    assert told["name"] == "Tongdui gateway"
    assert told["console"] == site.settings.console_url
    assert told["openapi"] == "/openapi.json"
