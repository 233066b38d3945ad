"""Retraining from the window: what from, what with, how far it is, and whether the result is any better."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QLabel, QProgressBar, QSizePolicy, QSpinBox, QVBoxLayout, QWidget

from metseg.events import RemainingTime, seconds_in_words
from metseg.napari_plugin.controls import Choice, Hint, Option, row, sign_button
from metseg.napari_plugin.dialogs import ask_folder, ask_model_file
from metseg.napari_plugin.studio.colours import SKY
from metseg.napari_plugin.studio.curves import Curve, Plot
from metseg.napari_plugin.studio.panel import Panel, button, stand_out
from metseg.napari_plugin.studio.promotion_view import PromotionView
from metseg.napari_plugin.studio.retraining import Retraining, averages
from metseg.napari_plugin.studio.training_process import Phase
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio

_MOST_EPOCHS, _MOST_HELD_OUT = 500, 90
_MOST_NOTICES = 4
#: As in :class:`metseg.retraining.RetrainingConfig`, which would load torch.
_FEWEST_PATIENTS = 3


class RetrainPanel(Panel):
    """Train a network further on the approved cases, in a process of its own."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(translate("studio", "Retrain on approved cases"), studio)
        self.retraining = retraining = Retraining(studio)
        colours = studio.colours
        self.parent_model = Choice(retraining.set_parent, translate("studio", "No network found"))
        self.parent_model.setToolTip(translate("studio", "The network that is trained further. It stays as it is."))
        self.open_model = sign_button("…", translate("studio", "Start from a network in a file."), self._open_model)
        self.folders = FolderList(retraining)
        self.epochs = QSpinBox()
        self.epochs.setRange(1, _MOST_EPOCHS)
        self.epochs.setToolTip(translate("studio", "Each new slice with a lesion is shown once in an epoch."))
        self.epochs.valueChanged.connect(lambda epochs: setattr(retraining, "epochs", epochs))
        self.held_out = QSpinBox()
        self.held_out.setRange(0, _MOST_HELD_OUT)
        self.held_out.setSingleStep(5)
        self.held_out.setSuffix(" %")
        self.held_out.setToolTip(
            translate("studio", "Share of the project's patients that is not trained on, but evaluated on.")
        )
        self.held_out.valueChanged.connect(lambda percent: retraining.set_held_out(percent / 100))
        self.outlook = Hint()
        self.start = button(translate("studio", "Start"), "", retraining.start)
        self.resume = button(
            translate("studio", "Resume"),
            translate("studio", "Go on where it was stopped, with the cases as they were."),
            retraining.resume,
        )
        self.stop = button(
            translate("studio", "Stop"),
            translate("studio", "End after the step in progress; it can be resumed."),
            retraining.stop,
        )
        self._remaining = RemainingTime()
        self.progress = QProgressBar()
        self.progress.setTextVisible(True)
        self.loss = Plot(translate("studio", "loss"), translate("studio", "Loss of each step comes here"), colours)
        self.dice = Plot(
            translate("studio", "Dice on held-out patients"),
            translate("studio", "Dice after each epoch comes here"),
            colours,
        )
        self.plots = row(self.loss, self.dice, spacing=8, stretch=(1, 1))
        self.notices = Hint()
        self.problem = Hint("notice")
        self.promote = button(translate("studio", "Make it this project's default"), "", retraining.promote)
        self.why_not = Hint()
        self.promotion = PromotionView((self.promote, self.why_not))
        self.add_row(translate("studio", "Start from"), self.parent_model, self.open_model)
        self.add_row(translate("studio", "Also show again"), self.folders)
        self.add_row(translate("studio", "Epochs"), self.epochs)
        self.add_row(translate("studio", "Held out"), self.held_out)
        buttons = row(self.start, self.resume, self.stop, spacing=8, stretch=(1, 1, 1))
        for widget in (self.outlook, buttons, self.progress, self.problem, self.promotion, self.plots, self.notices):
            self.add_wide(widget)
        self.follow(retraining, ("changed",), self._show)
        events = ("models", "searching", "project", "cases", "remote")
        self.follow(studio.state.events, events, self._show)
        self._show()

    def unfollow(self) -> None:
        """Listen to nothing any more; the process is left to the studio's end."""
        super().unfollow()
        self.retraining.unfollow()

    def _open_model(self) -> None:
        path = ask_model_file(self)
        if path:
            self.retraining.open_parent(path)

    def _show(self) -> None:
        self._show_choices()
        self._show_work()
        self._show_result()

    def _show_choices(self) -> None:
        retraining, running = self.retraining, self.retraining.run.running
        options = [
            Option(
                model.key,
                model.title,
                translate("studio", "Averages several networks; start from one of them.")
                if averages(model)
                else model.summary,
                model.card is not None and not averages(model),
            )
            for model in (() if self.state.remote else self.state.models)
        ]
        self.parent_model.offer(options, retraining.parent)
        for widget in (self.parent_model, self.open_model, self.folders, self.epochs, self.held_out):
            widget.setEnabled(not running and not self.state.remote)
        with QSignalBlocker(self.epochs), QSignalBlocker(self.held_out):
            self.epochs.setValue(retraining.epochs)
            self.held_out.setValue(round(100 * retraining.held_out))
        self.folders.show_folders(retraining.data)
        self.outlook.say(_outlook(retraining))

    def _show_work(self) -> None:
        run, obstacle = self.retraining.run, self.retraining.obstacle
        self.start.setText(translate("studio", "Start anew") if run.resumable else translate("studio", "Start"))
        self.start.setVisible(not run.running)
        self.start.setEnabled(not obstacle)
        self.start.setToolTip(
            obstacle or translate("studio", "Train in a process of its own; go on correcting meanwhile.")
        )
        stand_out(self.start, not obstacle and run.phase is Phase.NOTHING)
        self.resume.setVisible(run.resumable)
        stand_out(self.resume, run.resumable)
        self.stop.setVisible(run.running)
        self.stop.setEnabled(run.phase is Phase.RUNNING)
        self._show_progress()
        self.problem.say(run.problem)
        notices = run.notices[-_MOST_NOTICES:] if run.promotion is None else ()
        self.notices.say("\n".join(f"{text[:1].upper()}{text[1:]}." for text in notices))
        self._show_curves()

    def _show_progress(self) -> None:
        """At once: a QProgressBar would have the window drawn at every single change, before it goes on."""
        run, bar = self.retraining.run, self.progress
        bar.setVisible(run.running)
        bar.setUpdatesEnabled(False)
        bar.setRange(0, run.progress.total)
        bar.setValue(run.progress.done)
        stopping = run.phase is Phase.STOPPING
        seconds = self._remaining.seconds(run.progress)
        text = run.progress.what or translate("studio", "starting")
        if stopping:
            text = translate("studio", "ending the step …")
        elif seconds is not None:
            text = translate("studio", "{what}, {time} left").format(what=text, time=seconds_in_words(seconds))
        bar.setFormat(text)
        bar.setUpdatesEnabled(True)

    def _show_curves(self) -> None:
        run = self.retraining.run
        self.plots.setVisible(bool(run.losses or run.rows) or run.running)
        means = Curve([(row["epoch"], row["loss"]) for row in run.rows], "text", 1.5, dots=True)
        self.loss.show_curves([Curve(run.losses, "quiet", 1.0), means], run.epochs)
        dice = [(row["epoch"], row["mean_dice"]) for row in run.rows if "mean_dice" in row]
        self.dice.show_curves([Curve(dice, SKY, 2.0, dots=True)], run.epochs)

    def _show_result(self) -> None:
        retraining = self.retraining
        promotion = retraining.run.promotion
        self.promotion.show_check(promotion)
        obstacle = retraining.promotion_obstacle
        self.promote.setEnabled(not obstacle)
        self.promote.setToolTip(
            obstacle or translate("studio", "New predictions in this project then come from it. Others stay available.")
        )
        stand_out(self.promote, promotion is not None and not obstacle)
        text = ""
        if retraining.is_default:
            text = translate("studio", "It is what this project asks first.")
        elif promotion is not None and not promotion.passed:
            text = translate(
                "studio",
                "It did not pass the promotion check and cannot become the default. It can still be chosen by hand.",
            )
        self.why_not.say(text)


