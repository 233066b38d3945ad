"""A study on the network's grid, in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from metseg.preprocessing import neighbourhood, network_input


@dataclass(frozen=True, eq=False)
class PreparedStudy:
    """A study on the network's grid.

    Attributes
    ----------
    views : ndarray of float16, shape (z, v, c, height, width)
        Every slice, see :meth:`metseg.preprocessing.Preprocessor.views`.
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
    views: npt.NDArray[np.float16]
    masks: npt.NDArray[np.uint8]
    masked: tuple[int, ...]
    neighbours: int = 0
    replayed: bool = False

    @property
    def fingerprint(self) -> bytes | None:
        """The same for studies with the same pixels in a quarter, half and three quarters of their depth.

        ``None`` where these hold one value only, which proves nothing.
        """
        shown = [self.views[len(self.views) * part // 4] for part in (1, 2, 3)]
        if all((plane == plane.flat[0]).all() for plane in shown):
            return None
        digest = hashlib.blake2b(repr(self.views.shape).encode(), digest_size=16)
        for plane in shown:
            digest.update(np.ascontiguousarray(plane).data)
        return digest.digest()

    def image(self, z: int) -> npt.NDArray[np.float32]:
        """Network input for slice ``z``, float32 (channels, height, width)."""
        around = neighbourhood(z, len(self.views), self.neighbours)
        return network_input(_widened(self.views[z]), [_widened(self.views[other, 0]) for other in around])


def _widened(half: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    """The same numbers as float32; torch does it twenty times as fast as NumPy."""
    return np.asarray(torch.from_numpy(half).float().numpy(), np.float32)
