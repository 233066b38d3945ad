"""What a script needs: read a study, segment it, list and open networks."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from metseg import DEFAULT_MODEL
from metseg.checkpoints import ModelInfo, list_models
from metseg.errors import DataError
from metseg.inference import Segmentation, Segmenter, Segmenters, StudySegmenter, open_segmenter
from metseg.lesions import Target
from metseg.study import Geometry, Sequence, Study, assumed_sequences, parse_sequences, read_study

if TYPE_CHECKING:
    from metseg.client import Address

#: Names of the sequences of an image's channels, such as ``"post-contrast,flair"``.
Sequences = str | Seq[str]

__all__ = ["ModelInfo", "Segmentation", "Segmenter", "Study", "list_models", "load_model", "read", "segment"]


def read(
    path: str | Path, *, sequences: Sequences | None = None, spacing: tuple[float, float, float] | None = None
) -> Study:
    """Read the one study at ``path``.

    Parameters
    ----------
    path : str or Path
        TIFF, NIfTI, NRRD, MetaImage, PNG, JPEG, or a folder: of slices, of one file a sequence, of a DICOM series.
    sequences : str or sequence of str, optional
        Which sequence each channel is, for files that do not say it.
    spacing : tuple of float, optional
        Size of a voxel along (z, y, x) in mm, for files that do not say it.

    Raises
    ------
    DataError
        If there is no study, more than one, a file that cannot be used, or the files state their spacing themselves.
    """
    study = read_study(path, _parsed(sequences))
    return study if spacing is None else _spaced(study, spacing)


def segment(
    source: Study | str | Path | npt.NDArray[Any],
    *,
    model: str = DEFAULT_MODEL,
    target: str | None = None,
    sequences: Sequences | None = None,
    spacing: tuple[float, float, float] | None = None,
    device: str = "auto",
    server: str | Address | None = None,
    clahe: str | None = None,
    threshold: float | None = None,
    smallest: int | None = None,
) -> Segmentation:
    """Outline the lesions of one study.

    For many studies open the network once, with :func:`load_model`.

    Parameters
    ----------
    source : Study, str, Path or ndarray
        A study, where one is (see :func:`read`), or an image of any real type: (y, x), (z, y, x) or (c, z, y, x).
    model : str
        Name or path of a network; ``auto`` takes what fits the sequences.
    target : str, optional
        ``"enhancing lesion"`` or ``"FLAIR abnormality"``: what ``auto`` looks for.
    sequences, spacing : optional
        See :func:`read`.
    device : str
        ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
    server : str or Address, optional
        URL of a metseg server whose network is to outline, and none here; its token is that in the environment variable
        METSEG_TOKEN, or in the keyring.
    clahe : {"on", "off", "average"}, optional
        Whether the network is shown slices after CLAHE; as its card says unless given.
    threshold, smallest : optional
        Probability from which on a voxel is lesion, and voxels of the smallest lesion that is kept; as the network's
        card says unless given.

    Returns
    -------
    Segmentation
        Mask and probabilities (z, y, x) on the study's grid, with ``lesions``, ``provenance`` and ``save``.

    Raises
    ------
    DataError
        If the study cannot be read, or does not show the target.
    CheckpointError
        If there is no such network.
    ServerDownError
        If the server does not answer.
    """
    study = _study(source, sequences, spacing)
    targets = () if target is None else (_target(target),)
    with Segmenters(model, targets, device=device, clahe=clahe, server=server) as segmenters:
        segmenter = segmenters.of(study.sequences)[0]
        usual = segmenter.card.postprocessing
        return segmenter.segment(study, usual.adjusted(threshold=threshold, min_lesion_voxels=smallest))


def load_model(
    model: str | Path,
    *,
    device: str = "auto",
    batch_size: int = 16,
    clahe: str | None = None,
    server: str | Address | None = None,
) -> StudySegmenter:
    """Open a network to segment many studies with: ``with load_model("best") as network: network.segment(study)``.

    Parameters
    ----------
    model : str or Path
        Name or path of a network, see :func:`list_models`.
    device, clahe, server
        See :func:`segment`.
    batch_size : int
        Slices at a time.

    Raises
    ------
    CheckpointError
        If there is no such network, or its file is damaged or foreign.
    ServerDownError
        If the server does not answer.
    """
    return open_segmenter(model, device=device, batch_size=batch_size, clahe=clahe, server=server)


def _study(
    source: Study | str | Path | npt.NDArray[Any],
    sequences: Sequences | None,
    spacing: tuple[float, float, float] | None,
) -> Study:
    if isinstance(source, str | Path):
        return read(source, sequences=sequences, spacing=spacing)
    named = _parsed(sequences)
    if isinstance(source, Study):
        study = source if named is None else source.with_sequences(named)
    else:
        voxels = np.asarray(source)
        if voxels.ndim not in (2, 3, 4):
            raise DataError(f"an image is (y, x), (z, y, x) or (c, z, y, x), not {voxels.shape}")
        voxels = voxels[(None,) * (4 - voxels.ndim)]
        if not np.isfinite(voxels).all():
            raise DataError("the image has voxels that are no finite number")
        study = Study("array", voxels, named or assumed_sequences(len(voxels)))
    return study if spacing is None else _spaced(study, spacing)


def _spaced(study: Study, spacing: tuple[float, float, float]) -> Study:
    if study.geometry.spacing is not None:
        raise DataError(f"{study.name} says its spacing itself: {study.geometry.spacing} mm along (z, y, x)")
    return study.with_geometry(Geometry.spaced(spacing))


def _parsed(sequences: Sequences | None) -> tuple[Sequence, ...] | None:
    if sequences is None:
        return None
    return parse_sequences(sequences if isinstance(sequences, str) else ",".join(sequences))


def _target(name: str) -> Target:
    try:
        return Target(name)
    except ValueError:
        raise DataError(f"{name!r} is no target; there are: {', '.join(Target)}") from None
