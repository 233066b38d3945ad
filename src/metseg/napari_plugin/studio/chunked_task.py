"""Work of the window's thread in small pieces, between which the window lives."""

from __future__ import annotations

from collections.abc import Generator

from metseg.napari_plugin.background import delayed

Steps = Generator[None, None, None]


class ChunkedTask:
    """Runs a generator, one step in each turn of the event loop; at most one generator at a time."""

    def __init__(self) -> None:
        self._steps: Steps | None = None
        self._stepping = False
        self._next = delayed(self._step, 0)

    @property
    def busy(self) -> bool:
        """Whether there are steps left."""
        return self._steps is not None

    def run(self, steps: Steps) -> None:
        """Take the first step of ``steps`` now, and the others later; what ran before is stopped."""
        self.stop()
        self._steps = steps
        self._step()

    def stop(self) -> None:
        """Take no further step."""
        self._next.stop()
        steps, self._steps = self._steps, None
        if steps is not None and not self._stepping:
            steps.close()

    def _step(self) -> None:
        steps = self._steps
        if steps is None or self._stepping:
            return
        self._stepping = True
        try:
            next(steps)
        except BaseException as error:
            self._steps = None if self._steps is steps else self._steps
            if not isinstance(error, StopIteration):
                raise
        finally:
            self._stepping = False
        if self._steps is not steps:  # it is over, or was stopped while it took the step
            steps.close()
        if self._steps is not None:
            self._next.start()
