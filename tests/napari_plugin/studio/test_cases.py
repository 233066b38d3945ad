"""Cases are opened, switched, shared with others, and never lost with a disk, a layer or a window."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from metseg.curation import EditKind, Project, Status
from metseg.errors import CaseBusyError, DataError
from metseg.napari_plugin.studio.state import Saved
from metseg.study import find_studies, load, read_tiff, write_tiff

Wait = Callable[..., None]


def _open(studio: Any, name: str, patiently: Wait, **how: Any) -> Any:
    studio.open_case(name, **how)
    patiently(lambda: not studio.busy)
    return studio.state.case


def _shows_nothing(model: Any) -> bool:
    """Whether nothing of the studio's is left in the list of layers."""
    return len(model.layers) == 0


def test_a_project_is_made_and_its_cases_are_listed(
    model: Any, tmp_path: Path, data: Path, patiently: Wait, notifications: list[str]
) -> None:
    from metseg.napari_plugin.studio.studio import Studio

    (data / "bob" / "broken.tif").write_bytes(b"II*\0 is no image")
    studio = Studio(model)
    studio.create_project(tmp_path / "made", data)
    patiently(lambda: studio.state.project is not None and not studio._run.busy)
    assert [case.name for case in studio.state.cases] == ["ada", "bob"]
    assert any("broken.tif" in text for text in studio.state.messages)
    studio.create_project(tmp_path / "data", data)
    patiently(lambda: any("is not empty" in text for text in notifications))
    assert studio.state.project.path == tmp_path / "made"
    studio.close()


def test_opening_shows_images_and_labels_where_they_lie(studio: Any, model: Any, project: Project) -> None:
    case = studio.state.case
    assert [layer.name for layer in model.layers] == ["image · ada", "lesions · ada"]
    for layer in model.layers:
        assert tuple(layer.scale) == (3.0, 0.5, 0.5)
        assert {str(unit) for unit in layer.units} == {"millimeter"}
    np.testing.assert_array_equal(case.guide, read_tiff(project.path.parent / "data/ada/ada.tif")[:, 0])
    assert model.layers.selection.active is case.labels
    assert case.labels.selected_label == 1
    assert (studio.state.saved, studio.state.status) == (Saved.SAVED, Status.TODO)
    assert studio.shown_slice == 3
    before = tuple(model.scene.camera.center)
    studio.go_to(1, 10, 20)
    assert studio.shown_slice == 1
    assert tuple(model.scene.camera.center) == before, "it is seen already"
    model.scene.camera.zoom *= 8
    studio.go_to(1, 0, 0)
    centre, seen = np.array(model.scene.camera.center[-2:]), np.array(model.canvas.size) / model.scene.camera.zoom
    np.testing.assert_allclose(centre, seen / 2 - 0.25, atol=1e-6, err_msg="not further than the image reaches")


def test_the_next_case_takes_over_the_layers_and_nothing_else(
    studio: Any, model: Any, project: Project, patiently: Wait
) -> None:
    ada = studio.state.case
    ada.labels.paint((1, 10, 10), 1)
    drawn = ada.labels.data.copy()
    ada.images[0].colormap = "viridis"
    before = list(model.layers)
    model.status = "lesions · ada [1 10 10]: 1"
    bob = _open(studio, "bob", patiently)
    assert list(model.layers) == before
    assert model.status == "Ready", "the status bar names no case that was left"
    assert [layer.name for layer in model.layers] == ["image · bob", "lesions · bob"]
    assert model.layers[0].colormap.name == "viridis"
    np.testing.assert_array_equal(model.layers[0].data, bob.study.voxels[0])
    assert not bob.labels.data.any()
    bob.labels.undo()
    assert not bob.labels.data.any(), "bob has no history of ada's"
    bob.labels.paint((2, 5, 5), 2)
    assert studio.flush()
    np.testing.assert_array_equal(project.read_case("ada").labels, drawn)
    np.testing.assert_array_equal(project.read_case("bob").labels, bob.labels.data)
    again = _open(studio, "ada", patiently)
    np.testing.assert_array_equal(again.labels.data, drawn)
    studio.close_case()
    patiently(lambda: _shows_nothing(model))
    with project.open_case("ada", timeout=10) as session:
        assert session.recovery is None
    assert _open(studio, "ada", patiently).labels is again.labels
    assert list(model.layers) == before
    assert [layer.visible for layer in model.layers] == [True, True]
    np.testing.assert_array_equal(again.labels.data, drawn)
    again.labels.undo()
    np.testing.assert_array_equal(again.labels.data, drawn)


