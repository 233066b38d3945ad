"""Outline lesions in brain MRI, check every outline by hand, train on what was checked.

Importing this package is cheap: torch, Qt and napari are imported where they are used.
"""

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from metseg.api import Segmentation, Segmenter, Study, list_models, load_model, read, segment

# OpenMP reads it when torch is first imported. Threads that spin while they wait starve whatever else runs beside them.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

try:
    __version__ = version("napari-metseg")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

#: What is used unless a network is named: whatever fits the sequences, see :func:`metseg.checkpoints.choose_models`.
DEFAULT_MODEL = "auto"

__all__ = [
    "DEFAULT_MODEL",
    "Segmentation",
    "Segmenter",
    "Study",
    "__version__",
    "list_models",
    "load_model",
    "read",
    "segment",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from metseg import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
