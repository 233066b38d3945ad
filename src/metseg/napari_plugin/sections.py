"""The widget's sections: each shows part of the state and puts the user's choices into it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from metseg import DEFAULT_MODEL
from metseg.lesions import TargetChoice
from metseg.napari_plugin import pipeline
from metseg.napari_plugin.controls import Choice, ClaheBox, Hint, NamedButton, Option, Part, Section, rename
from metseg.napari_plugin.outline_display import FILL_KEY, HIDE_KEY
from metseg.napari_plugin.sequence_table import SequenceTable
from metseg.napari_plugin.spacing import SpacingField
from metseg.napari_plugin.state import Activity, ModelChoice, SegmentationState, Slices
from metseg.napari_plugin.waiting import Waiting
from metseg.preprocessing import Clahe
from metseg.study import Sequence, StudyFiles

_DEVICE_TITLES = {"auto": "Automatic", "cpu": "CPU", "cuda": "GPU (CUDA)", "mps": "GPU (Apple)"}
_MOST_VOXELS = 1_000_000
_MOST_CLIP = 8.0
_USUAL = {
    Clahe.ON: "This network is meant for equalised slices.",
    Clahe.OFF: "This network is meant for slices that are not equalised.",
    Clahe.AVERAGE: "This network is meant to average plain and equalised slices.",
}


class InputSection(Section[SegmentationState]):
    """Which image, which network, where it runs."""

    def __init__(
        self,
        state: SegmentationState,
        open_model: Callable[[], object],
        name_sequence: Callable[[int, Sequence | None], object],
        open_patient: Callable[[StudyFiles], object],
        state_spacing: Callable[[tuple[float, float, float]], object],
        show_planes: Callable[[], object],
    ) -> None:
        super().__init__("Image and network", state)
        self.patient = Choice(open_patient)
        self.patient.setToolTip("The patients of the folder that was opened. Another one takes the place of this one.")
        self.image = Choice(lambda layer: setattr(state, "image", layer), "No image is open")
        self.image.setToolTip("The study to segment. Its sequences are gathered from all its layers.")
        self.sequences = SequenceTable(name_sequence)
        self.spacing = SpacingField(state_spacing)
        self.planes = QPushButton("Orthogonal planes")
        self.planes.setObjectName("secondary")
        self.planes.setToolTip("Axial, coronal and sagittal planes beside each other, with a crosshair; or one again.")
        self.planes.clicked.connect(lambda: show_planes())
        self.target = Choice(lambda target: setattr(state, "target", target))
        self.target.setToolTip("What the automatic choice of networks outlines.")
        self.model = Choice(lambda key: setattr(state, "model", key), "No network found")
        self.open_model = QToolButton()
        self.open_model.setText("…")
        self.open_model.setObjectName("openModel")
        self.open_model.setToolTip("Open a network from a .safetensors file, such as one that metseg train wrote.")
        self.open_model.clicked.connect(open_model)
        self.summary = Hint()
        self.research = Hint()
        self.research.say("Research use only: every outline must be checked by a person.")
        self.device = Choice(lambda device: setattr(state, "device", device))
        self.device.setToolTip("Where the network runs. Automatic takes the fastest device of this computer.")
        self.add_row("Patient", self.patient)
        self.add_row("Image", self.image)
        self.add_wide(self.sequences)
        self.add_row("Spacing (mm)", self.spacing)
        self.add_wide(self.planes)
        self.add_row("Network", self.model, self.open_model)
        self.add_row("Outline", self.target)
        self.add_wide(self.summary)
        self.add_wide(self.research)
        self.add_row("Device", self.device)
        self.follow(state.events, ("patients", "patient"), self._show_patients)
        self.follow(state.events, ("images", "image"), self._show_images)
        self.follow(state.events, ("sequence_rows",), self._show_sequences)
        self.follow(state.events, ("image",), self.spacing.clear)
        self.follow(state.events, ("image", "spacing", "spacing_asked"), self._show_spacing)
        shown = ("models", "model", "searching", "opening", "sequences", "target", "automatic", "unavailable")
        self.follow(state.events, shown, self._show_models)
        self.follow(state.events, ("devices", "device"), self._show_devices)
        self._show_patients()
        self._show_images()
        self._show_sequences()
        self._show_spacing()
        self._show_models()
        self._show_devices()

    def _show_patients(self) -> None:
        patients = self.state.patients
        here = next((files for files in patients if files.name == self.state.patient), None)
        self.patient.offer([Option(files, files.name, str(files.folder)) for files in patients], here)
        self.show_row(self.patient, len(patients) > 1)

    def _show_images(self) -> None:
        options = [Option(choice.layer, choice.title, choice.layer.name) for choice in self.state.images]
        self.image.offer(options, self.state.image)

    def _show_sequences(self) -> None:
        self.sequences.show_rows(self.state.sequence_rows)

    def _show_spacing(self) -> None:
        self.spacing.show_spacing(self.state.spacing)
        self.show_row(self.spacing, self.state.spacing_asked)
        self.planes.setEnabled(self.state.image is not None)

    def _show_models(self) -> None:
        self.model.offer(model_options(self.state.models, self.state.sequences), self.state.model)
        titles = [(choice, choice.value.replace("-", " ").capitalize()) for choice in TargetChoice]
        options = [Option(None, "What the sequences show"), *(Option(*one) for one in titles)]
        self.target.offer(options, self.state.target)
        self.target.setEnabled(self.state.model == DEFAULT_MODEL)
        card = self.state.card
        self.summary.say(_network_line(self.state))
        self.model.setToolTip(card.notes or card.summary if card else "The network that proposes the outline.")

    def _show_devices(self) -> None:
        options = [Option(name, device_title(name)) for name in self.state.devices]
        self.device.offer(options, self.state.device)


class EnhanceSection(Section[SegmentationState]):
    """Contrast enhancement before the network, with a look at it."""

    def __init__(self, state: SegmentationState) -> None:
        super().__init__("Contrast", state)
        self.clahe = ClaheBox(lambda choice: setattr(state, "clahe", choice))
        self.preview = QCheckBox("Preview")
        self.preview.setToolTip("Show the current slice as the network will see it, in a temporary layer.")
        self.preview.toggled.connect(lambda on: setattr(state, "preview", on))
        self.clip_limit = _slider(0.5, _MOST_CLIP, 1)
        self.clip_limit.setToolTip("How far contrast may be raised: higher shows more, noise included.")
        self.clip_limit.valueChanged.connect(lambda value: setattr(state, "clip_limit", round(value, 2)))
        self.usual = Hint()
        boxes = QWidget()
        row = QHBoxLayout(boxes)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.clahe)
        row.addStretch(1)
        row.addWidget(self.preview)
        self.add_wide(boxes)
        self.add_row("Clip limit", self.clip_limit)
        self.add_wide(self.usual)
        self.follow(
            state.events, ("clahe", "clip_limit", "preview", "model", "models", "automatic", "image"), self._show
        )
        self._show()

    def _show(self) -> None:
        state = self.state
        with QSignalBlocker(self.clahe), QSignalBlocker(self.preview), QSignalBlocker(self.clip_limit):
            self.clahe.show_choice(state.clahe, state.card)
            self.preview.setChecked(state.preview)
            self.clip_limit.setValue(state.clip_limit)
        self.clip_limit.setEnabled(state.clahe is not Clahe.OFF)
        ready = state.image is not None and state.card is not None
        self.preview.setEnabled(ready)
        self.usual.say(_difference_from_card(state))


class OutlineSection(Section[SegmentationState]):
    """Where the outline begins."""

    def __init__(self, state: SegmentationState) -> None:
        super().__init__("Outline", state)
        self.threshold = _slider(0.01, 0.99, 2)
        self.threshold.setToolTip("Probability from which a voxel is lesion. Acts on the last run at once.")
        self.threshold.valueChanged.connect(lambda value: setattr(state, "threshold", round(value, 3)))
        self.smallest = QSpinBox()
        self.smallest.setRange(0, _MOST_VOXELS)
        self.smallest.setSuffix(" voxels")
        self.smallest.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.smallest.setToolTip("Lesions of fewer voxels are dropped. Acts on the last run at once.")
        self.smallest.valueChanged.connect(lambda value: setattr(state, "smallest", value))
        self.add_row("Threshold", self.threshold)
        self.add_row("Smallest lesion", self.smallest)
        self.follow(state.events, ("threshold", "smallest"), self._show)
        self._show()

    def _show(self) -> None:
        with QSignalBlocker(self.threshold), QSignalBlocker(self.smallest):
            self.threshold.setValue(self.state.threshold)
            self.smallest.setValue(self.state.smallest)


class RunSection(Part[SegmentationState]):
    """Run and Cancel; below them how far it is, then what came of it."""

    def __init__(self, state: SegmentationState, run: Callable[[], object], cancel: Callable[[], object]) -> None:
        super().__init__(state)
        self.run = QPushButton("Run")
        self.run.setObjectName("primary")
        self.run.clicked.connect(run)
        self.cancel = QPushButton("Cancel")
        self.cancel.setObjectName("secondary")
        self.cancel.clicked.connect(cancel)
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.summary = QLabel()
        self.summary.setObjectName("result")
        self._waiting = Waiting()
        self.slow = Hint()
        self._below = QStackedWidget()
        self._below.setFixedHeight(26)
        self._below.addWidget(self.summary)
        self._below.addWidget(self.progress)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.run, 1)
        buttons.addWidget(self.cancel)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(buttons)
        layout.addWidget(self._below)
        layout.addWidget(self.slow)
        shown = (
            "activity",
            "progress",
            "image",
            "model",
            "models",
            "searching",
            "opening",
            "summary",
            "reference",
            "outline",
            "outlines",
            "automatic",
            "unavailable",
        )
        self.follow(state.events, shown, self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        idle = state.activity is Activity.IDLE
        self.run.setEnabled(not state.obstacle)
        self.run.setToolTip(state.obstacle or "Outline the lesions of this study.")
        self.cancel.setEnabled(state.activity in (Activity.RUNNING, Activity.EXPORTING))
        self.cancel.setToolTip("Nothing is running." if idle else "Stop. Nothing is changed.")
        self.summary.setText(_summary(state))
        rename(self.summary, "result" if state.summary and not state.reference else "noResult")
        self.progress.setRange(0, state.progress.total)
        self.progress.setValue(state.progress.done)
        self.progress.setFormat(self._waiting.words(state.activity, state.progress, "slice"))
        key = state.automatic[0] if state.model == DEFAULT_MODEL and state.automatic else state.model
        quicker = pipeline.faster(state.models, key, state.sequences) if self._waiting.slow else ""
        self.slow.say(f"Slow here; {quicker}." if quicker else "")
        self._below.setCurrentWidget(self.summary if idle else self.progress)


class ResultSection(Section[SegmentationState]):
    """Which outline that is, what to know about it, and its export."""

    def __init__(
        self,
        state: SegmentationState,
        anew: Callable[[], object],
        confirm: Callable[[bool], object],
        export: Callable[[], object],
    ) -> None:
        super().__init__("Result", state)
        self.outline = Choice(lambda layer: setattr(state, "outline", layer), "No outline yet")
        self.outline.setPlaceholderText("No result yet")
        self.outline.setToolTip(
            "The labels layer that is counted and exported; every label counts as lesion.\n"
            f"{FILL_KEY}: contours or fill. {HIDE_KEY}, held: hide."
        )
        self.edited = Hint()
        self.anew = QPushButton("Outline anew in another layer")
        self.anew.setToolTip("The outline as threshold and smallest lesion give it now, beside the edited one.")
        self.anew.clicked.connect(anew)
        self.notices = Hint("notice")
        self.confirm = QCheckBox("The shown slice is right as it is")
        self.confirm.setToolTip("Confirmed slices are exported with the edited ones, and no run changes them.")
        self.confirm.toggled.connect(confirm)
        self.slices = Choice(lambda slices: setattr(state, "slices", slices))
        self.slices.setToolTip("Training takes a slice without lesion as healthy: export only what you checked.")
        self.slices.offer([Option(slices, slices.value.capitalize()) for slices in Slices], state.exported_slices)
        self.export = NamedButton("Export training pairs …")
        self.export.setObjectName("secondary")
        self.export.clicked.connect(export)
        self.add_row("Layer", self.outline)
        self.add_wide(self.edited)
        self.add_wide(self.anew)
        self.add_wide(self.confirm)
        self.add_row("Slices", self.slices)
        self.add_wide(self.export)
        self.add_wide(self.notices)
        shown = (
            "outlines",
            "outline",
            "slices",
            "activity",
            "origin",
            "edited",
            "confirmed",
            "outdated",
            "notices",
        )
        self.follow(state.events, shown, self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        outlines = [Option(choice.layer, choice.title, choice.title) for choice in state.outlines]
        self.outline.offer(outlines, state.outline)
        self.slices.show_chosen(state.exported_slices)
        with QSignalBlocker(self.confirm):
            self.confirm.setChecked(bool(state.confirmed))
        self.confirm.setEnabled(state.confirmed is not None)
        named = "" if state.outline is None else f"{state.outline.name} ({state.origin})"
        self.export.name(*(() if state.outline is None else (state.outline.name, state.origin)))
        self.export.setEnabled(not state.export_obstacle)
        self.export.setToolTip(
            state.export_obstacle
            or f"Write <slice>.tif and <slice>_mask.tif of {named}, which metseg train reads as they are."
        )
        if state.outdated:
            self.edited.say("These settings leave your work alone.")
        else:
            self.edited.say("A run will add a new layer and leave your work alone." if state.edited else "")
        self.anew.setVisible(state.outdated)
        self.notices.say("\n".join(state.notices))


def _summary(state: SegmentationState) -> str:
    if state.summary or not state.outlines:
        return state.summary or "No outline yet"
    return "Reference mask; no result yet" if state.outline is None else ""


def model_options(models: tuple[ModelChoice, ...], sequences: tuple[Sequence, ...]) -> list[Option]:
    """The automatic choice, then networks; those that cannot be used, or do not fit the sequences, are greyed out."""
    options = []
    for choice in models:
        reason = pipeline.misfit_of(choice, sequences)
        usable = choice.card is not None and not reason
        options.append(Option(choice.key, choice.title, reason or choice.summary, usable))
    automatic = Option(DEFAULT_MODEL, "Automatic", "The network that fits the sequences of the image.")
    return [automatic, *options] if any(choice.card is not None for choice in models) else options


def _slider(low: float, high: float, decimals: int) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setDecimals(decimals)
    slider.setSingleStep(10.0**-decimals)  # type: ignore[arg-type]  # superqt declares the integer slider's
    return slider


def device_title(name: str) -> str:
    """A device in the user's words."""
    kind, _, index = name.partition(":")
    title = _DEVICE_TITLES.get(kind, kind)
    return f"{title} {index}" if index else title