def test_a_case_of_another_size_takes_over_the_layers_also_while_they_are_hidden(
    make_studio: Any, model: Any, project: Project, tmp_path: Path, patiently: Wait
) -> None:
    path = tmp_path / "cyd" / "cyd.tif"
    path.parent.mkdir()
    write_tiff(path, np.random.default_rng(2).integers(0, 255, (9, 32, 24), np.uint8), spacing=(1.0, 2.0, 2.0))
    project.add(load(find_studies(path.parent)[0]).studies[0])
    studio = make_studio(model, "cyd")
    model.layers[0].visible = False
    before = list(model.layers)
    for name, shape in (("ada", (6, 48, 40)), ("cyd", (9, 32, 24))):
        case = _open(studio, name, patiently)
        assert list(model.layers) == before
        assert [layer.visible for layer in before] == [False, True]
        assert model.dims.nsteps == shape, "the sliders know the new size"
        assert {tuple(layer.scale) for layer in before} == {case.study.geometry.spacing}
        case.labels.paint((shape[0] - 1, 20, 20), 1)
        assert case.labels.data[-1, 20, 20] == 1


def _once_shown(studio: Any, image: Any, act: Callable[[], object]) -> list[bool]:
    """Call ``act`` between the first and the next turn in which ``image`` and the others come to show another case.

    Returns
    -------
    list of bool
        Filled then: whether turns were left.
    """
    turns_left: list[bool] = []

    def later() -> None:
        turns_left.append(studio.cases._showing_case.busy)
        act()

    def renamed() -> None:
        image.events.name.disconnect(renamed)
        QTimer.singleShot(0, later)

    image.events.name.connect(renamed)
    return turns_left


def test_a_case_that_is_asked_for_while_another_is_being_shown_is_the_one_that_opens(
    studio: Any, model: Any, project: Project, patiently: Wait
) -> None:
    image, labels = model.layers
    seen: list[tuple[str, bool]] = []

    def look_and_turn_back() -> None:
        seen.append((labels.name, labels.visible))
        studio.open_case("ada")

    turned_back = _once_shown(studio, image, look_and_turn_back)
    studio.open_case("bob")
    patiently(lambda: turned_back and not studio.busy)
    assert turned_back == [True]
    assert ("lesions · ada", True) not in seen, "ada's lesions are not seen on bob's head"
    assert studio.state.case.name == "ada"
    assert [layer.name for layer in model.layers] == ["image · ada", "lesions · ada"]
    assert model.layers[-1].visible
    closing = _once_shown(studio, image, studio.close_case)
    studio.open_case("bob")
    patiently(lambda: closing and _shows_nothing(model))
    assert closing == [True]
    with project.open_case("bob", timeout=10) as session:
        assert session.recovery is None


def test_many_cases_asked_for_at_once_end_with_the_last(studio: Any, project: Project, patiently: Wait) -> None:
    for name in ("bob", "ada", "bob", "ada"):
        studio.open_case(name)
    patiently(lambda: not studio.busy)
    assert studio.state.case.name == "ada"
    assert studio.state.editable
    assert studio.state.refused == ""
    studio.state.case.labels.paint((1, 10, 10), 1)
    studio.close()
    for name in ("ada", "bob"):
        with project.open_case(name, timeout=10) as session:
            assert session.recovery is None


def test_statuses_are_set_after_what_was_drawn(
    studio: Any, project: Project, patiently: Wait, notifications: list[str]
) -> None:
    studio.state.case.labels.paint((1, 10, 10), 1)
    studio.cases.set_status(Status.APPROVED)
    patiently(lambda: studio.state.status is Status.APPROVED, 20)
    assert next(case for case in studio.state.cases if case.name == "ada").status is Status.APPROVED
    studio.cases.set_status(Status.REJECTED, "moved")
    patiently(lambda: studio.state.reason == "moved", 20)
    studio.cases.set_status(Status.REJECTED)
    patiently(lambda: any("say why" in text for text in notifications), 20)
    studio.cases.set_status(Status.CORRECTED)
    patiently(lambda: studio.state.status is Status.CORRECTED, 20)
    kinds = [str(record.kind) for record in project.read_case("ada").history()]
    assert kinds == ["begin", "stroke", "status", "status", "status"]
    with studio.state.case.labels.block_history():
        studio.cases.set_status(Status.APPROVED)
    assert any("finish the stroke" in text for text in notifications)


