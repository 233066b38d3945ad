"""A case as one volume: 3D Slicer shows one sequence at a time, FLAIR."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass

from metseg.curation import CaseView
from metseg.errors import UnreadableFileError
from metseg.server.problems import ProblemError
from metseg.server.slicer.volumes import case_volume
from metseg.study import Sequence

#: Volumes that are kept: whoever is told of the next image downloads it at once.
_KEPT = 4


@dataclass(frozen=True, slots=True)
class Volume:
    """A ``.nii.gz``.

    Attributes
    ----------
    sha256 : str
        Of ``content``.
    """

    content: bytes
    sha256: str


class Images:
    """The images of a project as volumes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Volume] = OrderedDict()
        self._lock = threading.Lock()

    def volume(self, case: CaseView) -> Volume:
        """FLAIR, or what stands for it, on the case's grid; the same bytes each time.

        Raises
        ------
        ProblemError
            500 if an image file is gone or has changed.
        """
        identity = case.description.identity
        with self._lock:
            if identity in self._kept:
                self._kept.move_to_end(identity)
                return self._kept[identity]
        content = self._content(case)
        volume = Volume(content, hashlib.sha256(content).hexdigest())
        with self._lock:
            self._kept[identity] = volume
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return volume

    def _content(self, case: CaseView) -> bytes:
        try:
            study = case.study()
        except UnreadableFileError as error:
            raise ProblemError(500, f"an image file of this case on the server {error.reason}") from error
        return case_volume(study.voxels[study.channel(Sequence.FLAIR)], study.geometry)
