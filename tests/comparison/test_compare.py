"""Models are compared on patients they never saw, and the report holds what was found."""

from __future__ import annotations

import re
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from metseg.checkpoints import load_checkpoint
from metseg.comparison import Comparison, Verdict, compare, find_entries
from metseg.comparison.entries import choose_patients, read_contender
from metseg.errors import CheckpointError, DataError, MissingExtraError
from metseg.events import Progress, drain
from metseg.inference import Segmenter
from metseg.metrics import PairedTest, compare_paired, score_scan
from metseg.study import read_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def report(single: Path, folds: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("report")
    drain(compare(find_entries([str(single), str(folds)]), data, out, device="cpu"))
    return out


@pytest.fixture(scope="module")
def found(report: Path) -> Comparison:
    return Comparison.model_validate_json((report / "scores.json").read_bytes())


def test_only_patients_that_no_model_was_trained_on_are_scored(found: Comparison) -> None:
    assert found.patients == 3
    assert found.trained_on == ()
    assert all([patient.name for patient in model.patients] == ["a", "b", "c"] for model in found.models)


def test_a_cross_validated_model_speaks_through_the_fold_that_never_saw_the_patient(
    found: Comparison, folds: Path, data: Path
) -> None:
    folded = next(model for model in found.models if model.name == "folded")
    assert len(folded.weights_sha256) == 2
    assert "2-fold" in folded.title
    for name, fold in (("a", "fold_0"), ("b", "fold_1")):
        study = read_study(data / name)
        assert study.mask is not None
        mask = Segmenter(load_checkpoint(folds / fold), device="cpu").segment(study).mask
        score = next(score for score in folded.summary.scores if score.name == name)
        assert score.dice == pytest.approx(score_scan(name, study.mask, mask).dice, abs=1e-6)


def test_models_are_in_the_order_of_their_dice_and_the_test_is_between_the_two_best(found: Comparison) -> None:
    first, second = found.models
    assert first.summary.mean_dice >= second.summary.mean_dice
    assert found.verdict is not None
    assert (found.verdict.first, found.verdict.second) == (first.name, second.name)
    assert found.verdict.test.difference == pytest.approx(first.summary.mean_dice - second.summary.mean_dice)
    assert all(model.parameters > 1e6 and model.seconds_per_slice > 0 for model in found.models)
    assert all(sum(model.summary.reliability.voxels) > 0 for model in found.models)
    assert [len(model.curves) for model in found.models if model.name == "single"] == [1]


class _Page(HTMLParser):
    """Collects what a browser would ask for, and the tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.asked_for: list[str] = []
        self.tags: list[str] = []
        self.spoken: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "xlink:href") and value and not value.startswith(("#", "data:")):
                self.asked_for.append(value)
            if name == "aria-label" and tag == "svg" and value:
                self.spoken.append(value)


def test_the_page_is_whole_in_itself_and_can_be_read_aloud(report: Path, found: Comparison) -> None:
    text = (report / "report.html").read_text(encoding="utf-8")
    page = _Page(text)
    assert page.asked_for == []
    assert not re.search(r"@import|url\((?!#)", text)
    assert page.tags.count("table") == page.tags.count("caption") == 5
    assert len(page.spoken) == 4 + 2 * 3, "four charts, and for each model its best, median and worst patient"
    assert "prefers-color-scheme: dark" in text
    assert "Not a medical device" in text
    assert found.verdict is not None
    assert found.verdict.sentence in unescape(text)
    for model in found.models:
        assert f"{model.summary.mean_dice:.3f}" in text
    assert "#0102" not in text, "every colour of a chart is one of the style sheet's"


def test_the_markdown_file_holds_the_same_tables(report: Path, found: Comparison) -> None:
    text = (report / "report.md").read_text(encoding="utf-8")
    assert "Not a medical device" in text
    for model in found.models:
        row = next(line for line in text.splitlines() if line.startswith(f"| {model.name} |"))
        assert f"| {model.summary.mean_dice:.3f} [" in row
        assert f"| {model.mean_surface_dice:.3f} |" in row
    assert "| a |" in text
    by_size = next(line for line in text.splitlines() if line.startswith("| Model |") and "voxels" in line)
    assert all(size.name in by_size for size in found.models[0].summary.sizes if size.reference)
    assert "Lesion-wise Dice" in text


def test_a_patient_who_was_asked_for_although_trained_on_is_marked(single: Path, data: Path, tmp_path: Path) -> None:
    events: list[object] = []
    alone = drain(compare(find_entries([str(single)]), data, tmp_path, patients=["d", "a"]), events.append)
    assert alone.trained_on == ("d",)
    assert alone.verdict is None
    assert Progress(1, 2, "single: d") in events
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert re.search(r"\| d \| [0-9.]+\\\* \|", markdown)
    assert re.search(r"\| a \| [0-9.]+ \|", markdown)
    assert "measure memory" in markdown


def test_who_may_be_scored_is_decided_by_all_cards(single: Path, folds: Path, data: Path, tmp_path: Path) -> None:
    one, cross_validated = (read_contender(entry) for entry in find_entries([str(single), str(folds)]))
    assert choose_patients([cross_validated], "abcd", None) == ["a", "b", "c", "d"]
    assert choose_patients([one, cross_validated], "abcde", None) == ["a", "b", "c", "e"], "e is new to all"
    with pytest.raises(DataError, match="--all"):
        choose_patients([one], "d", None)
    with pytest.raises(DataError, match="no masked slices of z"):
        drain(compare(find_entries([str(single)]), data, tmp_path, patients=["a", "z"]))
    with pytest.raises(DataError, match="no model"):
        drain(compare([], data, tmp_path))
    with pytest.raises(CheckpointError, match="nowhere"):
        drain(compare(find_entries(["nowhere"]), data, tmp_path))
    assert not list(tmp_path.iterdir())


def test_without_the_extra_nothing_is_begun(
    single: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(MissingExtraError, match=r"napari-metseg\[compare\]"):
        drain(compare(find_entries([str(single)]), data, tmp_path))


def test_names_are_short_and_distinct(single: Path, folds: Path) -> None:
    names = [entry.name for entry in find_entries(["nested_unet", f"{single}/model.safetensors", str(folds)])]
    assert names == ["nested_unet", "single", "folded"]
    assert [entry.name for entry in find_entries(["x/run.1", "y/run.1"])] == ["x/run.1", "y/run.1"]
    assert find_entries([str(folds)])[0].models == (folds / "fold_0", folds / "fold_1")


def says(test: PairedTest, chosen_from: int = 2) -> str:
    return Verdict(first="A", second="B", chosen_from=chosen_from, test=test).sentence


def test_nothing_is_called_better_that_may_be_chance() -> None:
    apart = compare_paired([0.9, 0.8, 0.85, 0.7, 0.95, 0.88, 0.77], [0.8, 0.72, 0.73, 0.61, 0.84, 0.8, 0.66])
    assert "A is the better of the two." in says(apart)
    assert "chosen from 4 by these same patients" in says(apart, 4)
    close = compare_paired([0.9, 0.8, 0.7], [0.91, 0.7, 0.71])
    assert "better" not in says(close)
    assert "do not tell the two apart" in says(close)
    assert "better" not in says(compare_paired([0.9], [0.1]))
