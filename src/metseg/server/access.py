"""The second layer: who may ask, how much may be sent, and how slowly."""

from __future__ import annotations

import secrets
import time
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metseg.loopback import is_loopback
from metseg.server.engine import QueueFullError
from metseg.server.problems import ProblemError, as_problem, problem_response
from metseg.server.routes.uploads import UPLOAD_PATHS
from metseg.server.services import Services
from metseg.server.settings import Settings

#: Whoever watches the server, and whoever wants to know how to talk to it, needs no token.
OPEN_PATHS = frozenset({"/livez", "/readyz", "/openapi.json", "/auth/", "/auth/token"})

#: Bytes of bodies that are being received at once, in multiples of the largest one.
_BODIES = 8
#: How long a refused client may go on sending, and how long it may pause.
_LINGER_SECONDS = 10.0
_PAUSE_SECONDS = 2.0


class AccessMiddleware:
    """ASGI middleware; refuses before the body is read.

    Parameters
    ----------
    settings : Settings
        Token and limits.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            self._check_who(scope)
            self._check_length(scope)
            _check_room(scope)
        except (ProblemError, QueueFullError) as error:
            await _refuse(as_problem(error), scope, receive, send)
            return
        deadline = time.monotonic() + self._settings.body_seconds
        received, complete = 0, False

        async def receive_bounded() -> Message:
            """The next message, in time unless the body is complete."""
            nonlocal received, complete
            seconds = min(self._settings.idle_seconds, deadline - time.monotonic())
            try:
                with anyio.fail_after(None if complete else max(0.0, seconds)):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "the body took too long to arrive", {"Connection": "close"}) from None
            complete = not message.get("more_body", False)
            size = len(message.get("body", b""))
            received += size
            self._held += size
            if self._held > _BODIES * self._settings.upload_bytes:
                raise HTTPException(503, "too much is being uploaded at this moment", {"Retry-After": "5"})
            return message

        async def send_bounded(message: Message) -> None:
            with anyio.fail_after(self._settings.answer_seconds):
                await send(message)

        try:
            await self._app(scope, receive_bounded, send_bounded)
        finally:
            self._held -= received

    def _check_who(self, scope: Scope) -> None:
        """Refuse whoever has no token; without one, whoever is not this computer, or acts for a foreign page."""
        if scope["path"] in OPEN_PATHS:
            return
        headers = Headers(scope=scope)
        if self._settings.token is not None:
            kind, _, given = headers.get("authorization", "").partition(" ")
            wanted = self._settings.token.get_secret_value()
            right = secrets.compare_digest(given.strip().encode(), wanted.encode())
            if kind.lower() != "bearer" or not right:
                detail = "send the server's token as Authorization: Bearer TOKEN"
                raise ProblemError(401, detail, {"WWW-Authenticate": "Bearer"})
            return
        listening = scope.get("server")
        if listening is not None and not is_loopback(listening[0]):
            raise ProblemError(403, "this server has no token (METSEG_TOKEN) and answers its own computer only")
        for place in (f"//{headers.get('host', 'localhost')}", headers.get("origin", "//localhost")):
            if not _is_here(place):
                raise ProblemError(403, "without a token only requests for localhost, from localhost, are answered")

    def _check_length(self, scope: Scope) -> None:
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdecimal():
            raise ProblemError(400, "the Content-Length is not a number")
        if int(declared) > self._settings.upload_bytes:
            raise ProblemError(
                413, f"the request has {declared} bytes; at most {self._settings.upload_mib} MiB are taken"
            )


def _check_room(scope: Scope) -> None:
    """Refuse an upload that would find no place in the queue, before it is taken apart."""
    services: Services | None = getattr(scope["app"].state, "services", None)
    if services is not None and scope["method"] == "POST" and scope["path"] in UPLOAD_PATHS:
        services.engine.check_room()


def _is_here(place: str) -> bool:
    try:
        return is_loopback(urlsplit(place).hostname or "")
    except ValueError:
        return False


async def _refuse(problem: ProblemError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once and close, but let the client end its sentence, or it may never read the answer."""
    problem.headers["Connection"] = "close"
    response = problem_response(problem, scope["state"]["request_id"])

    async def hold_open(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "more_body": True}
        await send(message)

    await response(scope, receive, hold_open)
    with anyio.move_on_after(_LINGER_SECONDS):
        more = True
        while more:
            more = False
            with anyio.move_on_after(_PAUSE_SECONDS):
                more = (await receive()).get("more_body", False)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
