"""Small Qt parts that the widget's sections are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from magicgui.widgets import create_widget
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QSignalBlocker, QSize, Qt, QTimer
from qtpy.QtGui import QPaintEvent, QResizeEvent
from qtpy.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from metseg.napari_plugin.state import ConnectionMixin
from metseg.preprocessing import Clahe

if TYPE_CHECKING:
    from metseg.checkpoints import ModelCard

State = TypeVar("State")

_CAPTION_WIDTH = 112
#: Role under which a QComboBox's own items keep their flags; 0 greys an item out.
_FLAGS_ROLE = Qt.ItemDataRole.UserRole - 1
#: Of a list's title and arrow, as napari's style sheet has them.
_TITLE_MARGIN, _ARROW_WIDTH = 8, 26
#: Left and right of a button's text together, as the widgets' style sheet has them.
_BUTTON_PADDING = 32


def fill(
    held: QWidget, layout: QBoxLayout, items: Iterable[QWidget | int], spacing: int, stretch: tuple[int, ...]
) -> None:
    """Put widgets into an empty one, without margins; a number among them is that much room."""
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for place, item in enumerate(items):
        if isinstance(item, int):
            layout.addSpacing(item)
        else:
            layout.addWidget(item, stretch[place] if place < len(stretch) else 0)
    held.setLayout(layout)


def row(*items: QWidget, spacing: int = 6, stretch: tuple[int, ...] = (1,), held: QWidget | None = None) -> QWidget:
    """Widgets side by side, in ``held`` if it is given; ``stretch`` shares out what room is left."""
    held = QWidget() if held is None else held
    fill(held, QHBoxLayout(), items, spacing, stretch)
    return held


def column(held: QWidget, *items: QWidget | int, spacing: int = 6, stretch: tuple[int, ...] = ()) -> None:
    """Widgets of ``held`` below each other."""
    fill(held, QVBoxLayout(), items, spacing, stretch)


class Part(ConnectionMixin, QWidget, Generic[State]):
    """A part of a widget that shows some of its state."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.state = state

    def field(self, state: Any, name: str, **options: Any) -> Any:
        """Make the Qt widget that magicgui has for a field of a state by its type, and keep the two in step."""
        made: Any = create_widget(getattr(state, name), options=options)

        def show(value: object) -> None:
            with made.changed.blocked():
                made.value = value

        made.changed.connect_setattr(state, name, maxargs=1)
        self.follow(state.events, (name,), show)
        return made.native


class Section(Part[State]):
    """A group of rows, below a title if it has one."""

    def __init__(self, title: str, state: State) -> None:
        super().__init__(state)
        self._rows = QGridLayout()
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setHorizontalSpacing(8)
        self._rows.setVerticalSpacing(5)
        self._rows.setColumnMinimumWidth(0, _CAPTION_WIDTH)
        self._rows.setColumnStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        if title:
            layout.addLayout(_heading(title))
        layout.addLayout(self._rows)

    def add_row(self, caption: str, field: QWidget, extra: QWidget | None = None) -> None:
        """Add a captioned field, with something small to its right if need be."""
        row = self._rows.rowCount()
        label = QLabel(caption)
        label.setBuddy(field)
        self._rows.addWidget(label, row, 0)
        self._rows.addWidget(field, row, 1, 1, 1 if extra else 2)
        if extra is not None:
            self._rows.addWidget(extra, row, 2)

    def show_row(self, field: QWidget, shown: bool) -> None:
        """Show or hide a field with its caption."""
        place = self._rows.indexOf(field)
        row = self._rows.getItemPosition(place)[0]
        for column in range(self._rows.columnCount()):
            item = self._rows.itemAtPosition(row, column)
            if item is not None and (widget := item.widget()) is not None:
                widget.setVisible(shown)

    def add_wide(self, widget: QWidget) -> None:
        """Add something over the whole width."""
        self._rows.addWidget(widget, self._rows.rowCount(), 0, 1, 3)


def _heading(title: str) -> QHBoxLayout:
    heading = QLabel(title)
    heading.setObjectName("sectionTitle")
    line = QFrame()
    line.setObjectName("sectionLine")
    line.setFixedHeight(1)
    top = QHBoxLayout()
    top.setSpacing(8)
    top.addWidget(heading)
    top.addWidget(line, 1)
    return top


class Hint(QLabel):
    """A quiet line of text that takes no room while it is empty."""

    def __init__(self, name: str = "hint") -> None:
        super().__init__()
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        self.hide()

    def say(self, text: str) -> None:
        """Show ``text``, or nothing."""
        self.setText(text)
        self.setVisible(bool(text))


class Option(NamedTuple):
    """A line of a :class:`Choice`: greyed out, and not to be chosen, unless ``usable``."""

    value: Any
    title: str
    tip: str = ""
    usable: bool = True


