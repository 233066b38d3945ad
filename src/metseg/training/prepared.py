"""Studies on the network's grid: in memory, and on disk so that the next run need not make them again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from metseg.errors import DataError
from metseg.preprocessing import PreprocessingConfig, neighbourhood, network_input
from metseg.study import Study, write_atomically

#: Raised when the same study and configuration give other arrays than before.
_FORMAT = 1


@dataclass(frozen=True, eq=False)
class PreparedStudy:
    """A study on the network's grid.

    Attributes
    ----------
    channels : ndarray of float16, shape (z, v, c, height, width)
        Every slice, see :meth:`metseg.preprocessing.Preprocessor.channels`.
    masks : ndarray of uint8, shape (z, height, width)
        1 inside lesions; :data:`metseg.training.losses.UNKNOWN` where nothing is known.
    masked : tuple of int
        Slices whose mask is known.
    neighbours : int
        Slices on either side that the network sees too.
    replayed : bool
        Shown again beside new patients, so that it is not forgotten; see :class:`EpochPlan`.
    """

    name: str
    patient: str
    channels: npt.NDArray[np.float16]
    masks: npt.NDArray[np.uint8]
    masked: tuple[int, ...]
    neighbours: int = 0
    replayed: bool = False

    @property
    def fingerprint(self) -> bytes | None:
        """The same for studies with the same pixels in a quarter, half and three quarters of their depth.

        ``None`` where these hold one value only, which proves nothing.
        """
        shown = [self.channels[len(self.channels) * part // 4] for part in (1, 2, 3)]
        if all((plane == plane.flat[0]).all() for plane in shown):
            return None
        digest = hashlib.blake2b(repr(self.channels.shape).encode(), digest_size=16)
        for plane in shown:
            digest.update(np.ascontiguousarray(plane).data)
        return digest.digest()

    def image(self, z: int) -> npt.NDArray[np.float32]:
        """Network input for slice ``z``, float32 (channels, height, width)."""
        around = neighbourhood(z, len(self.channels), self.neighbours)
        return network_input(_widened(self.channels[z]), [_widened(self.channels[other, 0]) for other in around])


def _widened(half: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """The same numbers as float32; torch does it twenty times as fast as NumPy."""
    return np.asarray(torch.from_numpy(half).float().numpy(), np.float32)


class PreparedCache:
    """Preprocessed studies in a folder, found again by the content of the study and by the preprocessing.

    The files hold images of patients, as the folder that they were made from does.

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
                channels, masks = file.get_tensor("views"), file.get_tensor("masks")
        except (OSError, SafetensorError):
            return None
        return PreparedStudy(study.name, patient, channels, masks, masked, config.neighbours)

    def write(self, study: Study, config: PreprocessingConfig, prepared: PreparedStudy) -> None:
        """Keep ``prepared``, which was made of ``study``."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "views": np.ascontiguousarray(prepared.channels),
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
