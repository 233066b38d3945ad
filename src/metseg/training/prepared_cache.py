"""Preprocessed studies on disk, so that the next run with the same preprocessing need not make them again."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from metseg.errors import DataError
from metseg.preprocessing import PreprocessingConfig
from metseg.study import Study, write_atomically
from metseg.training.prepared_study import PreparedStudy

#: Raised when the same study and configuration give other arrays than before.
_FORMAT = 1


class PreparedCache:
    """Preprocessed studies in a folder, found again by the content of the study and by the preprocessing.

    The files hold images of patients, as the folder that they were made from does.

    Parameters
    ----------
    folder : Path
        Made if it is not there.

    Raises
    ------
    DataError
        If the folder cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f"{folder}: {error.strerror}") from error

    def read(self, study: Study, config: PreprocessingConfig, patient: str) -> PreparedStudy | None:
        """The prepared ``study``, or ``None`` if it is not here, or not readable."""
        try:
            with safe_open(self._path(study, config), framework="numpy") as file:
                masked = tuple(json.loads(file.metadata()["masked"]))
                views, masks = file.get_tensor("views"), file.get_tensor("masks")
        except (OSError, SafetensorError):
            return None
        return PreparedStudy(study.name, patient, views, masks, masked, config.neighbours)

    def write(self, study: Study, config: PreprocessingConfig, prepared: PreparedStudy) -> None:
        """Keep ``prepared``, which was made of ``study``.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        arrays: dict[str, npt.NDArray[Any]] = {
            "views": np.ascontiguousarray(prepared.views),
            "masks": np.ascontiguousarray(prepared.masks),
        }
        with write_atomically(self._path(study, config)) as temporary:
            save_file(arrays, temporary, {"masked": json.dumps([int(z) for z in prepared.masked])})

    def _path(self, study: Study, config: PreprocessingConfig) -> Path:
        made_of = [
            _FORMAT,
            config.model_dump(mode="json", exclude={"neighbours"}),
            [sequence.value for sequence in study.sequences],
            study.masked_slices,
            study.voxels.shape,
            str(study.voxels.dtype),
            study.geometry.spacing,
            [version(package) for package in ("deepbet", "simpleitk", "opencv-python-headless")],
        ]
        digest = hashlib.sha256(json.dumps(made_of).encode())
        digest.update(study.voxels.tobytes())
        if study.mask is not None:
            digest.update(study.mask.tobytes())
        return self.folder / f"{digest.hexdigest()[:32]}.safetensors"
