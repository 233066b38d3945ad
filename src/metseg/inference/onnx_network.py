"""Networks in ONNX's form, as ONNX Runtime runs them; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from metseg.inference.threads import THREADS

INPUT: Final = "images"
OUTPUTS: Final = ("probabilities", "disagreement")

Planes = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class OnnxNetwork:
    """An open network.

    Attributes
    ----------
    session : onnxruntime.InferenceSession
        Its outputs are the probability of lesion and the disagreement of an ensemble's members.
    """

    session: Any

    def run(self, images: Planes) -> tuple[Planes, Planes]:
        """Probabilities and disagreement, float32 (n, height, width), of float32 (n, c, height, width)."""
        planes, apart = self.session.run(OUTPUTS, {INPUT: np.ascontiguousarray(images, np.float32)})
        return planes, apart

    def probabilities(self, images: Planes) -> Planes:
        """The first of what :meth:`run` returns."""
        return self.run(images)[0]


def open_network(path: Path, providers: tuple[str, ...] = ("CPUExecutionProvider",)) -> OnnxNetwork:
    """Open the file of a network for as many threads as :data:`THREADS` says."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS.count
    options.log_severity_level = 3  # errors
    return OnnxNetwork(onnxruntime.InferenceSession(str(path), options, providers=list(providers)))