class Choice(QComboBox):
    """A list to choose from that knows values beside their titles.

    ``chosen`` is called with the value when the user chooses another one; ``empty`` is shown, greyed, in an empty list.
    """

    def __init__(self, chosen: Callable[[Any], object], empty: str = "") -> None:
        super().__init__()
        self._values: list[Any] = []
        self._chosen = chosen
        self._empty = empty
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        self.currentIndexChanged.connect(self._on_index)
        self.offer((), None)

    def offer(self, options: Iterable[Option], current: Any) -> None:
        """Show options, with ``current`` chosen."""
        options = list(options)
        with QSignalBlocker(self):
            self.clear()
            self._values = [option.value for option in options]
            for index, option in enumerate(options):
                self.addItem(option.title)
                self.setItemData(index, option.tip, Qt.ItemDataRole.ToolTipRole)
                if not option.usable:
                    self.setItemData(index, 0, _FLAGS_ROLE)
            if not options:
                self.addItem(self._empty)
            self.setEnabled(bool(options))
        self.show_chosen(current)

    def show_chosen(self, current: Any) -> None:
        """Show ``current`` as chosen."""
        with QSignalBlocker(self):
            self.setCurrentIndex(self._values.index(current) if current in self._values else -1 if self._values else 0)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Shorten a title that is too long in its middle, so that a patient's number stays readable."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        room = self.width() - _ARROW_WIDTH - 2 * _TITLE_MARGIN
        title = self.currentText() or self.placeholderText()
        option.currentText = self.fontMetrics().elidedText(title, Qt.TextElideMode.ElideMiddle, room)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def _on_index(self, index: int) -> None:
        if 0 <= index < len(self._values):
            self._chosen(self._values[index])


class NamedButton(QPushButton):
    """A button whose lines below the first say on what it acts, each shortened in its middle where there is no room."""

    def __init__(self, action: str) -> None:
        super().__init__(action)
        self._action = action
        self._lines: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def name(self, *lines: str) -> None:
        """Show ``lines`` below the first one."""
        self._lines = lines
        self.setAccessibleName(" · ".join((self._action, *lines)))
        self._fit()

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Fit the lines into the new width."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        metrics, room = self.fontMetrics(), self.width() - _BUTTON_PADDING
        lines = [metrics.elidedText(line, Qt.TextElideMode.ElideMiddle, room) for line in self._lines]
        text = "\n".join((self._action, *lines)).replace("&", "&&")
        if text != self.text():
            self.setText(text)


def sign_button(sign: str, tip: str, pressed: Callable[[], object]) -> QToolButton:
    """A button that shows one sign, for beside a field."""
    made = QToolButton()
    made.setText(sign)
    made.setObjectName("openModel")
    made.setToolTip(tip)
    made.clicked.connect(lambda: pressed())
    return made


def rename(widget: QWidget, name: str) -> None:
    """Give a widget the look that the style sheet has for another name."""
    if widget.objectName() != name:
        widget.setObjectName(name)
        style = widget.style()
        if style is not None:
            style.unpolish(widget)
            style.polish(widget)


def reveal(widget: QWidget) -> None:
    """Scroll what a widget lies in until all of it is seen, once its layout is made."""

    def scroll() -> None:
        if not isalive(widget):  # type: ignore[no-untyped-call]  # qtpy has no type for it
            return
        area = widget.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if isinstance(area, QScrollArea) and widget.isVisible():
            area.ensureWidgetVisible(widget)

    QTimer.singleShot(0, scroll)


class ClaheBox(QCheckBox):
    """Whether the network is shown equalised slices; partly checked where plain and equalised ones are averaged."""

    _CHOICES = (
        (Qt.CheckState.Unchecked, Clahe.OFF),
        (Qt.CheckState.PartiallyChecked, Clahe.AVERAGE),
        (Qt.CheckState.Checked, Clahe.ON),
    )

    def __init__(self, chosen: Callable[[Clahe], object]) -> None:
        super().__init__("Equalise (CLAHE)")
        self._chosen = chosen
        self.setToolTip("Adaptive histogram equalisation before the network. Best left as the network's card says.")
        self.stateChanged.connect(self._on_state)

    def show_choice(self, choice: Clahe, card: ModelCard | None) -> None:
        """Show ``choice``; averaging is only offered for a network whose card asks for it."""
        with QSignalBlocker(self):
            self.setTristate(Clahe.AVERAGE in (choice, None if card is None else card.clahe))
            self.setCheckState(next(state for state, known in self._CHOICES if known is choice))
        self.setText("Equalise (CLAHE), averaged with plain" if choice is Clahe.AVERAGE else "Equalise (CLAHE)")

    def _on_state(self) -> None:
        self._chosen(dict(self._CHOICES)[self.checkState()])


class Column(QScrollArea):
    """Widgets one below the other; scrolls down when the window is low, and is never narrower than they are."""

    def __init__(self, widgets: Iterable[QWidget]) -> None:
        super().__init__()
        self._content = QWidget()
        layout = QVBoxLayout(self._content)
        layout.setContentsMargins(10, 6, 10, 6)
        layout.setSpacing(12)
        for widget in widgets:
            layout.addWidget(widget)
        layout.addStretch(1)
        self.setWidget(self._content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def sizeHint(self) -> QSize:
        """The whole content."""
        return QSize(self._needed_width(), self._content.sizeHint().height())

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Keep the minimal width in step with the content, whose fonts and texts change."""
        if watched is self._content and event is not None and event.type() == QEvent.Type.LayoutRequest:
            self.setMinimumWidth(self._needed_width())
        return bool(super().eventFilter(watched, event))

    def _needed_width(self) -> int:
        bar = self.verticalScrollBar()
        room = 0 if bar is None else bar.sizeHint().width()
        return self._content.minimumSizeHint().width() + room
