"""Layers of one patient are one study: which is which sequence is read from their names, and the user knows better."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from metseg.napari_plugin.companions import name_row, rows_of
from metseg.napari_plugin.layers import sequences_of, source_of, study_layers
from metseg.napari_plugin.reader import read
from metseg.study import Geometry, Sequence, Study, find_studies, load


@pytest.fixture
def pair(study: Study) -> list[Any]:
    """FLAIR and post-contrast of one patient as layers of their own, and an image of somebody else."""
    from napari.layers import Image

    names = ("P1_flair", "P1_t1c", "P2_t2")
    return [
        Image(voxels, name=name, scale=(5, 1, 1))
        for name, voxels in zip(names, (*study.voxels[[1, 2]], 255 - study.voxels[0]), strict=True)
    ]


def test_names_say_what_belongs_together(pair: list[Any], study: Study) -> None:
    rows = rows_of(pair[0], pair)
    assert [(row.title, row.sequence, row.optional) for row in rows] == [
        ("P1_flair", Sequence.FLAIR, False),
        ("P1_t1c", Sequence.POST, True),
        ("P2_t2", None, True),
    ]
    assert sequences_of(pair[0]) == (Sequence.FLAIR, Sequence.POST)
    gathered = source_of(pair[0]).study
    assert gathered.sequences == (Sequence.FLAIR, Sequence.POST)
    np.testing.assert_array_equal(gathered.voxels, study.voxels[[1, 2]])


def test_the_user_knows_better(pair: list[Any], study: Study) -> None:
    name_row(rows_of(pair[0], pair), 1, Sequence.FLAIR)
    assert source_of(pair[0]).study.sequences == (Sequence.POST, Sequence.FLAIR)
    name_row(rows_of(pair[0], pair), 2, Sequence.T2)
    gathered = source_of(pair[0]).study
    assert gathered.sequences == (Sequence.POST, Sequence.FLAIR, Sequence.T2)
    np.testing.assert_array_equal(gathered.voxels[2], 255 - study.voxels[0])
    name_row(rows_of(pair[0], pair), 1, None)
    assert source_of(pair[0]).study.sequences == (Sequence.POST, Sequence.T2)
    assert [row.sequence for row in rows_of(pair[0], pair)] == [Sequence.POST, None, Sequence.T2]


def test_layers_on_other_voxels_are_not_offered(pair: list[Any]) -> None:
    pair[1].translate = (5, 0, 0)
    pair[2].scale = (5, 2, 1)
    assert [row.title for row in rows_of(pair[0], pair)] == ["P1_flair"]


def test_a_layer_on_another_grid_is_interpolated_where_it_lies(oblique: np.ndarray) -> None:
    """A wedge, saved on a coarse and on a finer, shifted, mirrored grid, is the same wedge on the coarse one."""
    coarse = Geometry.placed(oblique)
    finer = Geometry.placed(oblique @ np.array([[0.5, 0, 0, -2], [0, 0.5, 0, -3], [0, 0, 0.5, -1], [0, 0, 0, 1]]))
    finer, shape = finer.turned((24, 32, 40), "RPI")
    layers = [_wedge("P1_flair", coarse, (10, 12, 14)), _wedge("P1_t1c", finer, shape)]
    rows = rows_of(layers[0], layers)
    assert [(row.sequence, row.moved) for row in rows] == [(Sequence.FLAIR, False), (Sequence.POST, True)]
    source = source_of(layers[0])
    assert source.study.sequences == (Sequence.FLAIR, Sequence.POST)
    inside = source.study.voxels[:, :9, :11, :12]  # beyond lies nothing of the finer one
    np.testing.assert_allclose(inside[1], inside[0], atol=1e-3)
    assert "interpolated on the voxels of FLAIR · P1_flair" in " ".join(source.notices)


def test_layers_that_do_not_say_where_they_lie_or_lie_elsewhere_are_not_interpolated(oblique: np.ndarray) -> None:
    there = _wedge("P1_flair", Geometry.placed(oblique), (10, 12, 14))
    away = oblique.copy()
    away[:3, 3] += 500
    elsewhere = _wedge("P1_t2", Geometry.placed(away), (9, 9, 9))
    nowhere = _wedge("P1_t1c", Geometry.spaced((4, 1, 1)), (9, 9, 9))
    assert len(rows_of(there, [there, elsewhere, nowhere])) == 1


def test_layers_of_two_files_are_the_study_that_the_folder_is(tmp_path: Path, oblique: np.ndarray) -> None:
    from napari.layers import Layer

    rng = np.random.default_rng(1)
    for name, step, size in (("flair", 1.0, (14, 12, 10)), ("t1c", 0.6, (21, 17, 13))):
        affine = oblique @ np.diag([step, step, step, 1])
        nibabel.save(nibabel.Nifti1Image(rng.integers(0, 900, size, np.int16), affine), tmp_path / f"P1_{name}.nii.gz")
    layers = [Layer.create(*read(str(path))[0]) for path in sorted(tmp_path.iterdir())]
    rows_of(layers[0], layers)
    (files,) = find_studies(tmp_path)
    (study,) = load(files).studies
    gathered = source_of(layers[0]).study
    assert gathered.sequences == study.sequences == (Sequence.FLAIR, Sequence.POST)
    np.testing.assert_array_equal(gathered.voxels, study.voxels)


def _wedge(name: str, geometry: Geometry, shape: tuple[int, int, int]) -> Any:
    """An image whose intensity rises with the way to the right, the front and the top of the patient."""
    from napari.layers import Image

    z, y, x = np.indices(shape)
    right, front, top = np.einsum("ij,j...->i...", geometry.drawn, np.stack([x, y, z, np.ones(shape)]))[:3]
    wedge = (right + 2 * front + 3 * top).astype(np.float32)
    sequence = Sequence.FLAIR if "flair" in name else Sequence.POST
    (data, look, _), *_ = study_layers(Study(name, wedge[None], (sequence,), geometry=geometry))
    return Image(data, **look)


def test_a_layer_that_is_gone_is_no_part_any_more(pair: list[Any]) -> None:
    rows_of(pair[0], pair)
    assert len(rows_of(pair[0], pair[:1])) == 1
    assert sequences_of(pair[0]) == (Sequence.FLAIR,)


@pytest.mark.slow
def test_the_table_fills_itself_in_and_is_corrected(
    viewer: Any, open_widget: Callable[..., Any], study: Study, two_targets_folder: Any
) -> None:
    viewer.add_image(study.voxels[1], name="P1_flair")
    widget = open_widget(two_targets_folder)
    table = widget.input.sequences
    viewer.add_image(study.voxels[2], name="P1_t1c")
    widget.state.image = next(choice.layer for choice in widget.state.images if choice.title == "P1_flair")
    assert [name.text() for name in table.names[:2]] == ["P1_flair", "P1_t1c"]
    assert [choice.currentText() for choice in table.choices[:2]] == ["FLAIR", "post-contrast"]
    assert widget.state.sequences == (Sequence.FLAIR, Sequence.POST)
    table.choices[1].setCurrentIndex(table.choices[1].findText("not used"))
    assert widget.state.sequences == (Sequence.FLAIR,)
    viewer.layers.remove("P1_t1c")
    assert not table.choices[1].isVisibleTo(table)
