"""Whatever byte of a case is damaged: what opens was once committed, and the user is told what is missing.

METSEG_DAMAGE=full tries all eight bits of every byte of every file, instead of one of each byte that matters most.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from metseg.curation import EditKind, Project
from metseg.curation.journal import read_segment
from metseg.errors import MetsegError, UnreadableFileError
from metseg.study import Study, read_study, write_tiff

pytestmark = pytest.mark.slow


BITS = range(8) if os.environ.get("METSEG_DAMAGE") == "full" else None
SHAPE = (2, 4, 5)


@dataclass
class Example:
    """A case of a few edits: its project, its folder, and the labels after each record."""

    project: Project
    folder: Path
    after: dict[int, np.ndarray]

    def check(self, *, told: bool) -> int:
        """Read the case; its labels must be those of the record that it says. Returns the last edit's number."""
        view = self.project.read_case("head")
        seq = view.summary.records
        np.testing.assert_array_equal(view.labels, self.labels_at(seq), f"record {seq}")
        if told:
            assert view.recovery is not None
            assert str(view.recovery)
        return seq

    def labels_at(self, seq: int) -> np.ndarray:
        """The labels after record ``seq``; a record that changes none passes on those before."""
        return self.after[max(number for number in self.after if number <= seq)]

    def check_repair(self) -> None:
        """Open the case for editing: it can go on from there, and keeps what it put aside."""
        total = sum(path.stat().st_size for path in (self.folder / "journal").iterdir())
        with self.project.open_case("head") as case:
            labels = case.labels.copy()
            labels[1, 3, 4] ^= 9
            case.commit(labels, EditKind.STROKE)
            assert sum(path.stat().st_size for path in (self.folder / "journal").iterdir()) > total
        view = self.project.read_case("head")
        assert view.recovery is None
        np.testing.assert_array_equal(view.labels, labels)


@pytest.fixture
def example(tmp_path: Path) -> Example:
    write_tiff(tmp_path / "head.tif", np.zeros(SHAPE, np.uint8))
    study: Study = read_study(tmp_path / "head.tif")
    project = Project.create(tmp_path / "project")
    project.add(study)
    rng = np.random.default_rng(5)
    after = {0: np.zeros(SHAPE, np.uint16)}
    for _ in range(2):
        with project.open_case("head", annotator="a") as case:
            for _ in range(3):
                record = case.commit(rng.integers(0, 4, SHAPE).astype(np.uint16), EditKind.STROKE)
                assert record is not None
                after[record.seq] = case.labels.copy()
    return Example(project, project.path / "cases" / "head", after)


@pytest.fixture
def unclosed(example: Example) -> Example:
    """The same, copied while somebody had it open with two more edits."""
    with example.project.open_case("head") as case:
        for label in (5, 6):
            record = case.commit(np.full(SHAPE, label), EditKind.FILL)
            assert record is not None
            example.after[record.seq] = case.labels.copy()
        copy = example.project.path.with_name("unclosed")
        shutil.copytree(example.project.path, copy)
    project = Project.open(copy)
    return Example(project, copy / "cases" / "head", example.after)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _flips(path: Path, try_it: Callable[[], None], step: int = 1) -> None:
    whole = path.read_bytes()
    for position in range(0, len(whole), 1 if BITS else step):
        for bit in BITS or [position % 8]:
            data = bytearray(whole)
            data[position] ^= 1 << bit
            path.write_bytes(data)
            try_it()
    path.write_bytes(whole)


def _segments(example: Example) -> list[Path]:
    return sorted((example.folder / "journal").glob("*.log"))


def test_every_flipped_bit_of_the_newest_segment_gives_a_valid_prefix(unclosed: Example) -> None:
    seen: set[int] = set()
    _flips(_segments(unclosed)[-1], lambda: seen.add(unclosed.check(told=True)))
    last = max(unclosed.after)
    assert seen == {last - 3, last - 2, last - 1}, "the older segment, the snapshot, and one edit more"


def test_every_flipped_bit_of_an_old_segment_changes_no_label(unclosed: Example) -> None:
    for path in _segments(unclosed)[:-1]:
        _flips(path, lambda: _equal(unclosed.check(told=False), max(unclosed.after)), step=9)


def test_every_flipped_bit_of_the_newest_snapshot_is_noticed_and_made_good(unclosed: Example) -> None:
    newest = sorted((unclosed.folder / "labels").iterdir())[-1]
    _flips(newest, lambda: _equal(unclosed.check(told=True), max(unclosed.after)))


