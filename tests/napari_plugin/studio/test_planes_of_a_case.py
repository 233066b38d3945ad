"""A case in three planes: what is painted in any of them is in the journal, and stays with its case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from metseg.curation import Project
from metseg.napari_plugin.planes import planes_of

Wait = Callable[..., None]


@pytest.mark.slow
def test_a_stroke_in_another_plane_is_kept_with_its_case(
    viewer: Any, widget: Any, project: Project, patiently: Wait, records: Any
) -> None:
    pytest.importorskip("napari_orthogonal_views")
    studio = widget.studio
    planes = planes_of(viewer)
    planes.toggle()
    _, coronal = planes.models
    there = coronal.layers[studio.state.case.labels.name]
    there.brush_size = 1
    there.paint((3, 20, 10), 2)
    studio.open_case("bob")
    patiently(lambda: not studio.busy)
    assert not studio.state.case.labels.data.any()
    assert not there.data.any(), "the plane shows the case that is open"
    there.undo()
    assert not studio.state.case.labels.data.any()
    studio.close_case()
    patiently(lambda: not studio.busy)
    planes.toggle()
    ada, bob = project.read_case("ada"), project.read_case("bob")
    np.testing.assert_array_equal(np.argwhere(ada.labels), [(3, 20, 10)])
    assert len(records(ada)) == 1
    assert not bob.labels.any()
    assert not records(bob)
