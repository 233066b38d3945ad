"""What a layout must be able to do, and the layouts there are."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Protocol

from metseg.curation.changes import Labels
from metseg.curation.export.as_coco import CocoLayout
from metseg.curation.export.as_nifti import NiftiLayout
from metseg.curation.export.as_nnunet import NnunetLayout
from metseg.curation.export.as_pairs import PairsLayout
from metseg.curation.export.manifest import ExportedCase, Layout, SplitRule
from metseg.curation.export.workspace import StagedFile
from metseg.study import Study


class LayoutWriter(Protocol):
    """How the files of one layout are made. All methods are pure but for the files that they make."""

    def require(self) -> None:
        """Raise MissingExtraError if a package is not installed."""

    def stem(self, name: str) -> str:
        """The name of a case as this layout can have it in names of files."""

    def remarks(self, cases: Sequence[ExportedCase], out: Path) -> list[str]:
        """What the user should know; DataError if these cases cannot be laid out together."""

    def write_case(
        self, case: ExportedCase, study: Study, labels: Labels, folder: Path
    ) -> Generator[str, None, list[StagedFile]]:
        """Make the files of one case below ``folder``; yields what it is about to write."""

    def write_dataset(
        self, cases: Sequence[ExportedCase], rule: SplitRule, licence: str, folder: Path
    ) -> list[StagedFile]:
        """Make the files that speak of all cases below ``folder``."""

    def read_study(self, case: ExportedCase, out: Path, images: Path) -> Study:
        """The images of one case from the export in ``out``; TIFFs are made in ``images`` if it has none."""


LAYOUTS: dict[Layout, LayoutWriter] = {
    Layout.PAIRS: PairsLayout(),
    Layout.NNUNET: NnunetLayout(),
    Layout.NIFTI: NiftiLayout(),
    Layout.COCO: CocoLayout(),
}
