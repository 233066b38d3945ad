"""One head, however it is stored, gets the same mask from layers that the plugin's reader makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from napari.layers import Image

from metseg.napari_plugin.layers import source_of
from metseg.napari_plugin.reader import get_reader
from metseg.study import Geometry, Sequence, Study

KINDS = [f"NIfTI {codes}" for codes in ("LPS", "RAS", "ASL", "PIR", "SAL", "IPR", "int16", "float32")]
KINDS += ["NIfTI-2", "NRRD", "MetaImage", "DICOM", "TIFF stack", "TIFF slices"]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory, write_untrained: Any) -> Any:
    from metseg.checkpoints import load_checkpoint
    from metseg.inference import Segmenter

    with Segmenter(load_checkpoint(write_untrained(tmp_path_factory.mktemp("models") / "random"))) as segmenter:
        yield segmenter


@pytest.fixture(scope="module")
def reference(flair: npt.NDArray[np.uint16], segmenter: Any) -> npt.NDArray[np.uint8]:
    """The mask of the same voxels that were never a file."""
    mask: npt.NDArray[np.uint8] = segmenter.segment(Study("head", flair[None], (Sequence.UNKNOWN,))).mask
    assert 0 < mask.mean() < 1
    return mask


@pytest.mark.parametrize("kind", KINDS)
def test_layers_of_any_format_get_the_same_mask(
    one_head: dict[str, Path], oblique: Any, segmenter: Any, reference: npt.NDArray[np.uint8], kind: str
) -> None:
    reader = get_reader(str(one_head[kind]))
    assert reader is not None
    [(data, look, _)] = reader(one_head[kind])
    layer = Image(data, **look)
    study = source_of(layer).study
    assert np.array_equal(segmenter.segment(study).mask, reference)
    np.testing.assert_allclose(layer.scale, Geometry.placed(oblique).spacing, atol=1e-4)
    if not kind.startswith("TIFF"):
        np.testing.assert_allclose(study.geometry.affine, oblique, atol=1e-4)
