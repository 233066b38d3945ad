"""``<case>/<slice>.tif`` and ``<case>/<slice>_mask.tif``, as ``metseg train`` reads them, with ``split.json``."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from metseg.curation.changes import Labels
from metseg.curation.documents import write_json
from metseg.curation.export.layout import LayoutWriter
from metseg.curation.export.manifest import ExportedCase, FileRole, SplitRule, Subset
from metseg.curation.export.workspace import StagedFile
from metseg.curation.names import safe_name
from metseg.curation.pairs import exporting_pairs
from metseg.events import Finished, Progress
from metseg.study import Study, read_study, sidecar_of

_LONGEST = 80


class PairsLayout(LayoutWriter):
    """Slices with their masks; see :func:`metseg.curation.exporting_pairs`."""

    def stem(self, name: str) -> str:
        """``name`` as a folder that every system can have and that is not hidden."""
        return safe_name(name, _LONGEST)

    def write_case(
        self, case: ExportedCase, study: Study, labels: Labels, folder: Path
    ) -> Generator[str, None, list[StagedFile]]:
        """Make images, masks, and the spacing if it is known."""
        written: list[Path] = []
        for event in exporting_pairs(replace(study, name=case.stem), labels, folder):
            if isinstance(event, Finished):
                written = event.result
            elif isinstance(event, Progress):
                yield event.what
        made = [
            StagedFile(path.relative_to(folder).as_posix(), FileRole.MASK if place % 2 else FileRole.IMAGE, place // 2)
            for place, path in enumerate(written)
        ]
        spacing = sidecar_of(folder / case.stem / f"{case.stem}.tif")
        if spacing.exists():
            made.append(StagedFile(spacing.relative_to(folder).as_posix(), FileRole.ABOUT))
        return made

    def write_dataset(
        self, cases: Sequence[ExportedCase], rule: SplitRule, licence: str, folder: Path
    ) -> list[StagedFile]:
        """Make ``split.json``, which ``metseg train --split`` reads."""
        names = {side: [case.stem for case in cases if case.side is side] for side in Subset}
        write_json(folder / "split.json", {str(side): names[side] for side in Subset})
        return [StagedFile("split.json", FileRole.ABOUT)]

    def read_study(self, case: ExportedCase, out: Path, images: Path) -> Study:
        """The images as they are in the export."""
        return replace(read_study(out / case.stem), name=case.name, mask=None)
