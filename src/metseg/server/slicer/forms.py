"""Forms that clients send, and the one they get back."""

from __future__ import annotations

import json
import secrets
from typing import Annotated, Any

from fastapi import Depends, Form, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from metseg.server.problems import ProblemError, declared

#: Multipart bodies: one file, parameters as JSON.
FORM_LIMITS: Any = {"max_files": 1, "max_fields": 64, "max_part_size": 1 << 18}
#: What such a body's field ``params`` is, beside the model of its content.
PARAMS: Any = Form(description="A JSON object; what is not named here is not looked at.")

_MAX_PSEUDONYM = 64
_MAX_NAME = 80
_CONTROL = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
#: Stands in a pseudonym for what cannot be shown.
_UNKNOWN = "\ufffd"


def _only_multipart(request: Request) -> None:
    """Refuse bodies that have no fields."""
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "multipart/form-data":
        raise ProblemError(415, "send this as multipart/form-data")


MULTIPART = [Depends(_only_multipart)]

ImageId = Annotated[str, Query(description="An image of the project, as /datastore/ lists it.", max_length=500)]
NewImageId = Annotated[
    str,
    Query(
        description="What the image is to be called: not only spaces, and no control characters.",
        min_length=1,
        max_length=_MAX_NAME,
        pattern=rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$",
    ),
]


class ClientParameters(BaseModel):
    """What a client sends as JSON; what is not named here is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    client_id: Annotated[str, Field(max_length=_MAX_PSEUDONYM)] | None = Field(
        None, description="Who asks: a pseudonym. What of it cannot be shown is replaced by U+FFFD."
    )

    @property
    def who(self) -> str:
        """The pseudonym as the journal keeps it; empty if none was sent."""
        return "".join(character if character.isprintable() else _UNKNOWN for character in self.client_id or "")


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
