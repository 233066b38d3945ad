"""A study on its way through a server, as a stream of events: sent, followed, fetched, and forgotten there."""

from __future__ import annotations

import io
import secrets
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, TypeVar

from metseg.client.http import BusyError, Client, JobRequest, RefusedError, UnreachableError
from metseg.errors import MetsegError
from metseg.events import Event, Finished, Notice, Progress, Warned
from metseg.http_documents import JobDocument, JobState

T = TypeVar("T")
Answer = TypeVar("Answer")

#: Seconds for which a busy server is asked again and again.
PATIENCE = 180.0
#: How often a study is sent at most, where the server loses it.
_SENDINGS = 3
_POLL = 0.5
_FIRST_POLL = 0.05
_LONGEST_WAIT = 15
_MIB = 1 << 20


class OutliningError(MetsegError):
    """The server took the study, but did not bring it to an end."""


@dataclass(frozen=True, slots=True)
class Waiting(Progress):
    """Nothing goes on until the server can be asked again; ``what`` says why, and when that is."""


@dataclass(frozen=True, slots=True)
class JobProgress(Progress):
    """Slices that are ready; ``what`` is the job's state, ``seconds_left`` how long it still takes if that is known."""

    seconds_left: float | None = None


def outlining(
    client: Client, request: JobRequest, fetch: Callable[[Client, str], T], *, lost_seconds: float
) -> Generator[Event[T], None, None]:
    """Send a study, wait until the server has outlined it, and fetch the result.

    A busy server is asked again when it says, for :data:`PATIENCE` seconds, and one to which the connection is lost for
    ``lost_seconds``. The study is sent anew only if the server does not know it (any more). It forgets the study at the
    end, also when this generator is closed earlier.

    Parameters
    ----------
    fetch : callable
        Makes the result, from the client and the name of the finished job.

    Yields
    ------
    Event
        ``Progress`` while the study is sent, :class:`Waiting`, :class:`JobProgress`, ``Notice``, ``Finished``.

    Raises
    ------
    ServerDownError, RefusedError
        As the client does; BusyError if the server stays busy.
    OutliningError
        If the job failed or somebody else gave it up.
    """
    order = _Order(client, request, fetch, lost_seconds)
    try:
        yield from order.run()
    finally:
        client.forget(order.name)


@dataclass(eq=False)
class _Order(Generic[T]):
    """One study, and the name that its job has on the server."""

    client: Client
    request: JobRequest
    fetch: Callable[[Client, str], T]
    lost_seconds: float
    name: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    def run(self) -> Generator[Event[T], None, None]:
        for _ in range(_SENDINGS):
            job = yield from self._start()
            try:
                yield from self._follow(job)
                result = yield from self._asked(lambda: self.fetch(self.client, self.name))
            except RefusedError as error:
                if error.status != HTTPStatus.NOT_FOUND:
                    raise
                yield Notice("the server does not know the study any more, perhaps it was restarted; it is sent again")
            else:
                yield Finished(result)
                return
        raise OutliningError(f"the server at {self.client.name} has lost the study {_SENDINGS} times")

    def _start(self) -> Generator[Notice | Progress, None, JobDocument]:
        """The job, once the server has the study."""
        busy, lost = _Retries(PATIENCE), _Retries(self.lost_seconds)
        while True:
            try:
                return (yield from self._send())
            except BusyError as error:
                yield from _waited(busy.after(error), error)
            except UnreachableError as error:
                yield from self._lost(lost, error)
                if (job := (yield from self._asked(self._known))) is not None:
                    return job

    def _send(self) -> Generator[Progress, None, JobDocument]:
        """Send the study, in a thread, so that this can be stopped."""
        body, whole = _Body(self.request.content), len(self.request.content) / _MIB
        with ThreadPoolExecutor(1, "metseg-upload") as pool:
            sending = pool.submit(self.client.start, self.request, self.name, body)
            try:
                while not wait([sending], _POLL).done:
                    yield Progress(0, 0, f"sending {body.tell() / _MIB:.1f} of {whole:.1f} MiB to {self.client.name}")
            finally:
                body.stop()
            return sending.result()

    def _known(self) -> JobDocument | None:
        """The job, if the server has the study."""
        try:
            return self.client.job(self.name)
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                return None
            raise

    def _follow(self, job: JobDocument) -> Generator[Progress | Notice, None, None]:
        """Wait for the end of the job."""
        said, pause = 0, _FIRST_POLL
        while True:
            for notice in job.notices[said:]:
                yield Warned(notice.text) if notice.warning else Notice(notice.text)
            said = len(job.notices)
            yield JobProgress(job.done, job.total, job.state, job.seconds_left)
            if job.state not in (JobState.QUEUED, JobState.RUNNING):
                break
            time.sleep(pause)
            pause = min(2 * pause, _POLL)
            job = yield from self._asked(lambda: self.client.job(self.name))
        if job.state is not JobState.FINISHED:
            raise OutliningError(job.problem or f"the server has given the study up ({job.state})")

    def _asked(self, question: Callable[[], Answer]) -> Generator[Notice | Progress, None, Answer]:
        """The answer, also of a server that could not be asked for a while."""
        lost = _Retries(self.lost_seconds)
        while True:
            try:
                return question()
            except (UnreachableError, BusyError) as error:
                yield from self._lost(lost, error)

    def _lost(self, retries: _Retries, error: UnreachableError | BusyError) -> Generator[Notice | Progress, None, None]:
        first, seconds = retries.begun, retries.after(error)
        if not first:
            yield Notice(f"{error}; it is asked again for up to {self.lost_seconds:.0f} s")
        yield from _waited(seconds, error)


class _Retries:
    """Says how long to wait between tries: longer each time, until ``seconds`` have gone by since the first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._wait = 1

    @property
    def begun(self) -> bool:
        """Whether there was a try."""
        return self._until > 0

    def after(self, error: UnreachableError | BusyError) -> int:
        """Seconds to wait after ``error``, which is raised if there was time enough."""
        now = time.monotonic()
        self._until = self._until or now + self._seconds
        seconds = error.wait if isinstance(error, BusyError) else self._wait
        self._wait = min(2 * self._wait, _LONGEST_WAIT)
        if now + seconds > self._until:
            raise error
        return seconds


def _waited(seconds: int, error: MetsegError) -> Generator[Waiting, None, None]:
    reason = str(error).partition(";")[0]
    for left in range(seconds, 0, -1):
        yield Waiting(0, 0, f"{reason}; asking again in {left} s")
        time.sleep(1)


class _Body(io.BytesIO):
    """Bytes that are being sent until they are stopped."""

    _stopped = False

    def stop(self) -> None:
        """Let whoever goes on reading fail."""
        self._stopped = True

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes."""
        if self._stopped:
            raise OutliningError("the study was given up")
        return super().read(size)
