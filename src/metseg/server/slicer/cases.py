"""The cases of the project, and what a client is told when one cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from metseg.curation import CaseSession, CaseSummary, CaseView, Project
from metseg.errors import CaseBusyError, DataError, MetsegError, UnreadableFileError
from metseg.server.logs import log
from metseg.server.problems import ProblemError

#: Seconds to wait for a case that somebody else is just saving.
_PATIENCE = 5.0


class ProjectCases:
    """The cases of one project, read from the disk each time: others work on it too.

    MetsegError if there is no project.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        Project.open(path)

    def project(self) -> Project:
        """The project; 500 if it is gone."""
        with _as_problems():
            return Project.open(self.path)

    def listed(self) -> tuple[CaseSummary, ...]:
        """Every case that can be opened."""
        project = self.project()
        with _as_problems():
            return tuple(summary for summary in project.cases() if not summary.problem)

    def view(self, name: str) -> CaseView:
        """Look at a case; 404 if there is none of that name, 500 if it cannot be read."""
        project = self.project()
        try:
            with _as_problems():
                return project.read_case(name)
        except DataError:
            raise ProblemError(404, f"the project has no image {name!r}") from None

    @contextmanager
    def session(self, name: str, annotator: str) -> Iterator[CaseSession]:
        """Edit a case; errors within are told to the client, too.

        404, 409 if somebody else has it open, 500 if it cannot be written.
        """
        self.view(name)
        try:
            with _as_problems(), self.project().open_case(name, annotator=annotator, timeout=_PATIENCE) as session:
                yield session
        except DataError as error:
            log("a case was not written", error=error)
            raise ProblemError(
                500, "the case cannot be written: its folder on the server is read-only or full"
            ) from error


@contextmanager
def _as_problems() -> Iterator[None]:
    """Say what went wrong without naming files of the server; what concerns a name alone stays a ``DataError``."""
    try:
        yield
    except CaseBusyError as error:
        raise ProblemError(
            409, f"the case is open in {error.holder}; close it there, then send this again: nothing was stored"
        ) from error
    except UnreadableFileError as error:
        log("a file of the project was not read", error=error)
        raise ProblemError(500, f"a file of this case or project on the server: {error.reason}") from error
    except (ProblemError, DataError):
        raise
    except MetsegError as error:
        log("the project could not be used", error=error)
        raise ProblemError(500, "the project on the server cannot be used; its log says more") from error
