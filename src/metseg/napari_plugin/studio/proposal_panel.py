"""Networks on the open case or on all, and what a proposal would change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QT_TRANSLATE_NOOP, QSignalBlocker, QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QCheckBox, QToolButton, QWidget

from metseg import DEFAULT_MODEL
from metseg.napari_plugin.controls import Choice, ClaheBox, Hint, column, row
from metseg.napari_plugin.dialogs import ask_model_file
from metseg.napari_plugin.input_section import model_options
from metseg.napari_plugin.pipeline import automatic, faster
from metseg.napari_plugin.place_section import PlaceSection
from metseg.napari_plugin.studio.panel import Panel, WorkBar, button, stand_out
from metseg.napari_plugin.studio.predictions import Proposal, ProposalChange
from metseg.napari_plugin.studio.proposal_picture import COLOURS
from metseg.napari_plugin.studio.proposing import PREDICT, TAKE_OVER, Proposing
from metseg.napari_plugin.studio.state import StudioState, Tab
from metseg.napari_plugin.translations import translate

if TYPE_CHECKING:
    from metseg.napari_plugin.studio.studio import Studio

_SWATCH, _SPACE = 10, 6
_TITLES = {
    ProposalChange.ADDED: QT_TRANSLATE_NOOP("studio", "new"),
    ProposalChange.REMOVED: QT_TRANSLATE_NOOP("studio", "removed"),
    ProposalChange.ALTERED: QT_TRANSLATE_NOOP("studio", "with another outline"),
    ProposalChange.KEPT: QT_TRANSLATE_NOOP("studio", "kept as drawn by hand"),
    ProposalChange.UNCHANGED: QT_TRANSLATE_NOOP("studio", "unchanged"),
}


class ProposalPanel(Panel):
    """Predict the open case, or all that nobody has edited."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(translate("studio", "Network"), studio)
        state = self.state
        self.proposing = Proposing(studio)
        self._focus = TabFocus(state)
        self.model = Choice(lambda key: setattr(state, "model", key), translate("studio", "No network found"))
        self.open_model = QToolButton()
        self.open_model.setText("…")
        self.open_model.setObjectName("openModel")
        self.open_model.clicked.connect(self._open_model)
        self.place = PlaceSection(state, studio.networks, partial(translate, "studio"))
        self.clahe = ClaheBox(lambda choice: setattr(state, "clahe", choice))
        self.predict = button(translate("studio", "Predict this case"), "", self.proposing.predict)
        self.predict_all = button(translate("studio", "All unedited …"), "", self.proposing.predict_all)
        self.work = WorkBar(studio.cancel)
        self.summary = Hint()
        self.proposal = ProposalBox(self.proposing)
        studio.show_key(self.proposal.take_over, translate("studio", "Take over"), TAKE_OVER)
        buttons = row(self.predict, self.predict_all, stretch=(3, 2))
        self.add_wide(self.place)
        self.add_row(translate("studio", "Network"), self.model, self.open_model)
        self.add_row(translate("studio", "Contrast"), self.clahe)
        for widget in (buttons, self.work, self.summary, self.proposal):
            self.add_wide(widget)
        shown = ("models", "model", "searching", "opening", "project", "case", "remote")
        self.follow(state.events, shown, self._show_models)
        self.follow(state.events, ("model",), self._forget_clahe)
        self.follow(state.events, ("models", "model", "clahe"), self._show_clahe)
        chosen = ("project", "cases", "case", "status", "model", "models", "searching", "opening", "remote", "server")
        self.follow(state.events, (*chosen, "server_problem", "activity", "progress", "proposal"), self._show)
        self.follow(self.proposing, ("changed",), self._show)
        self._show_models()
        self._show_clahe()
        self._show()

    def _open_model(self) -> None:
        path = ask_model_file(self)
        if path:
            self.studio.add_model_file(path)

    def _show_models(self) -> None:
        state = self.state
        options = model_options(state.models, () if state.case is None else state.case.study.sequences)
        self.model.offer(options, state.model)
        self.open_model.setEnabled(not state.remote)
        self.open_model.setToolTip(
            translate("studio", "A server runs networks of its own. To open a file, run on this computer.")
            if state.remote
            else translate("studio", "Open a network from a file, such as one that metseg train or retrain wrote.")
        )
        self.model.setToolTip(
            state.card.summary if state.card else translate("studio", "The network that proposes the outlines.")
        )

    def _quicker(self) -> str:
        """The network that would be much faster, as a text."""
        state, sequences = self.state, () if self.state.case is None else self.state.case.study.sequences
        key = state.model
        if key == DEFAULT_MODEL and sequences:
            chosen, _ = automatic(state.models, sequences, None)
            key = next(iter(chosen), key)
        return faster(state.models, key, sequences)

    def _forget_clahe(self) -> None:
        self.state.clahe = None

    def _show_clahe(self) -> None:
        card = self.state.card
        self.clahe.setEnabled(card is not None)
        if card is not None:
            self.clahe.show_choice(self.state.clahe or card.clahe, card)

    def _show(self) -> None:
        state, proposing = self.state, self.proposing
        unedited = len(proposing.unedited())
        self.predict.setEnabled(not proposing.case_obstacle)
        self.predict.setToolTip(
            proposing.case_obstacle
            or translate("studio", "Let the network outline the lesions. You see what would change first.")
        )
        everything = translate("studio", "All {count} unedited") if unedited else translate("studio", "All unedited")
        self.predict_all.setText(everything.format(count=unedited))
        self.predict_all.setEnabled(not proposing.obstacle and unedited > 0)
        self.predict_all.setToolTip(
            proposing.obstacle
            or translate(
                "studio",
                "Predict the {count} cases that nobody has edited, approved or rejected; the open one is left out.",
            ).format(count=unedited)
        )
        waits = isinstance(state.proposal, Proposal)
        undone = state.case is not None and state.case.prediction is None
        stand_out(self.predict, undone and not waits and not proposing.case_obstacle)
        again = state.case is not None and not undone
        key = self.studio.shortcuts.key(PREDICT)
        title = translate("studio", "Predict again") if again else translate("studio", "Predict this case")
        self.predict.setText(title + f" ({key})" * bool(key))
        if proposing.case or proposing.all:
            self.work.show_work(state.activity, state.progress, "slice" if proposing.case else "", self._quicker())
        else:
            self.work.hide()
        self.summary.say("" if waits else proposing.summary)
        self.proposal.show_proposal(state.proposal)
        self._focus.hold(proposing.planning or bool(proposing.case), waits=waits)


