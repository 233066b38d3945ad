"""``model.json``: the network that a project asks first, because somebody said so. It is never replaced silently."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from metseg.curation.description import portable
from metseg.curation.documents import write_document
from metseg.curation.record import now, software
from metseg.curation.state import Sha256
from metseg.errors import DataError, UnreadableFileError
from metseg.study import file_sha256

if TYPE_CHECKING:
    from metseg.curation.project import Project

FILE = "model.json"
#: Folder of a project in which its retrainings are.
RUNS = "models"


class PromotionResult(StrEnum):
    """How a model compared with its parent on patients that neither was trained on."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    NONE = "never asked"


class DefaultModel(BaseModel, frozen=True, extra="forbid", serialize_by_alias=True, validate_by_name=True):
    """``model.json``.

    Attributes
    ----------
    path : str
        Of its file, from the project's folder, with ``/``; absolute where there is no such way.
    promotion : PromotionResult, stored as ``gate``
    reason : str
        The promotion check's, in words.
    forced : bool
        Somebody wanted it although the promotion check had not passed.
    time : datetime
        Since when.
    """

    format: Literal["metseg-default-model"] = "metseg-default-model"
    version: Literal[1] = 1
    name: str
    path: str
    sha256: Sha256
    promotion: Annotated[PromotionResult, Field(alias="gate")]
    reason: str = ""
    forced: bool = False
    time: AwareDatetime
    software: str

    def located(self, project: Project) -> Path:
        """Its file, which is hashed.

        Raises
        ------
        DataError
            If it is gone, or is another file by now.
        """
        file = project.path / self.path
        try:
            unchanged = file_sha256(file) == self.sha256
        except UnreadableFileError as error:
            raise DataError(
                f"{error}; {project.path} asks it by default: name another model, or promote one"
            ) from error
        if not unchanged:
            raise DataError(
                f"{file}: is not the file that {project.path} has promoted; promote it again, or name a model"
            )
        return file


def promote_model(
    project: Project, file: str | Path, *, name: str, promotion: PromotionResult, reason: str = "", force: bool = False
) -> DefaultModel:
    """Let the project ask a network first.

    Parameters
    ----------
    file : str or Path
        A checkpoint. It stays where it is.
    name : str
        What it is called.
    promotion : PromotionResult, stored as ``gate``
        What the promotion check said of this very file.
    force : bool
        Also a model that did not pass.

    Raises
    ------
    DataError
        If the promotion check did not pass, or ``model.json`` cannot be written.
    UnreadableFileError
        If the file cannot be read.
    """
    passed = promotion is PromotionResult.PASSED
    if not passed and not force:
        raise DataError(
            f"{name}: not promoted, the promotion check {_outcome(promotion)}{f': {reason}' if reason else ''}"
        )
    model = DefaultModel(
        name=name,
        path=portable(Path(file), project.path),
        sha256=file_sha256(Path(file)),
        promotion=promotion,
        reason=reason,
        forced=not passed,
        time=now(),
        software=software(),
    )
    write_document(project.path / FILE, model)
    return model


def _outcome(promotion: PromotionResult) -> str:
    return {
        PromotionResult.FAILED: "was not passed",
        PromotionResult.UNDECIDED: "came to no decision",
        PromotionResult.NONE: "was never asked",
    }.get(promotion, "was passed")
