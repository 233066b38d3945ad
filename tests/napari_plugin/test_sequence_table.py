"""Layers of one patient are one study: which is which sequence is read from their names, and the user knows better."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metseg.napari_plugin.companions import name_row, rows_of
from metseg.napari_plugin.layers import sequences_of, source_of
from metseg.study import Sequence, Study


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
