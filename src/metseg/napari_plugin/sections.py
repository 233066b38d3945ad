"""Sections of the widget for contrast, threshold, run and result: each shows part of the state and sets choices."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QCheckBox,
    QLabel,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QStackedWidget,
    QWidget,
)
from superqt import QLabeledDoubleSlider

from metseg import DEFAULT_MODEL
from metseg.napari_plugin import pipeline
from metseg.napari_plugin.controls import (
    Choice,
    ClaheBox,
    Hint,
    NamedButton,
    Option,
    Part,
    Section,
    column,
    rename,
    row,
)
from metseg.napari_plugin.outline_display import FILL_KEY, HIDE_KEY
from metseg.napari_plugin.runs import ProgressText
from metseg.napari_plugin.state import Activity, SegmentationState, Slices
from metseg.preprocessing import Clahe

_MOST_VOXELS = 1_000_000
_MOST_CLIP = 8.0
_CLIP = "How far contrast may be raised: higher shows more, noise included."
_SERVERS_CLIP = "On a server each network has its own clip limit."
_USUAL = {
    Clahe.ON: "This network is meant for equalised slices.",
    Clahe.OFF: "This network is meant for slices that are not equalised.",
    Clahe.AVERAGE: "This network is meant to average plain and equalised slices.",
}


class EnhanceSection(Section[SegmentationState]):
    """Contrast enhancement before the network, with a look at it."""

    def __init__(self, state: SegmentationState) -> None:
        super().__init__("Contrast", state)
        self.clahe = ClaheBox(lambda choice: setattr(state, "clahe", choice))
        tip = "Show the current slice as the network will see it, in a temporary layer."
        self.preview = self.field(state, "preview", text="Preview", tooltip=tip)
        self.clip_limit = _slider(0.5, _MOST_CLIP, 1)
        self.clip_limit.valueChanged.connect(lambda value: setattr(state, "clip_limit", round(value, 2)))
        self.usual = Hint()
        self.add_wide(row(self.clahe, QWidget(), self.preview, spacing=-1, stretch=(0, 1)))
        self.add_row("Clip limit", self.clip_limit)
        self.add_wide(self.usual)
        shown = ("clahe", "clip_limit", "model", "models", "automatic", "image", "remote")
        self.follow(state.events, shown, self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        self.clahe.show_choice(state.clahe, state.card)
        with QSignalBlocker(self.clip_limit):
            self.clip_limit.setValue(state.clip_limit)
        self.clip_limit.setEnabled(state.clahe is not Clahe.OFF and not state.remote)
        self.clip_limit.setToolTip(_SERVERS_CLIP if state.remote else _CLIP)
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
        self.smallest.valueChanged.connect(lambda value: setattr(state, "min_lesion_voxels", value))
        self.add_row("Threshold", self.threshold)
        self.add_row("Smallest lesion", self.smallest)
        self.follow(state.events, ("threshold", "min_lesion_voxels"), self._show)
        self._show()

    def _show(self) -> None:
        with QSignalBlocker(self.threshold), QSignalBlocker(self.smallest):
            self.threshold.setValue(self.state.threshold)
            self.smallest.setValue(self.state.min_lesion_voxels)


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
        self._progress_text = ProgressText()
        self.slow = Hint()
        self._below = QStackedWidget()
        self._below.setFixedHeight(26)
        self._below.addWidget(self.summary)
        self._below.addWidget(self.progress)
        column(self, row(self.run, self.cancel, spacing=8), self._below, self.slow, spacing=8)
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
            "remote",
            "server",
            "server_problem",
        )
        self.follow(state.events, shown, self._show)
        self._show()

    def _show(self) -> None:
        state = self.state
        idle = state.activity is Activity.IDLE
        self.run.setEnabled(not state.obstacle)
        self.run.setToolTip(state.obstacle or _what_runs(state))
        self.cancel.setEnabled(state.activity in (Activity.RUNNING, Activity.EXPORTING))
        self.cancel.setToolTip("Nothing is running." if idle else "Stop. Nothing is changed.")
        self.summary.setText(_summary(state))
        rename(self.summary, "result" if state.summary and not state.reference else "noResult")
        self.progress.setRange(0, state.progress.total)
        self.progress.setValue(state.progress.done)
        self.progress.setFormat(self._progress_text.format(state.activity, state.progress, "slice"))
        key = state.automatic[0] if state.model == DEFAULT_MODEL and state.automatic else state.model
        quicker = pipeline.faster(state.models, key, state.sequences) if self._progress_text.slow else ""
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


def _what_runs(state: SegmentationState) -> str:
    if state.server is None:
        return "Outline the lesions of this study."
    return f"Outline the lesions of this study on {state.server.address.url}."


def _summary(state: SegmentationState) -> str:
    if state.summary or not state.outlines:
        return state.summary or "No outline yet"
    return "Reference mask; no result yet" if state.outline is None else ""


def _slider(low: float, high: float, decimals: int) -> QLabeledDoubleSlider:
    slider = QLabeledDoubleSlider(Qt.Orientation.Horizontal)
    slider.setRange(low, high)
    slider.setDecimals(decimals)
    slider.setSingleStep(10.0**-decimals)  # type: ignore[arg-type]  # superqt declares the integer slider's
    return slider


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