class TabFocus:
    """Brings *Predict* to the front while a network works on the case or its proposal waits.

    Once the proposal was taken over or discarded, *Review* comes to the front; if there was none, the tab before.
    """

    def __init__(self, state: StudioState) -> None:
        self._state = state
        self._held = self._waited = False
        self._before = state.tab

    def hold(self, working: bool, *, waits: bool) -> None:
        """Stay in front while the network is ``working`` or its proposal ``waits``.

        A user who turns to another tab meanwhile stays there.
        """
        state, wanted = self._state, working or waits
        if wanted and not self._held:
            self._before, state.tab = state.tab, Tab.PREDICT
        elif self._held and not wanted and state.tab is Tab.PREDICT:
            state.tab = Tab.REVIEW if self._waited else self._before
        self._held, self._waited = wanted, wanted and (self._waited or waits)


class ProposalBox(QWidget):
    """What taking over would change, by kind, and the choice."""

    def __init__(self, proposing: Proposing) -> None:
        super().__init__()
        self._proposing = proposing
        self.headline = Hint("notice")
        self.rows = {change: _change_button(change, proposing) for change in _TITLES}
        self.left_out = Hint()
        self.replace = QCheckBox(translate("studio", "Also replace what was drawn by hand"))
        self.replace.toggled.connect(lambda on: proposing.keep_hand(not on))
        self.take_over = button(
            translate("studio", "Take over"),
            translate("studio", "One step: Ctrl-Z takes it back."),
            proposing.take_over,
        )
        self.take_over.setObjectName("primary")
        self.discard = button(
            translate("studio", "Discard"), translate("studio", "Everything stays as it is."), proposing.discard
        )
        choice = row(self.take_over, self.discard, stretch=(3, 2))
        column(self, self.headline, *self.rows.values(), self.left_out, self.replace, 2, choice, spacing=4)
        self.hide()

    def show_proposal(self, proposal: object) -> None:
        """Show a proposal, or nothing."""
        if not isinstance(proposal, Proposal):
            self.hide()
            return
        plan = proposal.plan
        headline = translate("studio", "{model} ({target}) proposes:")
        headline = headline.format(model=proposal.answer.model, target=proposal.answer.target)
        nothing = "" if proposal.changes_something else translate("studio", "Nothing would change.")
        self.headline.say(f"{headline} {nothing}".rstrip())
        for change, line in self.rows.items():
            count = len(proposal.lesions(change))
            line.setText(f"{count} {translate('studio', _TITLES[change])}")
            line.setVisible(count > 0)
        left_out = translate("studio", "{count} predicted where something was drawn by hand, left out.")
        self.left_out.say(left_out.format(count=plan.left_out) if plan.left_out else "")
        with QSignalBlocker(self.replace):
            self.replace.setChecked(not self._proposing.keeps_hand)
        self.replace.setVisible(bool(plan.kept) or not proposal.keep_hand)
        self.show()


def _change_button(change: ProposalChange, proposing: Proposing) -> QToolButton:
    made = QToolButton()
    made.setObjectName("change")
    made.setAutoRaise(True)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    made.setIcon(_swatch(QColor(COLOURS[change])))
    made.setIconSize(QSize(_SWATCH + _SPACE, _SWATCH))
    made.setToolTip(translate("studio", "Go to it; to the next one when clicked again."))
    made.setCursor(Qt.CursorShape.PointingHandCursor)
    made.clicked.connect(lambda: proposing.look_at(change))
    return made


def _swatch(colour: QColor) -> QIcon:
    pixmap = QPixmap(_SWATCH + _SPACE, _SWATCH)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(colour)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.drawRoundedRect(0, 0, _SWATCH, _SWATCH, 2, 2)
    painter.end()
    return QIcon(pixmap)
