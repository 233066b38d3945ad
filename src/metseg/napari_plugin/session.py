"""From the widget's opening until it goes: out of its dock, with its window, or with the process."""

from __future__ import annotations

import atexit
import functools
from collections.abc import Callable

from metseg.napari_plugin.state import Follower


class Session:
    """What works and listens for one widget.

    Parameters
    ----------
    parts : tuple of Follower
        The widget's parts that listen to the state or the viewer.
    endings : tuple of callable
        Called once at the end, in this order; they touch no Qt object of the widget.
    """

    def __init__(self, parts: tuple[Follower, ...], endings: tuple[Callable[[], object], ...]) -> None:
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


#: Holds on to sessions, and through them to their widgets: a widget that the garbage collector destroyed would call a
#: slot that the collector has cleared already.
_open: set[Session] = set()


@functools.cache
def _end_all_at_exit() -> None:
    """Have what is open ended before Qt cleans up: what is registered last runs first."""
    atexit.register(_end_all)


def _end_all() -> None:
    for session in list(_open):
        session.end()
