"""A change is a value: it alters nothing until it is applied, and can be taken back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from metseg.curation.tools import LabelEdit, ToolError, delete, merge, relabel, separate, split
from metseg.curation.tools.change import change

VOLUMES = hnp.arrays(np.uint16, st.tuples(*[st.integers(1, 7)] * 3), elements=st.integers(0, 4))


def bar() -> np.ndarray:
    """Two 5 × 5 squares and a neck of one pixel between them, three slices deep, and a lesion 7 apart from it."""
    labels = np.zeros((5, 12, 24), np.uint16)
    labels[1:4, 2:7, 2:7] = labels[1:4, 2:7, 11:16] = 3
    labels[2, 4, 7:11] = 3
    labels[0:5, 9:11, 20:23] = 7
    return labels


def applied(labels: np.ndarray, made: LabelEdit) -> np.ndarray:
    copy = labels.copy()
    made.apply(copy)
    return copy


@given(VOLUMES, st.data())
def test_a_change_leads_there_and_back_by_box_and_by_voxels(labels: np.ndarray, data: st.DataObject) -> None:
    wanted = data.draw(hnp.arrays(np.uint16, labels.shape, elements=st.integers(0, 4)))
    original = labels.copy()
    made = change(labels, tuple(slice(0, size) for size in labels.shape), wanted)
    assert (labels == original).all()
    assert bool(made) == (wanted != labels).any()
    assert (applied(labels, made) == wanted).all()
    assert (applied(applied(labels, made), made.undone) == labels).all()
    by_voxels = labels.copy()
    by_voxels[made.indices] = made.values
    assert (by_voxels == wanted).all()
    assert len(made.values) == (wanted != labels).sum()


def test_applying_leaves_alone_what_was_drawn_since_elsewhere_in_the_box() -> None:
    labels = bar()
    made = delete(labels, 3)
    labels[2, 2, 9] = 5
    made.apply(labels)
    assert labels[2, 2, 9] == 5
    assert not (labels == 3).any()


@settings(max_examples=50)
@given(VOLUMES)
def test_deleting_takes_one_lesion_and_undo_brings_it_back(labels: np.ndarray) -> None:
    for label in np.unique(labels[labels > 0]):
        made = delete(labels, int(label))
        after = applied(labels, made)
        assert (after == np.where(labels == label, 0, labels)).all()
        assert (applied(after, made.undone) == labels).all()


@settings(max_examples=50)
@given(VOLUMES)
def test_merging_unites_and_keeps_the_mask(labels: np.ndarray) -> None:
    ids = [int(label) for label in np.unique(labels[labels > 0])][::-1]
    if ids:
        after = applied(labels, merge(labels, ids))
        assert (after == np.where(labels > 0, ids[0], 0)).all()


@settings(max_examples=50)
@given(VOLUMES)
def test_separating_gives_each_piece_one_label_and_keeps_the_mask(labels: np.ndarray) -> None:
    from metseg.lesions import label_lesions

    after = applied(labels, separate(labels))
    assert ((after > 0) == (labels > 0)).all()
    for label in np.unique(after[after > 0]):
        assert label_lesions(after == label).max() == 1
        assert len(np.unique(labels[after == label])) == 1
    pieces = sum(label_lesions(labels == label).max() for label in np.unique(labels[labels > 0]))
    assert len(np.unique(after[after > 0])) == pieces
    assert set(np.unique(labels)) <= set(np.unique(after))
    assert not separate(after)


def test_separating_one_lesion_keeps_the_largest_piece_and_every_other_lesion() -> None:
    labels = bar()
    labels[2, 4, 8] = 0
    labels[1, 2, 2] = 0
    after = applied(labels, separate(labels, 3, new=40))
    assert (after[labels == 7] == 7).all()
    assert after[2, 4, 13] == 3
    assert after[2, 4, 4] == 40


def test_relabelling_moves_a_lesion_to_a_free_number_only() -> None:
    labels = bar()
    after = applied(labels, relabel(labels, 3, 9))
    assert (after == np.where(labels == 3, 9, labels)).all()
    with pytest.raises(ToolError, match="merge"):
        relabel(labels, 3, 7)
    with pytest.raises(ToolError, match="65535"):
        relabel(labels, 3, 65536)
    assert not relabel(labels, 3, 3)


def test_splitting_cuts_at_the_neck() -> None:
    labels = bar()
    after = applied(labels, split(labels, 3, (2, 4, 3), (1, 3, 13)))
    assert (after[:, :, :7][labels[:, :, :7] == 3] == 3).all()
    assert (after[:, :, 11:16][labels[:, :, 11:16] == 3] == 8).all()
    assert ((after > 0) == (labels > 0)).all()
    assert (after[labels == 7] == 7).all()


def test_the_spacing_decides_what_is_narrow() -> None:
    """A block with two notches: through its slices at one spacing, within them at the other."""
    labels = np.zeros((9, 9, 21), np.uint16)
    labels[:, 1:8, 2:19] = 1
    labels[4, 1:3, :] = labels[4, 6:8, :] = 0
    labels[:, 1:3, 10] = labels[:, 6:8, 10] = 0
    a, b = (1, 4, 4), (7, 4, 16)
    thick = applied(labels, split(labels, 1, a, b, spacing=(8.0, 1.0, 1.0)))
    flat = applied(labels, split(labels, 1, a, b, spacing=(1.0, 8.0, 8.0)))
    assert (thick != flat).any()
    for after in (thick, flat):
        assert after[a] == 1
        assert after[b] == 2
        assert ((after > 0) == (labels > 0)).all()


@settings(max_examples=40)
@given(VOLUMES, st.data())
def test_a_split_has_both_halves_and_touches_no_other_lesion(labels: np.ndarray, data: st.DataObject) -> None:
    places = np.argwhere(labels == 1)
    if len(places) < 2:
        return
    first, second = (tuple(places[i].tolist()) for i in data.draw(st.permutations(range(len(places))))[:2])
    after = applied(labels, split(labels, 1, first, second, new=9))
    assert after[first] == 1
    assert after[second] == 9
    assert (np.where(after == 9, 1, after) == labels).all()


def test_what_is_not_there_is_refused_by_name() -> None:
    labels = bar()
    for call in (
        lambda: delete(labels, 4),
        lambda: merge(labels, [3, 4]),
        lambda: relabel(labels, 4, 9),
        lambda: separate(labels, 4),
    ):
        with pytest.raises(ToolError, match="no lesion 4"):
            call()
    with pytest.raises(ToolError, match="not in lesion 3"):
        split(labels, 3, (2, 4, 3), (0, 0, 0))
    with pytest.raises(ToolError, match="not in lesion 3"):
        split(labels, 3, (2, 4, 3), (2, 4, 99))
    with pytest.raises(ToolError, match="same voxel"):
        split(labels, 3, (2, 4, 3), (2, 4, 3))
    with pytest.raises(ToolError, match="there already"):
        split(labels, 3, (2, 4, 3), (2, 4, 13), new=7)


def test_labels_run_out_with_a_message() -> None:
    labels = bar()
    labels[4, 0, 0] = 65535
    with pytest.raises(ToolError, match="no free label"):
        split(labels, 3, (2, 4, 3), (2, 4, 13))
