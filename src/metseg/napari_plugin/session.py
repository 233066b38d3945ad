"""From the widget's opening until it goes: out of its dock, with its window, or with the process."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable

from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QWidget

from metseg.napari_plugin.state import ConnectionMixin


class WidgetSession:
    """What works and listens for one widget: its parts that listen, and what is called once at the end, in this order.

    No ending touches a Qt object of the widget.
    """

    def __init__(self, parts: tuple[ConnectionMixin, ...], endings: tuple[Callable[[], object], ...]) -> None:
        self._followers = parts
        self._endings = endings
        self.when_destroyed = lambda: self.end()  # a bound method would be disconnected before it is called
        _open.add(self)
        _end_all_at_exit()

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self in _open

    def end(self) -> None:
        """Stop work and listening, once; no Qt object of the widget is touched, for the window may be gone."""
        if not self.open:
            return
        _open.discard(self)
        for follower in self._followers:
            follower.unfollow()
        for ending in self._endings:
            ending()


class SessionWidget(QWidget):
    """A dock widget with a session, which ends when napari takes the widget out of its dock: so it closes one."""

    def __init__(self) -> None:
        super().__init__()
        self._docked = False
        self._session: WidgetSession | None = None

    def begin_session(self, parts: tuple[ConnectionMixin, ...], *endings: Callable[[], object]) -> None:
        """Begin the session, when all parts are made; see :class:`WidgetSession`."""
        self._session = WidgetSession(parts, endings)
        self.destroyed.connect(self._session.when_destroyed)

    def close_session(self) -> None:
        """Stop work, let go of viewer and state."""
        if self._session is None:
            return
        if self._session.open:
            self.destroyed.disconnect(self._session.when_destroyed)
        self._session.end()

    def event(self, event: QEvent | None) -> bool:
        """End the session when the widget loses the dock that it had."""
        if event is not None and event.type() == QEvent.Type.ParentChange:
            if self._docked and self.parent() is None:
                self.close_session()
            self._docked = self.parent() is not None
        return bool(super().event(event))


#: Holds on to sessions, and through them to their widgets: a widget that the garbage collector destroyed would call a
#: slot that the collector has cleared already.
_open: set[WidgetSession] = set()


@functools.cache
def _end_all_at_exit() -> None:
    """Have what is open ended before Qt cleans up: what is registered last runs first."""
    atexit.register(_end_all)


def _end_all() -> None:
    for session in list(_open):
        session.end()
