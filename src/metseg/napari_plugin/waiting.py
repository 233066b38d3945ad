"""How far a long work is, how long it still takes, and what would be quicker."""

from __future__ import annotations

from metseg.events import Progress, RemainingTime, seconds_in_words
from metseg.napari_plugin.state import Activity

#: Seconds left from which something quicker is named.
_LONG = 20.0


class Waiting:
    """Puts progress into words.

    Attributes
    ----------
    slow : bool
        Whether it takes so long that something quicker should be named.
    """

    def __init__(self) -> None:
        self._remaining = RemainingTime()
        self.slow = False

    def words(self, activity: Activity, progress: Progress, unit: str = "") -> str:
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
