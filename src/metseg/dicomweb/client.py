"""A DICOMweb service: search, retrieve, store."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metseg.dicomweb.credentials import AUTHORIZATION, CERTIFICATE, KEY, Credentials, known_credentials
from metseg.dicomweb.records import SERIES_FIELDS, STUDY_FIELDS, PacsSeries, PacsStudy, StudyQuery
from metseg.errors import DataError, MetsegError, MissingExtraError
from metseg.events import Event, Finished, Progress
from metseg.loopback import host_of, is_readable_on_the_way

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient
    from requests import PreparedRequest, Response
    from requests.adapters import BaseAdapter

#: Studies that one search shows at most.
MOST_STUDIES = 200

_TIMEOUT_S = (10.0, 120.0)
_REFUSED_CERTIFICATE = (
    f"did not accept our certificate ({CERTIFICATE}, {KEY}), or wants one; give the one that it knows"
)


class Pacs:
    """A DICOMweb service.

    Parameters
    ----------
    url : str
        Such as ``https://pacs.example.org/dicom-web``.
    credentials : Credentials, optional
        Those of :func:`known_credentials` unless given, which are never from a file of ours.

    Raises
    ------
    MissingExtraError
        If dicomweb-client is not installed.
    DataError
        If it is no such URL, a file of the certificate cannot be used, or the token would be sent readable over a
        network; from every method, if the service cannot be reached, refuses, or does not have it.
    """

    def __init__(self, url: str, credentials: Credentials | None = None) -> None:
        try:
            import requests
            from dicomweb_client.api import DICOMwebClient
        except ImportError as error:
            raise MissingExtraError("dicomweb-client", "pacs") from error
        url = url.strip().rstrip("/")
        if not host_of(url):
            raise DataError(f"{url}: is no URL of a DICOMweb service such as https://pacs.example.org/dicom-web")
        given = known_credentials(url) if credentials is None else credentials
        if given.authorization and is_readable_on_the_way(url):
            raise DataError(f"{url}: over http anybody could read {AUTHORIZATION} or password; use https")
        logging.getLogger("retrying").addHandler(logging.NullHandler())  # it prints tracebacks of what is reported here
        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, _unescaped_wildcards())
        session.trust_env = False  # neither proxies nor passwords of other programs
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        if given.certificate:
            _check_certificate(given)
            session.cert = (given.certificate, given.key) if given.key else given.certificate
        headers = {"Authorization": given.authorization} if given.authorization else None
        self.url = url
        self._client: DICOMwebClient = DICOMwebClient(url, session=session, headers=headers, timeout=_TIMEOUT_S)
        self._client.set_http_retry_params(retry=False)

    def find_studies(self, query: StudyQuery) -> tuple[PacsStudy, ...]:
        """Search for MR studies, the newest first; :data:`MOST_STUDIES` and one more at most."""
        with self._reported():
            found = self._client.search_for_studies(
                limit=MOST_STUDIES + 1, fields=STUDY_FIELDS, search_filters=query.filters
            )
        studies = [study for study in map(PacsStudy.of, found) if query.allows(study)]
        return tuple(sorted(studies, key=lambda study: study.date, reverse=True)[: MOST_STUDIES + 1])

    def study(self, uid: str) -> PacsStudy:
        """What is known of a study."""
        with self._reported():
            found = self._client.search_for_studies(
                limit=1, fields=STUDY_FIELDS, search_filters={"StudyInstanceUID": uid}
            )
        if not found:
            raise DataError(f"{self.url}: has no study {uid}")
        return PacsStudy.of(found[0])

    def series_of(self, study: str) -> tuple[PacsSeries, ...]:
        """The series of the study with this StudyInstanceUID, in the order of their numbers; without any image."""
        with self._reported():
            found = [PacsSeries.of(one) for one in self._client.search_for_series(study, fields=SERIES_FIELDS)]
        if not found:
            raise DataError(f"{self.url}: has no MR series of study {study}")
        return tuple(sorted(found, key=lambda one: (one.number is None, one.number or 0)))

    def fetching(self, study: str, folder: Path, series: Collection[str] | None = None) -> Iterator[Event[int]]:
        """Fetch series of a study into a new folder, each image a file under a number; counts images.

        The folder is whole or gone: it is removed if the work fails or is stopped.

        Parameters
        ----------
        study : str
            StudyInstanceUID.
        folder : Path
            Must be new.
        series : collection of str, optional
            SeriesInstanceUIDs; unless given, those of MR.

        Raises
        ------
        DataError
            Also if it breaks off, or sends fewer images than it announced, or the folder cannot be written.
        """
        listed = self.series_of(study)
        wanted = [one for one in listed if (one.modality == "MR" if series is None else one.uid in series)]
        if not wanted or (series is not None and len(wanted) < len(set(series))):
            raise DataError(f"{self.url}: has no {'MR series' if series is None else 'such series'} of study {study}")
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise DataError(f"{folder}: cannot be made: {error.strerror or error}") from error
        try:
            count = yield from self._fetching(study, wanted, folder)
        except BaseException:  # a stop, too
            shutil.rmtree(folder, ignore_errors=True)
            raise
        yield Finished(count)

    def _fetching(self, study: str, wanted: list[PacsSeries], folder: Path) -> Generator[Progress, None, int]:
        announced, count = sum(one.images for one in wanted), 0
        yield Progress(0, announced, "fetching")
        for one in wanted:
            with self._reported(_after(count, announced)):
                images = iter(self._client.iter_series(study, one.uid))
            while True:
                with self._reported(_after(count, announced)):
                    image = next(images, None)
                if image is None:
                    break
                path = folder / f"{count:06d}.dcm"
                try:
                    image.save_as(path, enforce_file_format=True)
                except OSError as error:
                    raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error
                count += 1
                yield Progress(count, max(announced, count), "fetching")
        if count < announced:
            raise DataError(f"{self.url}: broke off{_after(count, announced)}")
        return count

    def store(self, files: Iterable[Path]) -> None:
        """Store DICOM files."""
        import pydicom

        for path in files:
            data = pydicom.dcmread(path)
            with self._reported(f"; {path.name} was not stored"):
                answer = self._client.store_instances([data])
            if answer.get("FailedSOPSequence"):
                raise DataError(f"{self.url}: did not take {path.name}")

    @contextmanager
    def _reported(self, when: str = "") -> Iterator[None]:
        """Turn what the library raises into what a user can act on; ``when`` ends the message on a broken line."""
        import requests
        from requests.exceptions import ConnectionError as Unreachable

        try:
            yield
        except MetsegError:
            raise
        except requests.exceptions.SSLError as error:
            raise DataError(f"{self.url}: {_about_certificates(str(error))}{when}") from error
        except requests.exceptions.HTTPError as error:
            code = getattr(error.response, "status_code", None)
            raise DataError(f"{self.url}: {_about_status(code)}") from error
        except requests.exceptions.InvalidJSONError as error:
            raise DataError(f"{self.url}: answers, but not as DICOMweb does; is that its whole address?") from error
        except (Unreachable, requests.exceptions.Timeout) as error:
            if self.url.startswith("https") and any(part in str(error) for part in ("required", "without response")):
                raise DataError(f"{self.url}: {_REFUSED_CERTIFICATE}{when}") from error  # comes after the handshake
            raise DataError(f"{self.url}: cannot be reached ({type(error).__name__}){when}") from error
        except requests.exceptions.RequestException as error:
            raise DataError(f"{self.url}: broke off ({type(error).__name__}){when}") from error
        except Exception as error:  # what the decoders of multipart and DICOM raise on what is neither
            raise DataError(f"{self.url}: sent something that cannot be read ({error}){when}") from error


def _unescaped_wildcards() -> BaseAdapter:
    """Sends ``*`` as it is: Orthanc takes the ``%2A`` of dicomweb-client for these three characters."""
    from requests.adapters import HTTPAdapter

    class Adapter(HTTPAdapter):
        def send(self, request: PreparedRequest, *arguments: Any, **keywords: Any) -> Response:
            request.url = (request.url or "").replace("%2A", "*")
            return super().send(request, *arguments, **keywords)

    return Adapter()


def _after(count: int, announced: int) -> str:
    return f" after {count} of {announced} images; nothing of them is kept, try again"


def _check_certificate(given: Credentials) -> None:
    """Refuse files that OpenSSL would stop at, or prompt for a password of in a terminal that nobody sees."""
    for path in filter(None, (given.certificate, given.key)):
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise DataError(f"{path}: the certificate cannot be read: {error.strerror or error}") from error
        if b"ENCRYPTED" in content:
            raise DataError(f"{path}: the key has a password; write it without one, readable to you alone")
        if b"-----BEGIN" not in content:
            raise DataError(f"{path}: is no PEM file of a certificate or key")


def _about_certificates(message: str) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return "its certificate is not trusted; if its authority is your hospital's, name that in REQUESTS_CA_BUNDLE"
    if "alert" in message:
        return _REFUSED_CERTIFICATE
    return f"the certificate was not accepted, ours or theirs ({CERTIFICATE})"


def _about_status(code: Any) -> str:
    if code in (401, 403):
        return f"refused us ({code}); {AUTHORIZATION}, or the sign-in, must be what it asks for"
    if code == 404:
        return "answered 404; is that its whole address, such as https://pacs.example.org/dicom-web?"
    return f"answered {code}"
