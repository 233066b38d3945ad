"""Studies from a PACS and results back to it, over DICOMweb (DICOM PS3.18) by dicomweb-client."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from metseg.errors import DataError, MissingExtraError
from metseg.events import Event, Finished, Progress
from metseg.loopback import is_loopback

if TYPE_CHECKING:
    from dicomweb_client.api import DICOMwebClient

#: What the environment may hold: the ``Authorization`` header, and files of a client's certificate and its key.
AUTHORIZATION, CERTIFICATE, KEY = "METSEG_DICOMWEB_AUTHORIZATION", "METSEG_DICOMWEB_CERT", "METSEG_DICOMWEB_KEY"

_TIMEOUT_S = (10.0, 120.0)
_MODALITY, _SERIES, _COUNT = "00080060", "0020000E", "00201209"


class Pacs:
    """A DICOMweb service.

    Parameters
    ----------
    url : str
        Such as ``https://pacs.example.org/dicom-web``. What lets us in is taken from the environment
        (:data:`AUTHORIZATION`, :data:`CERTIFICATE`, :data:`KEY`), never from a file of ours.

    Raises
    ------
    MissingExtraError
        If dicomweb-client is not installed.
    DataError
        If it is no such URL, or the token would be sent readable over a network.
    """

    def __init__(self, url: str) -> None:
        try:
            import requests
            from dicomweb_client.api import DICOMwebClient
        except ImportError as error:
            raise MissingExtraError("dicomweb-client", "pacs") from error
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
            raise DataError(f"{url}: is no URL of a DICOMweb service such as https://pacs.example.org/dicom-web")
        token = os.environ.get(AUTHORIZATION)
        if token and parts.scheme == "http" and not is_loopback(parts.hostname):
            raise DataError(f"{url}: over http anybody could read {AUTHORIZATION}; use https")
        session = requests.Session()
        session.trust_env = False  # neither proxies nor passwords of other programs
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        certificate, key = os.environ.get(CERTIFICATE), os.environ.get(KEY)
        if certificate:
            session.cert = (certificate, key) if key else certificate
        headers = {"Authorization": token} if token else None
        self.url = url
        self._client: DICOMwebClient = DICOMwebClient(url, session=session, headers=headers, timeout=_TIMEOUT_S)
        self._client.set_http_retry_params(retry=False)

    def fetching(self, study: str, folder: Path) -> Iterator[Event[int]]:
        """Fetch the MR series of a study into a folder, each image a file under a name that says nothing.

        Parameters
        ----------
        study : str
            StudyInstanceUID.
        folder : Path
            Is made if need be.

        Yields
        ------
        Progress, Finished
            ``Progress`` counts images; the last event carries their number.

        Raises
        ------
        DataError
            If the service cannot be reached, refuses, has no such study, or sent fewer images than it announced.
        """
        with self._reported():
            series = [one for one in self._client.search_for_series(study) if _text(one, _MODALITY) == "MR"]
        if not series:
            raise DataError(f"{self.url}: has no MR series of study {study}")
        announced = sum(int(_text(one, _COUNT) or 0) for one in series)
        folder.mkdir(parents=True, exist_ok=True)
        count = 0
        yield Progress(0, announced, "fetching")
        for one in series:
            images = iter(self._client.iter_series(study, _text(one, _SERIES)))
            while True:
                with self._reported():
                    image = next(images, None)
                    if image is None:
                        break
                    image.save_as(folder / f"{count:06d}.dcm", enforce_file_format=True)
                count += 1
                yield Progress(count, max(announced, count), "fetching")
        if count < announced:
            raise DataError(f"{self.url}: sent {count} of {announced} images; try again")
        yield Finished(count)

    def store(self, files: Iterable[Path]) -> None:
        """Store DICOM files.

        Raises
        ------
        DataError
            If the service cannot be reached, or does not take them all.
        """
        import pydicom

        with self._reported():
            for path in files:
                answer = self._client.store_instances([pydicom.dcmread(path)])
                if answer.get("FailedSOPSequence"):
                    raise DataError(f"{self.url}: did not take {path.name}; it is kept in {path.parent}")

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn what the library raises into what a user can act on."""
        import requests

        try:
            yield
        except requests.exceptions.SSLError as error:
            raise DataError(f"{self.url}: the certificate was not accepted, ours or theirs ({CERTIFICATE})") from error
        except requests.exceptions.HTTPError as error:
            code = getattr(error.response, "status_code", None)
            if code in (401, 403):
                raise DataError(
                    f"{self.url}: refused us ({code}); {AUTHORIZATION} must hold what it asks for"
                ) from error
            raise DataError(f"{self.url}: answered {code}") from error
        except requests.exceptions.RequestException as error:
            raise DataError(f"{self.url}: cannot be reached, or broke off ({type(error).__name__})") from error


def _text(record: dict[str, Any], tag: str) -> str:
    """The first value of an attribute in DICOM's JSON."""
    values = (record.get(tag) or {}).get("Value") or [""]
    return str(values[0])
