"""The outermost layer: every request gets an id, a line in the log, a place in the metrics, and an answer."""

from __future__ import annotations

import logging
import re
import time
import uuid
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from metseg.server.draining import Draining
from metseg.server.logs import log
from metseg.server.metrics import Metrics
from metseg.server.problems import CLIENT_GONE, as_problem, problem_response

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


@dataclass(slots=True)
class _Exchange:
    """One request and its answer, as far as they are known."""

    id: str
    started: float = field(default_factory=time.perf_counter)
    status: int = 0
    received: int = 0
    sent: int = 0
    gone: bool = False


class AccessLogMiddleware:
    """ASGI middleware.

    Parameters
    ----------
    metrics : Metrics
        Where it is counted.
    draining : Draining
        While the server closes, connections are not kept.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, draining: Draining) -> None:
        self._app = app
        self._metrics = metrics
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(_id_of(scope))
        scope.setdefault("state", {})["request_id"] = exchange.id

        async def receive_counted() -> Message:
            message = await receive()
            exchange.gone |= message["type"] == "http.disconnect"
            exchange.received += len(message.get("body", b""))
            return message

        async def send_labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = exchange.id
                headers.setdefault("Cache-Control", "no-store")
                headers.setdefault("X-Content-Type-Options", "nosniff")
                if self._draining.begun:
                    headers["Connection"] = "close"
            exchange.sent += len(message.get("body", b""))
            await send(message)

        with self._metrics.in_flight.track_inprogress():
            try:
                await self._app(scope, receive_counted, send_labelled)
            except Exception as error:
                await self._fail(error, exchange, scope, receive_counted, send_labelled)
            finally:
                self._record(scope, exchange)

    async def _fail(self, error: Exception, exchange: _Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an error that nothing else answered."""
        problem = as_problem(error)
        if problem.status == 500:
            log("failed", logging.ERROR, error, id=exchange.id)
        if exchange.status:
            raise error
        await problem_response(problem, exchange.id)(scope, receive, send)

    def _record(self, scope: Scope, exchange: _Exchange) -> None:
        status = exchange.status if exchange.status and not exchange.gone else CLIENT_GONE
        route = getattr(scope.get("route"), "path", "none")
        seconds = time.perf_counter() - exchange.started
        self._metrics.requests.labels(route, _method(scope), status).inc()
        self._metrics.seconds.labels(route, _method(scope)).observe(seconds)
        log(
            "request",
            id=exchange.id,
            method=_method(scope),
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            received=exchange.received,
            sent=exchange.sent,
        )


def _id_of(scope: Scope) -> str:
    """The client's id if it is a UUID, which can name nobody; else a new one."""
    given = Headers(scope=scope).get("x-request-id", "")
    return given if _UUID.fullmatch(given) else str(uuid.uuid4())


def _method(scope: Scope) -> str:
    """The method, if it is one that HTTP knows: others would each be a metric of their own."""
    known = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH")
    return scope["method"] if scope["method"] in known else "OTHER"
