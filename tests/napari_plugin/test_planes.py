"""Axial, coronal and sagittal planes in a window, with the patient's sides where they are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from app_model.types import KeyBinding

from metseg.napari_plugin.layers import study_layers
from metseg.napari_plugin.patient_sides import PatientSides, sides_of
from metseg.napari_plugin.planes import Planes, planes_of
from metseg.study import Geometry, Sequence, Study, read_study

Wait = Callable[..., None]


@pytest.fixture
def nifti(tmp_path: Path, study: Study) -> Path:
    """FLAIR of the head as a NIfTI whose first voxel lies far from the origin."""
    affine = np.diag([-0.9, -0.9, 5.0, 1.0])
    affine[:3, 3] = 71, 83, -42
    path = tmp_path / "P1_flair.nii.gz"
    nibabel.save(nibabel.Nifti1Image(study.voxels[1].transpose(2, 1, 0), affine), path)
    return path


@pytest.fixture
def planes(viewer: Any, nifti: Path, patiently: Wait) -> Iterator[Planes]:
    """The planes of a window in which the NIfTI is open; taken away again."""
    pytest.importorskip("napari_orthogonal_views")
    viewer.open(str(nifti), plugin="napari-metseg")
    planes = planes_of(viewer)
    planes.toggle()
    patiently(lambda: planes.shown)
    yield planes
    if planes.shown:
        planes.toggle()


def image_of(geometry: Geometry) -> Any:
    from napari.layers import Image

    study = Study("head", np.zeros((1, 4, 5, 6), np.uint8), (Sequence.FLAIR,), geometry=geometry)
    data, keywords, _ = study_layers(study)[0]
    return Image(data, **keywords)


def test_planes_take_no_key_of_the_studio(planes: Planes, viewer: Any) -> None:
    from metseg.napari_plugin.studio.shortcuts import taken_by_napari

    assert planes.shown
    assert KeyBinding.from_str("Shift+P") in taken_by_napari()
    assert KeyBinding.from_str("T") not in taken_by_napari()


@pytest.mark.parametrize("orientation", ["LPS", "RAS", "PIR", "LIP", "ASL", "IPR"])
def test_sides_are_those_that_the_axes_run_to(orientation: str) -> None:
    geometry = Geometry.placed(np.diag([-1.0, -1.0, 3.0, 1.0])).turned((4, 5, 6), orientation)[0]
    assert sides_of([image_of(geometry)]) == tuple(reversed(orientation))


def test_an_oblique_head_has_the_sides_nearest_to_its_axes(oblique: np.ndarray) -> None:
    assert sides_of([image_of(Geometry.placed(oblique))]) == ("S", "P", "L")


def test_a_layer_that_is_mirrored_in_napari_has_its_sides_mirrored() -> None:
    image = image_of(Geometry.placed(np.diag([-1.0, -1.0, 3.0, 1.0])))
    image.scale = (3, 1, -1)
    assert sides_of([image]) == ("S", "P", "R")


def test_nothing_is_said_where_it_is_not_known_or_images_disagree() -> None:
    axial = image_of(Geometry.placed(np.diag([-1.0, -1.0, 3.0, 1.0])))
    other = image_of(Geometry.placed(np.diag([1.0, -1.0, 3.0, 1.0])))
    unknown = image_of(Geometry.spaced((3.0, 1.0, 1.0)))
    assert sides_of([]) is sides_of([unknown]) is sides_of([axial, unknown]) is sides_of([axial, other]) is None
    assert sides_of([axial, axial]) == ("S", "P", "L")


def test_letters_follow_what_is_displayed(qapp: Any, nifti: Path) -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    sides, second = PatientSides(viewer), PatientSides(viewer)
    assert sides.letters == ()
    viewer.add_layer(image_of(read_study(nifti).geometry))
    texts = [overlay.text for key, overlay in viewer.canvas.overlays.items() if key.startswith("metseg")]
    assert texts == ["A", "P", "R", "L"], "top, bottom, left, right; once, though two parts of the plugin ask"
    viewer.dims.order = (1, 0, 2)
    assert sides.letters == ("I", "S", "R", "L")
    viewer.scene.camera.orientation2d = ("up", "left")
    assert sides.letters == ("S", "I", "L", "R")
    viewer.dims.ndisplay = 3
    assert sides.letters == ()
    sides.close()
    second.show()
    assert len([key for key in viewer.canvas.overlays if key.startswith("metseg")]) == 4
    second.close()
    assert not [key for key in viewer.canvas.overlays if key.startswith("metseg")]


@pytest.mark.slow
def test_planes_lie_as_radiologists_look_at_them(viewer: Any, planes: Planes) -> None:
    sagittal, coronal = planes.models
    assert [sides.letters for sides in planes.sides] == [("S", "I", "A", "P"), ("S", "I", "R", "L")]
    assert coronal.dims.displayed == (0, 2)
    assert sagittal.dims.displayed == (0, 1)
    heights = np.array([tuple(model.layers[0].scale) for model in planes.models])
    np.testing.assert_allclose(heights, [(5.0, 0.9, 0.9)] * 2, rtol=1e-6)  # in mm: 20 slices are 100 mm high


@pytest.mark.slow
def test_planes_and_crosshair_meet_in_the_same_point_of_the_patient(viewer: Any, planes: Planes) -> None:
    layer = viewer.layers[0]
    sagittal, coronal = planes.models
    coronal.dims.set_point((0, 2), layer.data_to_world((4, 30, 20))[::2])
    viewer.dims.set_point(1, layer.data_to_world((4, 30, 20))[1])
    for model in (viewer, sagittal, coronal):
        np.testing.assert_allclose(layer.world_to_data(model.dims.point), (4, 30, 20), atol=1e-4)
        crosshair = _crosshair(model)
        through = {round(float(value), 3) for value in crosshair[np.abs(crosshair) < 1e5]}
        assert through == {round(float(value), 3) for value in np.array(model.dims.point)[list(model.dims.order)]}


def _crosshair(model: Any) -> np.ndarray:
    """Ends of the lines of the crosshair on the canvas of a viewer."""
    from napari.qt import QtViewer
    from napari_orthogonal_views.cross_hair_overlay import Crosshairs
    from qtpy.QtWidgets import QApplication

    model = getattr(model, "__wrapped__", model)
    (window,) = (one for one in QApplication.allWidgets() if isinstance(one, QtViewer) and one.viewer is model)
    nodes, found = [window.canvas.view.scene], []
    while nodes:
        node = nodes.pop()
        nodes += node.children
        if isinstance(node, Crosshairs):
            found.append(node)
    (crosshair,) = found
    assert crosshair.visible
    return np.asarray(crosshair.pos)


@pytest.mark.slow
def test_the_widgets_button_shows_and_hides_them(
    viewer: Any, open_widget: Callable[..., Any], nifti: Path, patiently: Wait
) -> None:
    pytest.importorskip("napari_orthogonal_views")
    widget = open_widget()
    assert not widget.input.planes.isEnabled()
    viewer.open(str(nifti), plugin="napari-metseg")
    assert widget.sides.letters == ("A", "P", "R", "L")
    widget.input.planes.click()
    assert planes_of(viewer).shown
    widget.input.planes.click()
    assert not planes_of(viewer).shown
    assert [key for key in viewer.canvas.overlays if key.startswith("metseg")], "the letters of the window itself stay"


@pytest.mark.slow
def test_what_is_painted_in_a_plane_is_the_outlines_and_can_be_undone(
    viewer: Any, planes: Planes, open_widget: Callable[..., Any], patiently: Wait
) -> None:
    widget = open_widget()
    labels = viewer.add_labels(np.zeros((6, 64, 64), np.uint8), name="mine", **_lying_like(viewer.layers[0]))
    patiently(lambda: not widget.controller.busy)
    _, coronal = planes.models
    there = coronal.layers["mine"]
    there.brush_size = 1
    there.paint((3, 30, 20), 1)
    assert labels.data[3, 30, 20] == 1
    patiently(lambda: not widget.controller.busy)
    assert widget.state.summary.startswith("1 lesion")
    assert widget.state.edited
    there.undo()
    assert not labels.data.any()


def _lying_like(image: Any) -> dict[str, Any]:
    return {"scale": image.scale, "translate": image.translate, "units": image.units}


def test_the_extra_is_named_where_the_plugin_is_missing(
    viewer: Any, notifications: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    from metseg.napari_plugin.planes import toggle_planes

    monkeypatch.setitem(sys.modules, "napari_orthogonal_views.ortho_view_manager", None)
    toggle_planes(viewer)
    assert "napari-metseg[napari]" in notifications[-1]
