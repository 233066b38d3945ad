"""No patient is on two sides, and nobody judges whom the parent has seen."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metseg.checkpoints import TrainingRecord
from metseg.curation import EditStatistics, Status
from metseg.curation.export import ExportedCase, JournalPosition, Subset
from metseg.errors import DataError
from metseg.retraining.patients import assign_split
from metseg.study import SliceFile, StudyFiles, file_sha256

NAMES = st.sets(st.sampled_from([f"{patient}_{visit}" for patient in "abcdef" for visit in (1, 2)]))
PATTERN = r"([a-f])_\d"


def exported(name: str, side: Subset, *, source: str = "cd" * 32) -> ExportedCase:
    return ExportedCase(
        name=name,
        stem=name,
        patient=name[0],
        side=side,
        status=Status.APPROVED,
        status_time=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
        shape=(1, 8, 8),
        spacing=None,
        sequences=(),
        sources=(source,),
        labels_sha256="ef" * 32,
        journal=JournalPosition(seq=1, sha256="12" * 32),
        model=None,
        lesions=(),
        statistics=EditStatistics(),
        software="test",
    )


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("images") / "slice.tif"
    path.write_bytes(b"pixels")
    return path


def found(names: set[str], image: Path, folder: str = "") -> dict[str, list[StudyFiles]]:
    return {name: [StudyFiles(name, Path(folder or "data") / name, (SliceFile(image, image),))] for name in names}


@given(cases=NAMES, others=NAMES, seen=NAMES, clean=NAMES, held=st.sets(st.sampled_from("abcdef")))
def test_sides_never_mix(
    image: Path, cases: set[str], others: set[str], seen: set[str], clean: set[str], held: set[str]
) -> None:
    made = [exported(name, Subset.HELD_OUT if name[0] in held else Subset.TRAIN) for name in sorted(cases)]
    record = TrainingRecord(patients=tuple(seen), held_out=tuple(clean))
    try:
        result = assign_split(made, found(cases, image), found(others, image), record, PATTERN)
    except DataError:
        assert {name[0] for name in cases | others} <= held | {name[0] for name in clean}
        return
    train, judges = result.split.train, result.split.held_out
    assert sorted((*train, *judges)) == sorted(cases | others)
    assert not {name[0] for name in train} & {name[0] for name in judges}
    assert not {name[0] for name in judges} & {name[0] for name in seen}
    assert result.replayed == set(train) - cases
    assert result.corrected == cases
    for name in judges:
        assert name[0] in held or (name[0] in {n[0] for n in clean} and name[0] not in {n[0] for n in cases})


def test_the_same_images_under_another_name_are_the_same_patient(image: Path) -> None:
    known = exported("a_1", Subset.HELD_OUT, source=file_sha256(image))
    cases = [known, exported("b_1", Subset.TRAIN), exported("c_1", Subset.HELD_OUT)]
    record = TrainingRecord(patients=("scan 7",))
    result = assign_split(cases, found({"a_1", "b_1", "c_1"}, image), found({"scan 7"}, image), record, PATTERN)
    assert result.patients["scan 7"] == "a"
    assert result.split.held_out == ("c_1",)
    assert any("known to the parent, so trained on: a" in remark for remark in result.remarks)
