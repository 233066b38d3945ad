"""The routes of a server, as methods."""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from metseg import DEFAULT_MODEL
from metseg.client.address import TOKEN, Address
from metseg.errors import MetsegError, ServerDownError
from metseg.http_documents import JobDocument, ModelDocument, ModelList

JSON = "application/json"
TIFF = "image/tiff"
NIFTI_GZ = "application/gzip"
NIFTI = "application/x-nifti"
ZIP = "application/zip"

_TIMEOUT = httpx.Timeout(60, connect=5, write=120)
_FORGETTING_SECONDS = 5
#: For an answer about a job: it is asked again, and whoever cancels waits no longer.
_ASKING_SECONDS = 10
#: What OpenSSL calls an answer that is no TLS.
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")
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


class UnreachableError(ServerDownError):
    """Nobody answers just now; it is worth to ask again."""


class RefusedError(MetsegError):
    """The server does not do what was asked.

    Parameters
    ----------
    detail : str
        Why, in the server's words.
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
class JobRequest:
    """A study, and what is to be done with it.

    Attributes
    ----------
    content : bytes
        Any file that the server reads; it goes by its first bytes.
    file_name : str
        What it is called in the request.
    sequences : str
        Which sequence each channel is, such as ``post-contrast,flair``; what the file says if empty.
    model, clahe : str
        The server's and the model's own if empty.
    """

    content: bytes
    file_name: str
    sequences: str = ""
    model: str = ""
    clahe: str = ""


class Client:
    """Speaks to one server; proxies of the environment are not used. A context manager.

    All methods raise :class:`ServerDownError`, :class:`RefusedError` or :class:`BusyError`.
    """

    def __init__(self, address: Address) -> None:
        headers = {} if address.token is None else {"Authorization": f"Bearer {address.token}"}
        #: What it is called in messages.
        self.name = address.url.partition("://")[2] or address.url
        own = os.environ.get("REQUESTS_CA_BUNDLE")
        self._http = httpx.Client(
            base_url=address.url,
            headers=headers,
            timeout=_TIMEOUT,
            trust_env=False,
            verify=ssl.create_default_context(cafile=own) if own else True,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def check_ready(self) -> None:
        """Return if the server takes studies."""
        self._send("GET", "/readyz")

    def models(self) -> tuple[ModelDocument, ...]:
        """All models, usable or not; first ``auto``, if the server chooses one unless it is named."""
        found = self.model_list()
        if not found.automatic:
            return tuple(found.models)
        return (_AUTOMATIC, *(card.model_copy(update={"default": False}) for card in found.models))

    def model_list(self) -> ModelList:
        """All models, usable or not."""
        try:
            return self._document(self._send("GET", "/models"), ModelList)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise self._foreign() from None
            raise

    def start(self, request: JobRequest, name: str, body: BinaryIO | None = None) -> JobDocument:
        """Send a study for a model to outline, as the job ``name``.

        Parameters
        ----------
        name : str
            16 to 64 letters, digits, ``_`` or ``-`` that nobody can guess; a job of that name is not started again.
        body : file, optional
            The request's content, read in place of that.
        """
        named = {"id": name, "model": request.model, "sequences": request.sequences, "clahe": request.clahe}
        params = {key: value for key, value in named.items() if value}
        files = {"file": (request.file_name, request.content if body is None else body)}
        return self._document(self._send("POST", "/jobs", params=params, files=files), JobDocument)

    def job(self, name: str) -> JobDocument:
        """The job as it is now."""
        return self._document(self._send("GET", f"/jobs/{quote(name)}", timeout=_ASKING_SECONDS), JobDocument)

    def result(self, name: str, media_type: str, view: str = "mask") -> bytes:
        """What came of a job that has finished, as ``media_type``."""
        path, headers = f"/jobs/{quote(name)}/result", {"Accept": media_type}
        return self._send("GET", path, params={"view": view}, headers=headers).content

    def forget(self, name: str) -> None:
        """Give a job up, or have its result forgotten; a server that cannot be told forgets it after a while."""
        with suppress(MetsegError):
            self._send("DELETE", f"/jobs/{quote(name)}", timeout=_FORGETTING_SECONDS)

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        files: dict[str, tuple[str, bytes | BinaryIO]] | None = None,
        headers: dict[str, str] | None = None,
        timeout: float | None = None,
    ) -> httpx.Response:
        patience = _TIMEOUT if timeout is None else httpx.Timeout(timeout)
        try:
            answer = self._http.request(method, path, params=params, files=files, headers=headers, timeout=patience)
        except httpx.InvalidURL:
            raise ServerDownError(f"the server at {self.name} does not answer") from None
        except httpx.TransportError as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                advice = "if its authority is your hospital's, name that in REQUESTS_CA_BUNDLE"
                raise ServerDownError(f"the server at {self.name} has a certificate not to trust; {advice}") from None
            if any(sign in str(error) for sign in _NO_TLS):
                raise ServerDownError(f"what answers at {self.name} does not speak https; check the port") from None
            reason = "takes too long to answer" if isinstance(error, httpx.TimeoutException) else "does not answer"
            raise UnreachableError(f"the server at {self.name} {reason}") from None
        if answer.is_success:
            return answer
        detail = _detail(answer)
        match answer.status_code:
            case HTTPStatus.SERVICE_UNAVAILABLE:
                raise BusyError(detail, _wait(answer))
            case HTTPStatus.BAD_GATEWAY | HTTPStatus.GATEWAY_TIMEOUT:
                raise UnreachableError(f"the server at {self.name} does not answer ({answer.status_code})")
            case HTTPStatus.UNAUTHORIZED:
                which = "another" if "Authorization" in self._http.headers else "a"
                raise RefusedError(401, f"the server at {self.name} wants {which} token; set {TOKEN} to the server's")
        raise RefusedError(answer.status_code, detail)

    def _document(self, answer: httpx.Response, kind: type[Document]) -> Document:
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError:
            raise self._foreign() from None

    def _foreign(self) -> ServerDownError:
        return ServerDownError(f"what answers at {self.name} is no metseg server")


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
