"""get and post: raw calls with the profile's key."""

from __future__ import annotations

from pathlib import Path

from tests.sdk.cli.conftest import Terminal


def test_a_path_is_below_the_api(own: Terminal) -> None:
    for path in ("/v1/network", "v1/network", "/network", "network"):
        assert own.good("get", path, "--json").json["chain_id"] == 31_337
    assert own("get", "/readyz").code in {0, 2}
    assert '\n  "currency": "CNY"' in own.good("get", "network").out


def test_parameters_and_fields(own: Terminal, tmp_path: Path) -> None:
    made = own.good("post", "members", "external_id=1001", "--json").json
    assert own.good("get", "members", "external_id=1001", "limit=1", "--json").json["data"][0]["id"] == made["id"]
    assert own.good("post", "/v1/nonces", "count:=2", "--json").json["count"] == 2
    assert own.good("post", "nonces", "-d", '{"count": 3}', "--json").json["count"] == 3
    body = tmp_path / "body.json"
    body.write_text('{"count": 4}')
    assert own.good("post", "nonces", "-d", f"@{body}", "--json").json["count"] == 4


def test_the_same_key_gets_the_same_answer(own: Terminal) -> None:
    post = ["post", "nonces", "count:=2", "--idempotency-key", "raw-1", "--json"]
    assert own.good(*post).json == own.good(*post).json
    assert own.good(*post[:3], "--json").json != own.good(*post).json


def test_wrong_use_is_named(own: Terminal) -> None:
    assert "write only the path" in own("get", "http://elsewhere/v1/network").err
    assert "write name=text" in own("post", "members", "external_id").err
    assert "is not JSON" in own("post", "nonces", "count:=many").err
    assert "the body is not JSON" in own("post", "nonces", "-d", "{").err
    assert "not both" in own("get", "members?limit=1", "external_id=1").err
    assert own.good("get", "members?limit=1", "--json").json["data"] == []
    assert "not both" in own("post", "nonces", "count:=1", "-d", "{}").err
    unknown = own("get", "nothing", "--json")
    assert (unknown.code, unknown.problem["status"]) == (2, 404)
    wrong = own("post", "nonces", "count:=0", "--json")
    assert (wrong.code, wrong.problem["errors"][0]["pointer"]) == (2, "/count")


def test_two_slashes_do_not_name_another_server(own: Terminal) -> None:
    """To an HTTP client `//host/path` is an URL of that host, which would get the key."""
    assert own("get", "//127.0.0.1:1/v1/network", "--json").problem["status"] == 404


def test_parameters_of_json_are_written_as_json(own: Terminal) -> None:
    assert 'this is "true"' in own("get", "members", "limit:=true").err
    assert own.good("get", "members", "limit:=1", "--json").json["data"] == []


def test_what_is_no_json_and_no_text_is_named(own: Terminal, tmp_path: Path) -> None:
    assert "x is not JSON: there is no NaN in JSON" in own("post", "members", "x:=NaN").err
    (tmp_path / "body").write_bytes(b"\xff\xfe")
    assert "body is not text in UTF-8 (byte 1)" in own("post", "members", "-d", f"@{tmp_path / 'body'}").err
    assert "body: must be a JSON object" in own("post", "members", "-d", "[1]").err
    broken = own("get", "members/a\nb", "--json")
    assert (broken.code, broken.problem["code"]) == (2, "wrong_use")
