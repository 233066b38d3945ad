"""Patients of a folder that was opened: the first is shown, the others are listed and opened when they are chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from metseg.napari_plugin import outlines
from metseg.napari_plugin.background import WorkerMixin
from metseg.napari_plugin.layers import KEY, PATIENTS_KEY, Channel, LabelsMetadata, LayerData, make_layer, study_layers
from metseg.napari_plugin.messages import tell_error, tell_problems
from metseg.napari_plugin.state import SegmentationState
from metseg.study import Problem, StudyFiles, load

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class PatientList(WorkerMixin):
    """Keeps ``state.patients`` and ``state.patient``, and opens another patient in the place of the one before."""

    def __init__(self, viewer: ViewerModel, state: SegmentationState) -> None:
        super().__init__()
        self._viewer = viewer
        self._state = state
        self._loads = self.worker(self._on_loaded, tell_error)
        self.follow(viewer.layers.events, ("inserted",), self._on_inserted)
        for layer in viewer.layers:
            self._look_at(layer)

    def open(self, files: StudyFiles) -> None:
        """Read a patient in a thread, then show it; layers of the one before go, unless they hold a result or edits."""
        self._loads.submit(_loaded, files)

    def _on_inserted(self, event: Any) -> None:
        self._look_at(event.value)

    def _look_at(self, layer: Layer) -> None:
        patients = layer.metadata.get(PATIENTS_KEY)
        channel = layer.metadata.get(KEY)
        if patients and isinstance(channel, Channel):
            self._state.patients = patients
            self._state.patient = channel.study.name

    def _on_loaded(self, found: tuple[StudyFiles, list[LayerData], tuple[Problem, ...]]) -> None:
        files, layers, problems = found
        tell_problems(problems)
        if not layers:
            return
        before = [layer for layer in self._viewer.layers if _shows(layer, self._state.patient)]
        added = [make_layer(data) for data in layers]
        with self._viewer.layers.batched_update():
            for layer in added:
                layer.metadata[PATIENTS_KEY] = self._state.patients
                self._viewer.layers.append(layer)
            if any(outlines.is_result(layer) or _is_edited(layer) for layer in before):
                for layer in before:
                    layer.visible = False
            else:
                for layer in before:
                    self._viewer.layers.remove(layer)
        self._state.patient = files.name
        self._viewer.reset_view()


def _shows(layer: Layer, patient: str) -> bool:
    entry = layer.metadata.get(KEY)
    return isinstance(entry, Channel | LabelsMetadata) and entry.study.name == patient


def _is_edited(layer: Layer) -> bool:
    from napari.layers import Labels

    return isinstance(layer, Labels) and outlines.is_edited(layer)


def _loaded(files: StudyFiles) -> tuple[StudyFiles, list[LayerData], tuple[Problem, ...]]:
    result = load(files)
    problems = (*files.problems, *(problem for problem in result.problems if problem not in files.problems))
    return files, [layer for study in result.studies for layer in study_layers(study)], problems
