"""Decoding in processes of their own: a few at a time, bounded in time and memory, and free to crash."""

from __future__ import annotations

import signal
import sys
from functools import lru_cache
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryDirectory
from typing import BinaryIO

import anyio
from anyio import BrokenWorkerProcess, CapacityLimiter, to_process, to_thread

from metseg.errors import MetsegError
from metseg.server.upload_decoding.decoding import Decoded, decode
from metseg.server.upload_decoding.limits import Limits, Reason, UploadRejected
from metseg.study import Sequence

_UPLOAD = "sent"


class Decoder:
    """Decodes uploads.

    Parameters
    ----------
    processes : int
        Uploads that are decoded at once.
    seconds : float
        How long one may take.
    mib : int
        Memory that one may need, beyond what a process has taken when it starts (not bounded on Windows).
    """

    def __init__(self, limits: Limits, *, processes: int, seconds: float, mib: int) -> None:
        self._limits = limits
        self._seconds = seconds
        self._mib = mib
        self._turn = CapacityLimiter(processes)
        self._processes = CapacityLimiter(processes)

    async def warm(self) -> None:
        """Start the processes, so that the first uploads do not wait for them.

        MetsegError if they do not start: each imports the script that this process runs.
        """
        try:
            async with anyio.create_task_group() as group:
                for _ in range(int(self._processes.total_tokens)):
                    group.start_soon(self._start)
        except* BrokenWorkerProcess:
            raise MetsegError(
                "the processes that read uploads do not start; a script that starts the server must do so under "
                'if __name__ == "__main__":'
            ) from None

    async def decode(self, upload: BinaryIO, sequences: tuple[Sequence, ...] | None = None) -> Decoded:
        """Read an upload, complete or not at all.

        Parameters
        ----------
        sequences : tuple of Sequence, optional
            Which sequence each channel is.

        Raises
        ------
        UploadRejected
            If it is not taken.
        MetsegError
            If something that is needed is not installed.
        """
        folder = await to_thread.run_sync(_new_folder)
        try:
            path = Path(folder.name, _UPLOAD)
            await to_thread.run_sync(_copy, upload, path)
            return await self._bounded(path, Path(folder.name, "unpacked"), sequences)
        finally:
            with anyio.CancelScope(shield=True):
                await to_thread.run_sync(folder.cleanup)

    async def _bounded(self, path: Path, folder: Path, sequences: tuple[Sequence, ...] | None) -> Decoded:
        """Decode; a client that goes away meanwhile is not worth the process, which would be killed."""
        async with self._turn:
            try:
                with anyio.move_on_after(self._seconds, shield=True):
                    return await to_process.run_sync(
                        _decode,
                        path,
                        folder,
                        self._limits,
                        self._mib,
                        sequences,
                        cancellable=True,
                        limiter=self._processes,
                    )
            except BrokenWorkerProcess:
                raise UploadRejected(Reason.UNREADABLE, "the file is damaged: decoding it failed") from None
        raise UploadRejected(Reason.UNREADABLE, f"decoding it takes more than {self._seconds:g} s")

    async def _start(self) -> None:
        await to_process.run_sync(_confine, self._mib, cancellable=True, limiter=self._processes)


def _new_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="metseg-upload-", ignore_cleanup_errors=True)


def _copy(upload: BinaryIO, path: Path) -> None:
    upload.seek(0)
    with path.open("xb") as file:
        copyfileobj(upload, file, 1 << 20)


def _decode(path: Path, folder: Path, limits: Limits, mib: int, sequences: tuple[Sequence, ...] | None) -> Decoded:
    _confine(mib)
    folder.mkdir()
    return decode(path, folder, limits, sequences)


@lru_cache(maxsize=1)
def _confine(mib: int) -> None:
    """Bound this process's memory, and leave Ctrl-C to the server; importing what decodes is done by now."""
    import cv2
    import imagecodecs
    import SimpleITK  # noqa: F401  (the bound counts from here)
    from PIL import Image

    cv2.setNumThreads(1)
    Image.init()
    imagecodecs.zlib_decode  # noqa: B018  (codecs are loaded when they are looked up)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _has_proc() else 0
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = taken + (mib << 20)
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _has_proc() -> bool:
    return Path("/proc/self/statm").is_file()
