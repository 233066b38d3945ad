"""What a layout must be able to do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from pathlib import Path

from metseg.curation.changes import Labels
from metseg.curation.export.manifest import ExportedCase, SplitRule
from metseg.curation.export.volumes import study_from_volumes
from metseg.curation.export.workspace import StagedFile
from metseg.study import Study


class LayoutWriter(ABC):
    """How the files of one layout are made. All methods are pure but for the files that they make."""

    #: Packages of the extra ``export`` that it needs.
    packages: tuple[str, ...] = ()

    @abstractmethod
    def stem(self, name: str) -> str:
        """The name of a case as this layout can have it in names of files."""

    def remarks(self, cases: Sequence[ExportedCase], out: Path) -> list[str]:
        """What the user should know; DataError if these cases cannot be laid out together."""
        return []

    @abstractmethod
    def write_case(
        self, case: ExportedCase, study: Study, labels: Labels, folder: Path
    ) -> Generator[str, None, list[StagedFile]]:
        """Make the files of one case below ``folder``; yields what it is about to write."""

    @abstractmethod
    def write_dataset(
        self, cases: Sequence[ExportedCase], rule: SplitRule, licence: str, folder: Path
    ) -> list[StagedFile]:
        """Make the files that speak of all cases below ``folder``."""

    def read_study(self, case: ExportedCase, out: Path, images: Path) -> Study:
        """The images of one case from the export in ``out``; volumes become a TIFF in ``images``."""
        return study_from_volumes([out / file.path for file in case.images], case, images)