def test_a_second_window_may_look_but_not_touch(
    studio: Any, make_studio: Any, project: Project, patiently: Wait, notifications: list[str]
) -> None:
    from napari.components import ViewerModel

    studio.state.case.labels.paint((1, 10, 10), 1)
    assert studio.flush()
    other = make_studio(ViewerModel(), "ada")
    assert other.state.case is None
    assert other.state.refused == "ada"
    assert "process" in other.state.refusal
    assert any("is open in" in text for text in notifications)
    case = _open(other, "ada", patiently, read_only=True)
    assert "read only" in case.labels.name
    np.testing.assert_array_equal(case.labels.data, studio.state.case.labels.data)
    assert (other.state.editable, other.state.saved) == (False, Saved.NOTHING)
    case.labels.mode = "paint"
    assert case.labels.mode == "pan_zoom"
    for edit in (
        lambda: case.labels.paint((2, 5, 5), 3),
        lambda: case.labels.fill((2, 5, 5), 3),
        lambda: setattr(case.labels, "data", case.labels.data + 1),
        lambda: case.labels.put((np.array([1]),) * 3, np.array([1], np.uint16), EditKind.TOOL),
    ):
        with pytest.raises(DataError, match="read-only"):
            edit()
    with pytest.raises(ValueError, match="read-only"):
        case.labels.data[0] = 1
    other.cases.set_status(Status.APPROVED)
    assert any("no case is open for editing" in text for text in notifications)
    other.close()
    view = project.read_case("ada")
    assert (view.status, len(list(view.history()))) == (Status.CORRECTED, 2)
    mine = _open(studio, "bob", patiently)
    assert mine.labels.editable


@pytest.mark.skipif(sys.platform == "win32", reason="locks are taken as on POSIX systems")
def test_a_case_that_cannot_be_locked_may_be_looked_at(
    studio: Any, project: Project, patiently: Wait, notifications: list[str]
) -> None:
    lock = project.path / "cases" / "bob" / "lock"
    lock.unlink(missing_ok=True)
    lock.mkdir()  # it cannot be taken then, as in a folder that is read-only
    assert _open(studio, "bob", patiently) is None
    assert studio.state.refused == "bob"
    assert "cannot be opened for editing" in studio.state.refusal
    patiently(lambda: _shows_nothing(studio.viewer))
    assert not _open(studio, "bob", patiently, read_only=True).labels.editable
    assert studio.state.refused == ""
    assert _open(studio, "ada", patiently).labels.editable


def test_what_a_crash_left_comes_back_and_is_told(
    make_studio: Any, model: Any, project: Project, notifications: list[str]
) -> None:
    code = (
        "import os, sys; from metseg.curation import EditKind, Project\n"
        "case = Project.open(sys.argv[1]).open_case('ada')\n"
        "labels = case.labels.copy(); labels[1, 3:9, 3:9] = 4\n"
        "case.commit(labels, EditKind.STROKE); os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(project.path)], check=False)
    studio = make_studio(model, "ada")
    assert (studio.state.case.labels.data[1, 3:9, 3:9] == 4).all()
    assert studio.state.case.labels.selected_label == 5
    assert any("1 change was brought back" in text for text in studio.state.messages)
    assert any("1 change was brought back" in text for text in notifications)


def test_labels_that_the_user_removes_are_saved_first(
    studio: Any, model: Any, project: Project, patiently: Wait
) -> None:
    layer = studio.state.case.labels
    layer.paint((1, 10, 10), 1)
    drawn = layer.data.copy()
    model.layers.remove(layer)
    assert studio.state.case is None
    np.testing.assert_array_equal(project.read_case("ada").labels, drawn)
    patiently(lambda: _shows_nothing(model), 20)
    with project.open_case("ada", timeout=10) as session:
        assert session.recovery is None
    assert _open(studio, "ada", patiently).labels.data.any()
    assert [layer.name for layer in model.layers] == ["image · ada", "lesions · ada"]
    assert [layer.visible for layer in model.layers] == [True, True]


def test_images_that_the_user_removes_are_back_with_the_next_case(studio: Any, model: Any, patiently: Wait) -> None:
    model.layers.remove(studio.state.case.images[0])
    _open(studio, "bob", patiently)
    assert [layer.name for layer in model.layers] == ["image · bob", "lesions · bob"]


def test_an_image_that_has_changed_is_refused_by_name(
    studio: Any, model: Any, data: Path, patiently: Wait, notifications: list[str]
) -> None:
    (data / "bob" / "bob.tif").unlink()
    assert _open(studio, "bob", patiently) is None
    assert any("bob.tif" in text and "is gone" in text for text in notifications)
    patiently(lambda: _shows_nothing(model))
    with pytest.raises(DataError, match="no case is open"):
        studio.apply(())


def test_the_studio_ends_with_the_case_closed(studio: Any, project: Project) -> None:
    layer = studio.state.case.labels
    with pytest.raises(CaseBusyError):
        project.open_case("ada")
    stroke = layer.block_history()
    stroke.__enter__()
    layer.paint((1, 10, 10), 1)
    studio.close()
    with project.open_case("ada") as session:
        np.testing.assert_array_equal(session.labels, layer.data)
        assert session.labels.any()
        assert session.recovery is None
    with pytest.raises(DataError):
        layer.paint((2, 10, 10), 1)
    stroke.gen.close()
