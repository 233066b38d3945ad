"""The lesion table: measures, uncertainty and origin of every lesion, live and as a file."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from metseg.curation import Origin, Project, Provenance
from metseg.curation.table import lesion_rows, lesion_rows_csv, write_lesion_rows
from metseg.errors import DataError
from metseg.lesions import measure


def entropy(p: float) -> float:
    return -(p * math.log2(p) + (1 - p) * math.log2(1 - p))


@pytest.fixture
def labels() -> np.ndarray:
    """Two lesions that touch, and one in a corner."""
    labels = np.zeros((5, 20, 22), np.uint16)
    labels[1:4, 4:9, 5:11] = 3
    labels[2, 9:12, 5:8] = 900
    labels[0, 0, 0] = 7
    return labels


def test_rows_are_the_measures_of_the_lesions_in_order_of_their_ids(labels: np.ndarray) -> None:
    probabilities = np.random.default_rng(0).random(labels.shape).astype(np.float32)
    rows = lesion_rows(labels, spacing=(3.0, 0.5, 0.5), probabilities=probabilities)
    assert [row.lesion for row in rows] == measure(labels, spacing=(3.0, 0.5, 0.5), probabilities=probabilities)
    assert [row.lesion.id for row in rows] == [3, 7, 900]
    assert rows[0].volume == (pytest.approx(90 * 0.75), "mm³")
    assert rows[0].diameter[1] == "mm"
    (unknown, *_) = lesion_rows(labels)
    assert unknown.volume == (90, "voxels")
    assert unknown.diameter[1] == "px"
    assert (unknown.uncertainty, unknown.origin, unknown.edited) == (None, None, None)


def test_uncertainty_is_the_mean_entropy_of_the_lesion_and_what_touches_it(labels: np.ndarray) -> None:
    probabilities = np.random.default_rng(1).uniform(0.01, 0.99, labels.shape).astype(np.float32)
    for row in lesion_rows(labels, probabilities=probabilities):
        inside = labels == row.lesion.id
        shell = ndimage.binary_dilation(inside, np.ones((3, 3, 3))) & (labels == 0)
        expected = np.mean([entropy(float(p)) for p in probabilities[inside | shell]])
        assert row.uncertainty == pytest.approx(expected, abs=1e-4)


def test_disagreement_is_the_mean_inside_the_lesion(labels: np.ndarray) -> None:
    apart = np.random.default_rng(2).uniform(0, 1, labels.shape).astype(np.float32)
    rows = lesion_rows(labels, disagreement=apart)
    for row in rows:
        assert row.disagreement == pytest.approx(apart[labels == row.lesion.id].mean(), abs=1e-5)
    written = [float(line["disagreement"]) for line in csv.DictReader(lesion_rows_csv(rows).splitlines())]
    assert written == pytest.approx([row.disagreement for row in rows], abs=1e-4)
    alone = csv.DictReader(lesion_rows_csv(lesion_rows(labels)).splitlines())
    assert {line["disagreement"] for line in alone} == {""}
    with pytest.raises(ValueError, match="does not fit labels"):
        lesion_rows(labels, disagreement=apart[1:])


@pytest.mark.parametrize(("p", "expected"), [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)])
def test_a_certain_network_has_no_uncertainty(labels: np.ndarray, p: float, expected: float) -> None:
    for row in lesion_rows(labels, probabilities=np.full(labels.shape, p, np.float32)):
        assert row.uncertainty == pytest.approx(expected, abs=1e-4)


def test_edited_lesions_are_told_from_the_networks(project: Project, provenance: Provenance, paint: Any) -> None:
    with project.open_case("head") as session:
        mask = np.zeros(session.shape, np.uint8)
        mask[1, 1:4, 1:4] = mask[1, 8:10, 8:10] = 1
        session.predict(session.plan_prediction(mask), mask.astype(np.float32), provenance)
        paint(session, (1, 8, 10), 2)
        drawn = session.labels.copy()
        drawn[3, 0, 0] = 50
        rows = lesion_rows(drawn, origins=session.origins())
    assert [row.origin for row in rows] == [Origin.AUTOMATIC, Origin.SEMIAUTOMATIC, Origin.MANUAL]
    assert [row.edited for row in rows] == [False, True, True]


def test_the_file_reads_back_as_the_rows(labels: np.ndarray, tmp_path: Path) -> None:
    probabilities = np.full(labels.shape, 0.5, np.float32)
    origins = {3: Origin.AUTOMATIC, 7: Origin.SEMIAUTOMATIC}
    rows = lesion_rows(labels, probabilities=probabilities, origins=origins)
    write_lesion_rows(rows, tmp_path / "lesions.csv")
    with (tmp_path / "lesions.csv").open(newline="", encoding="utf-8") as file:
        read = list(csv.DictReader(file))
    assert [line["lesion"] for line in read] == ["3", "7", "900"]
    assert [line["voxels"] for line in read] == ["90", "1", "9"]
    assert [line["edited"] for line in read] == ["no", "yes", "yes"]
    assert [line["origin"] for line in read] == ["AUTOMATIC", "SEMIAUTOMATIC", "MANUAL"]
    assert [line["touches_border"] for line in read] == ["no", "yes", "no"]
    assert {line["uncertainty"] for line in read} == {"1.0000"}
    assert {line["volume_mm3"] for line in read} == {""}


def test_a_case_without_lesions_has_a_table_without_rows() -> None:
    assert lesion_rows(np.zeros((2, 3, 4), np.uint16), probabilities=np.zeros((2, 3, 4), np.float32)) == ()
    assert lesion_rows_csv([]).count("\n") == 1


def test_a_table_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_lesion_rows([], tmp_path / "nowhere" / "lesions.csv")
