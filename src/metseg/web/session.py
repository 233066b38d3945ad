"""What one user has on the page. Kept in this user's session alone, never in a cache that others share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from metseg.errors import MetsegError
from metseg.http_documents import ModelDocument
from metseg.web.planes import fullest
from metseg.web.result import NetworkResult
from metseg.web.uploads import Upload

_KEY = "metseg"


@dataclass
class UserSession:
    """One user.

    Attributes
    ----------
    cards : tuple of ModelDocument
        The server's models; empty until it has answered.
    upload : Upload or None
        The study that was sent last.
    wanted : tuple of str
        Models whose outlines are to be shown, one or two.
    clahe : str
        Which slices the models are shown: on, off or average; what each card says if empty.
    results : dict of str to NetworkResult
        What has come back for ``upload`` with that ``clahe``, by model.
    problem : MetsegError or None
        Why the last try failed.
    at : list of int
        The voxel (z, y, x) that is looked at.
    lesion : int
        Number of the lesion chosen in the first model's table; 0 if none is.
    uploader : int
        Rises when the file chooser is to be empty again.
    """

    cards: tuple[ModelDocument, ...] = ()
    upload: Upload | None = None
    wanted: tuple[str, ...] = ()
    clahe: str = ""
    results: dict[str, NetworkResult] = field(default_factory=dict)
    problem: MetsegError | None = None
    at: list[int] = field(default_factory=lambda: [0, 0, 0])
    lesion: int = 0
    uploader: int = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """Models that must still be asked."""
        return tuple(model for model in self.wanted if model not in self.results)

    @property
    def shown(self) -> tuple[NetworkResult, ...]:
        """Results that are wanted and there; one, where ``auto`` chose the network that is wanted too."""
        shown = [self.results[model] for model in self.wanted if model in self.results]
        return tuple({result.model: result for result in shown}.values())

    def want(self, upload: Upload, models: Sequence[str], clahe: str = "") -> None:
        """Ask for ``models`` on ``upload``; results of another study, or with another ``clahe``, are dropped."""
        if self.upload is None or upload.digest != self.upload.digest or clahe != self.clahe:
            self.drop()
        self.upload, self.wanted, self.problem = upload, tuple(dict.fromkeys(models)), None
        self.clahe = clahe
        self.lesion = 0

    def take(self, result: NetworkResult, requested: str) -> None:
        """Keep what came of asking for a model; the first one decides where the page looks."""
        if not self.results:
            self.at = fullest(result.mask)
        self.results[requested] = result

    def fail(self, problem: MetsegError) -> None:
        """Say why nothing more comes, and keep what is there."""
        self.problem = problem
        self.wanted = tuple(model for model in self.wanted if model in self.results)

    def drop(self) -> None:
        """Forget the study and all that came of it."""
        self.upload, self.wanted, self.results, self.problem = None, (), {}, None
        self.at, self.lesion = [0, 0, 0], 0


def current() -> UserSession:
    """The user whose page is being made."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = UserSession()
    session: UserSession = st.session_state[_KEY]
    return session
