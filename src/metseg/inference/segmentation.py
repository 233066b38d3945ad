"""``Segmentation``: probabilities and mask of a study, with what they were made with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg import __version__
from metseg.errors import DataError
from metseg.lesions import (
    LESION_COLUMNS,
    Lesion,
    PostprocessingConfig,
    Target,
    find_midline,
    label_lesions,
    lesion_records,
    measure,
    sum_of_target_diameters,
)
from metseg.preprocessing import BrainGrid, Clahe, PreprocessingConfig
from metseg.study import Sequence, Study, is_as_written, writer_of

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Probabilities and mask of a study, with all that is needed to make them again.

    Attributes
    ----------
    study : Study
        What was segmented.
    probabilities : ndarray of float32, shape (z, y, x)
        Probability of lesion, on the study's grid.
    mask : ndarray of uint8, shape (z, y, x)
        1 inside lesions.
    preprocessing, postprocessing
        The exact configurations used.
    model, weights_sha256 : str
        Name and hash of the weights.
    target : Target
        What is inside the mask.
    device : str
        Where the last batch ran.
    backend : str
        What ran the network: its name, version and precision.
    disagreement : ndarray of float32, shape (z, y, x), or None
        Of an ensemble: how far its members' own probabilities are apart, the largest less the smallest, before
        refinement and calibration. ``None`` of a single network, or of a server's network.
    brain : BrainGrid or None
        Where the brain was found, if ``preprocessing`` has one; nothing outside is lesion.
    clahe_average : bool
        The probabilities are the mean of those of windowed slices and of those that ``preprocessing`` equalised.
    surrounding : ndarray of uint8, shape (z, y, x), or None
        Of the enhancing lesion: 1 inside the FLAIR abnormality, where that was outlined, too.
    served : mapping of str to JSON values
        The provenance's part on the server that made the probabilities; ``brain`` is ``None`` then.
    """

    study: Study
    probabilities: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    preprocessing: PreprocessingConfig
    postprocessing: PostprocessingConfig
    model: str
    weights_sha256: str
    device: str
    backend: str
    disagreement: npt.NDArray[np.float32] | None = None
    target: Target = Target.FLAIR_ABNORMALITY
    brain: BrainGrid | None = None
    clahe_average: bool = False
    surrounding: npt.NDArray[np.uint8] | None = None
    served: Mapping[str, Any] = field(default_factory=dict)

    @property
    def clahe(self) -> Clahe:
        """Which slices the network was shown."""
        return Clahe.of(self.preprocessing, averaged=self.clahe_average)

    @cached_property
    def measured(self) -> tuple[Lesion, ...]:
        """Every lesion with its measures, in the order of their first voxels."""
        study = self.study
        spacing, orientation = study.geometry.spacing, study.geometry.orientation
        midline = find_midline(study.voxels[study.channel(Sequence.POST)], orientation, spacing)
        labels = label_lesions(self.mask)
        return tuple(
            measure(
                labels,
                spacing=spacing,
                probabilities=self.probabilities,
                midline=midline,
                surrounding=self.surrounding,
            )
        )

    @cached_property
    def lesions(self) -> pandas.DataFrame:
        """Every lesion with its size: one row each, columns as in ``metseg demo``'s lesion table.

        Slices and centroids count from 0; volumes and diameters in mm are missing where the spacing is not known.
        """
        import pandas

        return pandas.DataFrame(lesion_records(self.measured, self.target), columns=list(LESION_COLUMNS))

    @property
    def sum_of_target_diameters(self) -> float | None:
        """Of the largest five lesions that are measurable by RANO-BM, mm; ``None`` if the spacing is not known."""
        return sum_of_target_diameters(self.measured)

    @property
    def provenance(self) -> dict[str, Any]:
        """What the mask was made with, as JSON values: target, model, hash of its weights, settings, version."""
        return {
            "target": str(self.target),
            "model": self.model,
            "weights_sha256": self.weights_sha256,
            "threshold": self.postprocessing.threshold,
            "smallest": self.postprocessing.min_lesion_voxels,
            "peak": self.postprocessing.peak,
            "clahe": str(self.clahe),
            "brain": None if self.brain is None else self.brain.source,
            "backend": self.backend,
            "metseg": __version__,
            **self.served,
        }

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the mask, and its provenance beside it as ``<name>.json``.

        Parameters
        ----------
        path : str or Path
            ``.nii.gz`` (0 and 1, on the grid of the study's file), ``.tif`` (0 and 255), ``.dcm`` (DICOM SEG of a DICOM
            series, one segment a lesion), ``.rtstruct.dcm`` (its contours) or what another package's writer makes; its
            folder is made.
        overwrite : bool
            Replace a mask that was written by this function and not edited since.

        Returns
        -------
        Path
            ``path``.

        Raises
        ------
        DataError
            If the ending is another, the file is there and must not be replaced, or the format cannot hold the study.
        """
        path = Path(path)
        writer = writer_of(path)
        if path.exists() and not (overwrite and is_as_written(path)):
            advice = "was edited since, or comes from elsewhere" if overwrite else "overwrite=True replaces it"
            raise DataError(f"{path}: is there already; {advice}")
        path.parent.mkdir(parents=True, exist_ok=True)
        writer.write(path, self.mask, self.study, mask=True, about=self.provenance)
        return path


def with_surroundings(results: Iterable[Segmentation]) -> list[Segmentation]:
    """Results of one study, of which the enhancing lesion is given the FLAIR abnormality that surrounds it."""
    listed = list(results)
    around = next((one.mask for one in listed if one.target is Target.FLAIR_ABNORMALITY), None)
    return [replace(one, surrounding=around) if one.target is Target.ENHANCING_LESION else one for one in listed]