def _network_line(state: SegmentationState) -> str:
    card = state.card
    if state.opening:
        return f"Opening {Path(state.opening).name} …"
    if state.searching:
        return "Looking for networks …"
    if state.model == DEFAULT_MODEL and state.models:
        chosen = [choice.summary for choice in state.models if choice.key in state.cards]
        named = [f"{key}: {summary}" for key, summary in zip(state.cards, chosen, strict=False)]
        return state.unavailable or "\n".join(named) or "Open an image: the network is chosen by its sequences."
    if card is not None:
        choice = next(choice for choice in state.models if choice.key == state.model)
        return "\n".join(filter(None, (pipeline.misfit_of(choice, state.sequences), choice.summary)))
    problem = next((choice.problem for choice in state.models if choice.problem), "No network is installed.")
    return f"{problem}\nOpen one with the … button, or train one with metseg train."


def _difference_from_card(state: SegmentationState) -> str:
    card = state.card
    if card is None:
        return ""
    if state.clahe is not card.clahe:
        return _USUAL[card.clahe]
    usual = card.preprocessing.with_clahe(True).clahe
    if state.clahe is Clahe.OFF or usual is None or abs(state.clip_limit - usual.clip_limit) < 0.05:
        return ""
    return f"This network's own clip limit is {usual.clip_limit:g}."
