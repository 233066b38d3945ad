"""Forms that clients send, and the one they get back."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

from fastapi import Depends, Form, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from metseg.server.problems import ProblemError, declared

#: Multipart bodies: image and label, a few fields, parameters as JSON.
FORM_LIMITS: Any = {"max_files": 2, "max_fields": 8, "max_part_size": 1 << 18}

_MAX_NAME = 64


def only_multipart(request: Request) -> None:
    """Refuse bodies that have no fields."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "multipart/form-data":
        raise ProblemError(415, "send this as multipart/form-data")


MULTIPART = [Depends(only_multipart)]

ImageId = Annotated[str, Query(description="An image of the project, as /datastore/ lists it.", max_length=500)]


class Asked(BaseModel):
    """What a client sends as JSON; what is not named here is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: Annotated[str, Field(max_length=_MAX_NAME)] | None = Field(None, description="Who asks: a pseudonym.")

    @property
    def who(self) -> str:
        """The pseudonym, see :func:`annotator`."""
        return annotator({"client_id": self.client_id})


def parameters(params: Annotated[str, Form(description="A JSON object.")] = "{}") -> dict[str, Any]:
    """The field ``params``.

    Raises
    ------
    ProblemError
        422 if it is no JSON object.
    """
    try:
        told = json.loads(params or "{}")
    except (ValueError, RecursionError):
        raise ProblemError(422, "field params: not JSON") from None
    if told is not None and not isinstance(told, dict):
        raise ProblemError(422, "field params: a JSON object is expected")
    return told or {}


Parameters = Annotated[dict[str, Any], Depends(parameters)]


def annotator(told: dict[str, Any]) -> str:
    """The pseudonym that a client sends as ``client_id``; empty if it sends none.

    Raises
    ------
    ProblemError
        422 if it cannot be one.
    """
    name = told.get("client_id") or ""
    if not isinstance(name, str) or len(name) > _MAX_NAME or not name.isprintable():
        raise ProblemError(422, f"client_id: a pseudonym of at most {_MAX_NAME} printable characters")
    return name


def multipart(parameters: dict[str, Any], file_name: str, content: bytes) -> tuple[bytes, str]:
    """A form with ``params`` and ``image``, as MONAI Label answers, and its media type."""
    boundary = secrets.token_hex(24)
    parts = (
        ('form-data; name="params"', "application/json", json.dumps(parameters).encode()),
        (f'form-data; name="image"; filename="{file_name}"', "application/gzip", content),
    )
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {kind}\r\n\r\n".encode() + data + b"\r\n"
        for disposition, kind, data in parts
    )
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def refused(*statuses: int, **meanings: str) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these statuses; ``meanings`` as ``status_409="..."``."""
    answers = declared(*statuses)
    for name, text in meanings.items():
        answers[int(name.removeprefix("status_"))]["description"] = text
    return answers