def _equal(found: int, expected: int) -> None:
    assert found == expected


def test_every_length_of_the_newest_segment_gives_a_valid_prefix(unclosed: Example) -> None:
    path = _segments(unclosed)[-1]
    whole = path.read_bytes()
    ends = [int(size) for size in np.cumsum([frame.size for frame in read_segment(path).frames])]
    seen: set[int] = set()
    for length in range(len(whole)):
        _write(path, whole[:length])
        # a journal that ends between two records looks like one to which nothing more was written
        seen.add(unclosed.check(told=length not in ends))
    last = max(unclosed.after)
    assert seen == {last - 3, last - 2, last - 1}


def test_whatever_follows_the_last_record_is_cut_off_and_kept(unclosed: Example) -> None:
    path = _segments(unclosed)[-1]
    whole = path.read_bytes()
    for tail in (b"\0" * 4096, b"MSJ1 ", whole, whole[-100:]):
        _write(path, whole + tail)
        assert unclosed.check(told=True) == max(unclosed.after)
    with unclosed.project.open_case("head") as case:
        assert case.recovery is not None
        assert case.recovery.cut == 100
        [kept] = case.recovery.kept
        assert kept.read_bytes() == whole[-100:]
        assert kept.name in str(case.recovery)
    assert path.read_bytes().startswith(whole)
    assert [record.kind for record in case.history()][-2:] == ["recovery", "snapshot"]


def test_a_repaired_case_goes_on(unclosed: Example, tmp_path: Path) -> None:
    paths = [*_segments(unclosed), *(unclosed.folder / "labels").iterdir(), unclosed.folder / "state.json"]
    for number, path in enumerate(paths):
        size = path.stat().st_size
        for trial, position in enumerate(range(number, size, max(1, size // 4))):
            copy = tmp_path / f"{number}-{trial}"
            shutil.copytree(unclosed.project.path, copy)
            broken = copy / path.relative_to(unclosed.project.path)
            data = bytearray(broken.read_bytes())
            data[position] ^= 0x10
            _write(broken, data if trial % 2 else data[:position])
            Example(Project.open(copy), copy / "cases" / "head", unclosed.after).check_repair()


def test_a_record_cut_off_exactly_is_missed_when_the_case_was_closed(example: Example) -> None:
    newest = _segments(example)[-1]
    newest.unlink()
    with example.project.open_case("head") as case:
        np.testing.assert_array_equal(case.labels, example.after[max(example.after)])
        assert case.recovery is not None
        assert case.recovery.lost == 1
        assert "1 record could not be brought back" in str(case.recovery)
    assert example.project.read_case("head").recovery is None


def test_a_case_without_journal_or_snapshots_opens(example: Example) -> None:
    for path in (example.folder / "labels").iterdir():
        path.unlink()
    np.testing.assert_array_equal(example.project.read_case("head").labels, example.after[max(example.after)])
    for path in _segments(example):
        path.unlink()
    with example.project.open_case("head") as case:
        assert not case.labels.any()
        assert case.recovery is not None
        assert case.recovery.lost
    example.check_repair()


def test_a_later_version_is_refused_and_left_alone(example: Example) -> None:
    import zlib

    path = _segments(example)[-1]
    whole = path.read_bytes()
    header = whole[32:].replace(b'"kind":"snapshot"', b'"kind":"hologram"')
    start = b"MSJ1 %08x 00000000 " % len(header)
    _write(path, start + b"%08x\n" % zlib.crc32(start + header) + header)
    before = {path: path.read_bytes() for path in _segments(example)}
    with pytest.raises(UnreadableFileError, match="later version"):
        example.project.open_case("head")
    assert {path: path.read_bytes() for path in _segments(example)} == before


def test_any_bytes_in_any_file_raise_nothing_but_named_errors(example: Example) -> None:
    rng = np.random.default_rng(3)
    files = [path for path in example.project.path.rglob("*") if path.is_file()]
    for path in files:
        whole = path.read_bytes()
        for data in (b"", b"\0" * 50, b"{}", b"[" * 100_000, rng.bytes(300), whole[::-1]):
            _write(path, data)
            try:  # whether it opens is said elsewhere; here, that nothing else is raised and no label is wrong
                project = Project.open(example.project.path)
                project.cases()
                view = project.read_case("head")
            except MetsegError:
                continue
            assert any(np.array_equal(view.labels, labels) for labels in example.after.values())
        _write(path, whole)
