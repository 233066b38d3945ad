"""One run in a thread, with progress in the widget and in napari's activity bar."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from threading import Event as Flag
from typing import Any, Protocol

from napari.qt.threading import create_worker
from napari.utils import cancelable_progress

from metseg.events import Event, Finished, Notice, Progress, RemainingTime, Warned, seconds_in_words
from metseg.napari_plugin.background import start
from metseg.napari_plugin.messages import tell, tell_error
from metseg.napari_plugin.pipeline import Failed
from metseg.napari_plugin.state import Activity

#: Seconds left from which something quicker is named.
_LONG = 20.0


class RunState(Protocol):
    """What a run shows of itself."""

    activity: Activity
    progress: Progress
    notices: tuple[str, ...]


class Run:
    """Drives one stream of events at a time and keeps ``state.activity``, ``progress`` and ``notices`` in step."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._worker: Any = None
        self._bar: cancelable_progress | None = None
        self._done: Callable[[Any], object] | None = None
        self._stopped = Flag()

    @property
    def busy(self) -> bool:
        """Whether a thread works."""
        return self._worker is not None

    def start(
        self,
        activity: Activity,
        what: str,
        done: Callable[[Any], object],
        stream: Callable[..., Any],
        *arguments: object,
    ) -> None:
        """Consume the generator function ``stream(*arguments)`` in a thread; ``what`` is its title.

        ``done`` is called in the window's thread with the result, unless the run was cancelled or failed. What
        the stream gives is :data:`metseg.events.Event` or :class:`~metseg.napari_plugin.pipeline.Failed`.
        """
        self._done = done
        self._state.notices = ()
        self._state.progress = Progress(0, 0)
        self._state.activity = activity
        self._bar = cancelable_progress(desc=what, total=0)
        self._stopped = Flag()
        self._worker = create_worker(
            _until, self._stopped, stream, *arguments, _start_thread=False, _ignore_errors=True
        )
        self._worker.yielded.connect(self._on_event)
        self._worker.finished.connect(self._on_ended)
        start(self._worker)

    def cancel(self) -> None:
        """Stop before the next step; no result is delivered."""
        if self._worker is not None:
            self._state.activity = Activity.CANCELLING
            self._stopped.set()

    def close(self) -> None:
        """Cancel and never call back."""
        self._done = None
        if self._worker is not None:
            self._worker.yielded.disconnect(self._on_event)
            self._worker.finished.disconnect(self._on_ended)
            self._stopped.set()
            self._on_ended()

    def _on_event(self, event: Event[Any] | Failed) -> None:
        if self._bar is not None and self._bar.is_canceled:
            self.cancel()
        if self._state.activity is Activity.CANCELLING:
            return
        match event:
            case Progress():
                self._advance(event)
            case Warned(text):
                self._state.notices = (*self._state.notices, text)
                tell(text)
            case Notice(text):
                self._state.notices = (*self._state.notices, text)
            case Failed(error):
                self._state.notices = (*self._state.notices, str(error))
                tell_error(error)
            case Finished(result):
                if self._done is not None:
                    self._done(result)

    def _advance(self, event: Progress) -> None:
        self._state.progress = event
        if self._bar is not None and event.total:
            self._bar.total = event.total
            self._bar.update(event.done - self._bar.n)

    def _on_ended(self) -> None:
        self._worker = None
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._state.progress = Progress(0, 0)
        self._state.activity = Activity.IDLE


def _until(
    stopped: Flag, stream: Callable[..., Generator[Any, None, None]], *arguments: object
) -> Generator[Any, None, None]:
    """What a stream gives before ``stopped`` is set; it is closed in its own thread, for that may ask a server."""
    with closing(stream(*arguments)) as events:
        for event in events:
            yield event
            if stopped.is_set():
                return


class ProgressText:
    """Puts progress into words; ``slow`` if it takes so long that something quicker should be named."""

    def __init__(self) -> None:
        self._remaining = RemainingTime()
        self.slow = False

    def format(self, activity: Activity, progress: Progress, unit: str = "") -> str:
        """What a progress bar says; ``unit`` is what is counted, ``what`` of the progress if it is empty."""
        seconds = self._remaining.seconds(progress)
        self.slow = activity is Activity.RUNNING and (self.slow or (seconds or 0) > _LONG) and bool(progress.total)
        if activity is Activity.CANCELLING:
            return "cancelling …"
        if not progress.total:
            return progress.what or "preparing"
        if progress.done >= progress.total:
            return "finishing"
        named = f"{unit} " if unit else f"{progress.what} · " if progress.what else ""
        counted = f"{named}{progress.done + 1} of {progress.total}"
        return counted if seconds is None else f"{counted}, {seconds_in_words(seconds)} left"
