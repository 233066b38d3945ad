"""Outline lesions in brain MRI, check every outline by hand, train on what was checked.

Importing this package is cheap: torch, Qt and napari are imported where they are used.
"""

import os
from importlib.metadata import PackageNotFoundError, version

# OpenMP reads it when torch is first imported. Threads that spin while they wait starve whatever else runs beside them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    __version__ = version("napari-metseg")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

#: What is used unless a network is named: whatever fits the sequences, see :func:`metseg.checkpoints.choose_models`.
DEFAULT_MODEL = "auto"

__all__ = ["DEFAULT_MODEL", "__version__"]
