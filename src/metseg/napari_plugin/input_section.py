"""The widget's first section: patient, image, sequences, spacing, where networks run, and which."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QPushButton, QToolButton

from metseg import DEFAULT_MODEL
from metseg.lesions import TargetChoice
from metseg.napari_plugin import pipeline
from metseg.napari_plugin.controls import Choice, Hint, Option, Section
from metseg.napari_plugin.network_choices import NetworkChoices
from metseg.napari_plugin.place_section import PlaceSection
from metseg.napari_plugin.sequence_table import SequenceTable
from metseg.napari_plugin.spacing import SpacingField
from metseg.napari_plugin.state import ModelChoice, SegmentationState
from metseg.study import Sequence, StudyFiles

_OPEN_TIP = "Open a network from a .safetensors file, such as one that metseg train wrote."
_NO_FILE_TIP = "A server runs networks of its own. To open a file, run on this computer."


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
        networks: NetworkChoices,
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
        self.open_model.clicked.connect(open_model)
        self.summary = Hint()
        self.research = Hint()
        self.research.say("Research use only: every outline must be checked by a person.")
        self.place = PlaceSection(state, networks)
        self.add_row("Patient", self.patient)
        self.add_row("Image", self.image)
        self.add_wide(self.sequences)
        self.add_row("Spacing (mm)", self.spacing)
        self.add_wide(self.planes)
        self.add_wide(self.place)
        self.add_row("Network", self.model, self.open_model)
        self.add_row("Outline", self.target)
        self.add_wide(self.summary)
        self.add_wide(self.research)
        self.follow(state.events, ("patients", "patient"), self._show_patients)
        self.follow(state.events, ("images", "image"), self._show_images)
        self.follow(state.events, ("sequence_rows",), self._show_sequences)
        self.follow(state.events, ("image",), self.spacing.clear)
        self.follow(state.events, ("image", "spacing", "spacing_asked"), self._show_spacing)
        shown = (
            "models",
            "model",
            "searching",
            "opening",
            "sequences",
            "target",
            "automatic",
            "unavailable",
            "remote",
            "server",
            "server_problem",
        )
        self.follow(state.events, shown, self._show_models)
        self._show_patients()
        self._show_images()
        self._show_sequences()
        self._show_spacing()
        self._show_models()

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
        self.open_model.setEnabled(not self.state.remote)
        self.open_model.setToolTip(_NO_FILE_TIP if self.state.remote else _OPEN_TIP)
        card = self.state.card
        self.summary.say(_network_line(self.state))
        self.model.setToolTip(card.notes or card.summary if card else "The network that proposes the outline.")


def model_options(models: tuple[ModelChoice, ...], sequences: tuple[Sequence, ...]) -> list[Option]:
    """The automatic choice, then networks; those that cannot be used, or do not fit the sequences, are greyed out."""
    options = []
    for choice in models:
        reason = pipeline.misfit_of(choice, sequences)
        usable = choice.card is not None and not reason
        options.append(Option(choice.key, choice.title, reason or choice.summary, usable))
    automatic = Option(DEFAULT_MODEL, "Automatic", "The network that fits the sequences of the image.")
    return [automatic, *options] if any(choice.card is not None for choice in models) else options


def _network_line(state: SegmentationState) -> str:
    card = state.card
    if state.opening:
        return f"Opening {Path(state.opening).name} …"
    if state.remote and state.server is None:
        return ""
    if state.searching:
        return "Looking for networks …"
    if state.model == DEFAULT_MODEL and state.models:
        chosen = [choice.summary for choice in state.models if choice.key in state.cards]
        named = [f"{key}: {summary}" for key, summary in zip(state.cards, chosen, strict=False)]
        return state.unavailable or "\n".join(named) or "Open an image: the network is chosen by its sequences."
    if card is not None:
        choice = next(choice for choice in state.models if choice.key == state.model)
        return "\n".join(filter(None, (pipeline.misfit_of(choice, state.sequences), choice.summary)))
    problem = next((choice.problem for choice in state.models if choice.problem), "")
    if state.remote:
        return problem or "The server has no network."
    problem = problem or "No network is installed."
    return f"{problem}\nOpen one with the … button, or train one with metseg train."
