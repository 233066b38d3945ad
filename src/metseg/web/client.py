"""The server's API, as far as the page needs it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from metseg import DEFAULT_MODEL
from metseg.errors import MetsegError
from metseg.http_documents import JobDocument, ModelDocument, ModelList
from metseg.web.uploads import Upload

JSON = "application/json"
TIFF = "image/tiff"
NIFTI = "application/gzip"
ZIP = "application/zip"

_TIMEOUT = httpx.Timeout(60, connect=5, write=120)
_USUAL_WAIT = 5
_LONGEST_WAIT = 60

_AUTOMATIC = ModelDocument(
    name=DEFAULT_MODEL,
    usable=True,
    default=True,
    loaded=True,
    architecture="Chosen by the sequences of the image",
    target="",
    sequences=[],
    threshold=None,
    smallest=None,
    clahe=None,
    created="",
    notes="Where post-contrast is the only sequence, the network that outlines enhancing lesions; where FLAIR is "
    "there, the one that outlines FLAIR abnormality.",
    scores={},
)

Document = TypeVar("Document", bound=BaseModel)


class ServerDownError(MetsegError):
    """Nobody answers at the server's address, or something that is no metseg server."""


class RefusedError(MetsegError):
    """The server does not do what was asked.

    Parameters
    ----------
    detail : str
        RejectionReason, in the server's words.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        return type(self), (self.status, str(self))


class BusyError(RefusedError):
    """The server has too much to do, or is not ready yet; it may be asked again after ``wait`` seconds."""

    def __init__(self, detail: str, wait: int) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        self.wait = wait

    def __reduce__(self) -> tuple[type, tuple[str, int]]:  # type: ignore[override]
        return type(self), (str(self), self.wait)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and the token that it wants."""

    url: str
    token: str | None = None


class Client:
    """Speaks to one server; proxies of the environment are not used. A context manager.

    All methods raise :class:`ServerDownError`, :class:`RefusedError` or :class:`BusyError`.
    """

    def __init__(self, address: Address) -> None:
        headers = {} if address.token is None else {"Authorization": f"Bearer {address.token}"}
        self._name = address.url.partition("://")[2] or address.url
        self._http = httpx.Client(base_url=address.url, headers=headers, timeout=_TIMEOUT, trust_env=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check_ready(self) -> None:
        """Return if the server takes studies."""
        self._send("GET", "/readyz")

    def models(self) -> tuple[ModelDocument, ...]:
        """All models, usable or not; first ``auto``, if the server chooses one unless it is named."""
        found = self._document(self._send("GET", "/models"), ModelList)
        if not found.automatic:
            return tuple(found.models)
        return (_AUTOMATIC, *(card.model_copy(update={"default": False}) for card in found.models))

    def start(self, upload: Upload, model: str, clahe: str = "") -> JobDocument:
        """Send a study for ``model`` to outline, with the names of its channels if the user gave any.

        Slices are shown as ``clahe`` says; as the model's card says if that is empty.
        """
        named = {"model": model, "sequences": upload.sequences, "clahe": clahe}
        params = {key: value for key, value in named.items() if value}
        files = {"file": (upload.file_name, upload.content)}
        return self._document(self._send("POST", "/jobs", params=params, files=files), JobDocument)

    def job(self, job: JobDocument) -> JobDocument:
        """The job as it is now."""
        return self._document(self._send("GET", f"/jobs/{job.id}"), JobDocument)

    def result(self, job: JobDocument, media_type: str, view: str = "mask") -> bytes:
        """What came of a job that has finished, as ``media_type``."""
        answer = self._send("GET", f"/jobs/{job.id}/result", params={"view": view}, headers={"Accept": media_type})
        return answer.content

    def forget(self, job: JobDocument) -> None:
        """Give a job up, or have its result forgotten; a server that cannot be told forgets it after a while."""
        with suppress(MetsegError):
            self._send("DELETE", f"/jobs/{job.id}")

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        try:
            answer = self._http.request(method, path, params=params, files=files, headers=headers)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            reason = "takes too long to answer" if isinstance(error, httpx.TimeoutException) else "does not answer"
            raise ServerDownError(f"the server at {self._name} {reason}") from None
        if answer.is_success:
            return answer
        detail = _detail(answer)
        if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            raise BusyError(detail, _wait(answer))
        raise RefusedError(answer.status_code, detail)

    def _document(self, answer: httpx.Response, kind: type[Document]) -> Document:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError:
            raise ServerDownError(f"what answers at {self._name} is no metseg server") from None


def _detail(answer: httpx.Response) -> str:
    """The words of a problem document (RFC 9457)."""
    with suppress(ValueError, AttributeError):
        detail = answer.json().get("detail")
        if isinstance(detail, str) and detail:
            return detail
    return f"the server answered {answer.status_code} {answer.reason_phrase}"


def _wait(answer: httpx.Response) -> int:
    given = answer.headers.get("Retry-After", "")
    return min(max(int(given), 1), _LONGEST_WAIT) if given.isdecimal() else _USUAL_WAIT
