"""Who is answered: this computer, or whoever has the token."""

from __future__ import annotations

import sys

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from metseg.errors import DataError
from metseg.loopback import is_loopback
from metseg.server import Settings, create_app
from metseg.server.settings import settings_from_environment

router = APIRouter(tags=["secrets"])


@router.get("/secret")
async def secret() -> str:
    return "told"


def guarded(host: str = "127.0.0.1") -> TestClient:
    """A client, from far away, of a server with a token."""
    app = create_app(Settings(host=host, token="right"), [router])
    return TestClient(app, base_url="http://hospital.example:8000")


@pytest.mark.parametrize("command", [["serve"], None], ids=["metseg serve", "uvicorn"])
def test_an_open_address_without_a_token_is_refused_at_start(
    command: list[str] | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("METSEG_TOKEN", raising=False)
    for name in ("HOST", "PORT", "MODEL", "DEVICE"):
        monkeypatch.setenv(f"METSEG_{name}", "")
        monkeypatch.delenv(f"METSEG_{name}")
    if command is None:
        from uvicorn.main import main as uvicorn

        with pytest.raises(DataError, match="METSEG_TOKEN"):
            uvicorn.main(["metseg.server:app", "--host", "0.0.0.0", "--port", "1"], standalone_mode=False)
        return
    from metseg.cli import main

    monkeypatch.setattr(sys, "argv", ["metseg", *command, "--host", "0.0.0.0", "--port", "1"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 2
    assert "METSEG_TOKEN" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        ("Basic right", 401),
        ("right", 401),
        ("Bearer righ", 401),
        ("Bearer r\u00edght", 401),
        ("Bearer right", 200),
        ("bearer right", 200),
    ],
)
def test_only_the_token_opens(header: str | None, status: int) -> None:
    answer = guarded().get("/secret", headers={} if header is None else {"authorization": header.encode()})
    assert answer.status_code == status
    if status == 401:
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["request_id"] == answer.headers["x-request-id"]


def test_the_token_is_needed_on_every_route_but_those_for_probes() -> None:
    client = guarded("0.0.0.0")
    for path in client.get("/openapi.json").json()["paths"]:
        assert client.get(path).status_code == 401
    assert client.get("/metrics").status_code == 401
    assert client.get("/nothing").status_code == 401
    assert client.get("/livez").status_code == 404


def test_the_document_says_that_a_token_is_needed() -> None:
    document = guarded().get("/openapi.json").json()
    assert document["components"]["securitySchemes"]["HTTPBearer"] == {"type": "http", "scheme": "bearer"}
    assert document["paths"]["/secret"]["get"]["security"] == [{"HTTPBearer": []}]


def test_without_a_token_an_address_that_others_reach_answers_nobody() -> None:
    app = create_app(Settings(), [router])
    scope_of_others = TestClient(app, base_url="http://192.168.0.7:8000")
    assert scope_of_others.get("/secret").status_code == 403
    assert TestClient(app, base_url="http://localhost:8000").get("/secret").status_code == 200


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("[::1]", True), ("localhost", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.1", False), ("localhost.evil.example", False), ("", False),
    ],
)  # fmt: skip
def test_loopback(host: str, own: bool) -> None:
    assert is_loopback(host) is own


def test_a_setting_that_cannot_be_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METSEG_WAITING", "many")
    with pytest.raises(DataError, match="METSEG_WAITING"):
        settings_from_environment()


def test_an_empty_token_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METSEG_TOKEN", "  ")
    assert settings_from_environment().token is None
