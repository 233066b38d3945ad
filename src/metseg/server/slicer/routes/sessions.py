"""Images that are outlined without being added to the project."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from metseg.server.routes.uploads import Upload, decoded_upload
from metseg.server.services import SharedServices
from metseg.server.slicer.context import SharedContext
from metseg.server.slicer.forms import FORM_LIMITS, MULTIPART, refused
from metseg.server.slicer.sessions import EXPIRY, ImageSession

router = APIRouter(prefix="/session", tags=["slicer"], form_limits=FORM_LIMITS)

SessionId = Annotated[str, Path(alias="id", max_length=64, description="From the answer to PUT /session/.")]


class SessionInfo(BaseModel):
    """A session, in MONAI Label's words; where it is on the server is not told."""

    name: str
    path: str = ""
    image: str = ""
    meta: dict[str, Any] = {}
    create_ts: int = Field(description="Seconds since 1970.")
    last_access_ts: int
    expiry: int = Field(description="Seconds after the last use.")


class NewSession(BaseModel):
    """An image was taken."""

    session_id: str
    session_info: SessionInfo


@router.put("/", dependencies=MULTIPART, responses=refused(400, 401, 403, 408, 413, 415, 422, 500, 503))
async def create_session(
    services: SharedServices,
    context: SharedContext,
    files: Upload,
) -> NewSession:
    """Send an image to have it outlined with `session_id`; nothing of it goes into the project."""
    await decoded_upload(services, files)
    session = await to_thread.run_sync(context.sessions.add, files.file)
    return NewSession(session_id=session.id, session_info=_info(session))


@router.get("/{id}", responses=refused(401, 403, 404, 422, 500))
def get_session(context: SharedContext, name: SessionId) -> SessionInfo:
    """Whether a session is still there."""
    return _info(context.sessions.get(name))


@router.delete("/{id}", responses=refused(401, 403, 404, 422, 500))
def remove_session(context: SharedContext, name: SessionId) -> SessionInfo:
    """Forget a session and its image."""
    return _info(context.sessions.remove(name))


def _info(session: ImageSession) -> SessionInfo:
    return SessionInfo(name=session.id, create_ts=int(session.created), last_access_ts=int(session.used), expiry=EXPIRY)
