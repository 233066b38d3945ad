"""How clients that ask for a user and a password come to the server's token: the password is the token.

Slicer's extension asks for them if `/auth/` says so; the user's name is not looked at.
"""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form
from pydantic import BaseModel, Field

from metseg.server.problems import ProblemError
from metseg.server.services import SharedServices
from metseg.server.slicer.forms import refused

#: For whoever has no token yet.
open_router = APIRouter(tags=["auth"])
router = APIRouter(tags=["slicer"])


class Authentication(BaseModel):
    """Whether a token is needed."""

    enabled: bool
    client_id: str = ""
    realm: str = ""


class Token(BaseModel):
    """What to send as `Authorization: <token_type> <access_token>`."""

    access_token: str | None = Field(description="null if the server needs none.")
    token_type: str | None


class Valid(BaseModel):
    """The token was right, or none is needed."""

    username: str = "client"


@open_router.get("/auth/", responses=refused(500))
def authentication(services: SharedServices) -> Authentication:
    """Whether this server needs a token."""
    return Authentication(enabled=services.settings.token is not None)


@open_router.post("/auth/token", responses=refused(400, 401, 408, 413, 422, 500))
def token(
    services: SharedServices,
    password: Annotated[str, Form(min_length=1, max_length=1000, description="The server's token (METSEG_TOKEN).")],
    username: Annotated[str, Form(max_length=200, description="Not looked at.")] = "",
) -> Token:
    """Exchange a password for the token; they are the same."""
    wanted = services.settings.token
    if wanted is None:
        return Token(access_token=None, token_type=None)
    if not secrets.compare_digest(password.encode(), wanted.get_secret_value().encode()):
        detail = "the password is the server's token (METSEG_TOKEN), and this is another"
        raise ProblemError(401, detail, {"WWW-Authenticate": "Bearer"})
    return Token(access_token=password, token_type="bearer")  # noqa: S106  (the kind of token)


@router.get("/auth/token/valid", responses=refused(401, 403, 500))
def valid() -> Valid:
    """Whether the token that was sent is right: a wrong one is refused with 401."""
    return Valid()