class FolderList(QWidget):
    """Folders of patients that are shown again, each with a button that takes it off, and one that adds."""

    def __init__(self, retraining: Retraining) -> None:
        super().__init__()
        self._retraining = retraining
        self._shown: tuple[Path, ...] | None = None
        self.add = button(
            translate("studio", "Add folder …"),
            translate("studio", "Patients with masks, such as those the network was trained on."),
            self._add,
        )
        self._rows = QVBoxLayout()
        self._rows.setSpacing(2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self._rows)
        layout.addWidget(self.add)

    def show_folders(self, folders: tuple[Path, ...]) -> None:
        """Show other folders."""
        if folders == self._shown:
            return
        self._shown = folders
        while (item := self._rows.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for folder in folders:
            self._rows.addWidget(self._row(folder))

    def _row(self, folder: Path) -> QWidget:
        name = QLabel(folder.name)
        name.setToolTip(str(folder))
        name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        tip = translate("studio", "Do not show these patients again.")
        remove = sign_button("×", tip, lambda: self._retraining.remove_data(folder))
        line = row(name, remove, spacing=8, stretch=(1, 1))
        remove.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        return line

    def _add(self) -> None:
        folder = ask_folder(self, translate("studio", "Patients with masks that are shown again"))
        if folder is not None:
            self._retraining.add_data(folder)


def _outlook(retraining: Retraining) -> str:
    """What a start would do, or why there can be none."""
    if retraining.run.running:
        return ""
    if retraining.obstacle:
        return retraining.obstacle
    count, evaluation_set = retraining.approved, retraining.evaluation_set
    text = translate("studio", "Approved cases: {count}; of them in the evaluation set: {evaluated}.")
    lines = [text.format(count=count, evaluated=evaluation_set)]
    if retraining.old_evaluation_set:
        lines.append(translate("studio", "So do patients of the folders who were held out from the network."))
    elif evaluation_set < _FEWEST_PATIENTS:
        few = translate(
            "studio", "With fewer than {least} the promotion check decides nothing: approve more, or hold out more."
        )
        lines.append(few.format(least=_FEWEST_PATIENTS))
    if not retraining.data:
        lines.append(translate("studio", "Nobody is shown again: what the network knows may be forgotten."))
    return "\n".join(lines)
