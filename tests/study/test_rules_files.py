"""A rules file says what files are, where the usual rules do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.events import drain
from metseg.study import DataFolder, NameRules, find_studies, inspect, load, parse_labels, read_rules, write_tiff


def put(top: Path, *names: str, value: int | None = None) -> None:
    for number, name in enumerate(names):
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (6, 5)).astype(np.uint8)
        write_tiff(path, pixels if value is None else np.full((6, 5), value, np.uint8))


BRAINMETSHARE = """
[sequences]
0 = "pre-contrast"
2 = "post-contrast"
3 = "flair"

[[file]]
pattern = "{patient}/1/{slice}"
ignore = true

[[file]]
pattern = "{patient}/seg/{slice}"
mask = true

[[file]]
pattern = "{patient}/{sequence}/{slice}"
"""


def test_patients_sequences_slices_and_masks_are_where_a_pattern_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    put(data, *(f"Mets_{patient}/{folder}/{k}.tif" for patient in (1, 2) for folder in "0123" for k in (0, 1, 10)))
    put(data, *(f"Mets_{patient}/seg/{k}.tif" for patient in (1, 2) for k in (0, 1, 10)), value=255)
    (tmp_path / "rules.toml").write_text(BRAINMETSHARE)
    first, second = find_studies(data, rules=read_rules(tmp_path / "rules.toml"))
    assert (first.name, second.name) == ("Mets_1", "Mets_2")
    assert [entry.image.name for entry in first.slices] == ["0.tif", "1.tif", "10.tif"]
    [study] = load(first).studies
    assert study.sequences == ("pre-contrast", "flair", "post-contrast")
    assert study.mask is not None
    assert study.mask.all()


def test_a_file_in_the_folder_holds_for_every_front_end(tmp_path: Path) -> None:
    put(tmp_path, "a01.tif", "a01_old.tif", "outline_a01.tif")
    (tmp_path / "metseg.toml").write_text(
        '[[file]]\npattern = "*_old"\nignore = true\n[[file]]\npattern = "outline_{patient}"\nmask = true\n'
        '[[file]]\npattern = "{patient}"\nsequence = "flair"\n'
    )
    [study] = find_studies(tmp_path)
    assert (study.name, study.named) == ("a01", ("flair",))
    assert study.slices[0].mask == tmp_path / "outline_a01.tif"
    found = drain(inspect(tmp_path))
    assert {file.path.name: file.rules[0] for file in found.files} == {
        "a01.tif": "rules file: {patient}",
        "outline_a01.tif": "rules file: outline_{patient}",
    }


def test_visits_and_fixed_words(tmp_path: Path) -> None:
    put(tmp_path, "x/ada/one/a.tif", "x/ada/two/b.tif")
    (tmp_path / "rules.toml").write_text(
        '[[file]]\npattern = "{patient}/{visit}/{any}"\nsequence = "T1ce"\n',
    )
    studies = find_studies(tmp_path / "x", rules=read_rules(tmp_path / "rules.toml"))
    assert [(study.name, study.patient) for study in studies] == [("ada_one", "ada"), ("ada_two", "ada")]
    assert all(study.named == ("post-contrast",) for study in studies)


def test_slices_keep_their_own_numbers_where_a_pattern_does_not_say(tmp_path: Path) -> None:
    put(tmp_path, *(f"x/ada/s{k}.tif" for k in (9, 10)), *(f"x/ada/drawn/s{k}.tif" for k in (9, 10)))
    (tmp_path / "rules.toml").write_text(
        '[[file]]\npattern = "{patient}/drawn/{any}"\nmask = true\n[[file]]\npattern = "{patient}/{any}"\n'
    )
    [study] = find_studies(tmp_path / "x", rules=read_rules(tmp_path / "rules.toml"))
    assert study.name == "ada"
    assert [(entry.image.name, entry.mask is not None) for entry in study.slices] == [
        ("s9.tif", True),
        ("s10.tif", True),
    ]


def test_labels_choose_what_is_lesion(tmp_path: Path) -> None:
    put(tmp_path / "P", "P_1.tif")
    write_tiff(tmp_path / "P" / "P_1_seg.tif", np.arange(30, dtype=np.uint8).reshape(6, 5) % 4)
    (tmp_path / "rules.toml").write_text("labels = [1, 3]\n")
    every, chosen, asked = (
        load(find_studies(folder)[0]).studies[0].mask
        for folder in (
            tmp_path / "P",
            DataFolder(tmp_path / "P", read_rules(tmp_path / "rules.toml")),
            DataFolder(tmp_path / "P", NameRules().with_labels(parse_labels("2"))),
        )
    )
    assert every is not None
    assert chosen is not None
    assert asked is not None
    assert (every.sum(), chosen.sum(), asked.sum()) == (22, 15, 7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[file]\n", "not a rules file"),
        ("[[file]]\npatern = 'x'\n", "file.0"),
        ("[[file]]\npattern = '{patent}'\n", "{patent} in a pattern is not known"),
        ("[[file]]\npattern = 'x'\nsequence = 'T9'\n", "'T9' is no sequence"),
        ("labels = [0]\n", "labels.0"),
        ("[sequences]\n0 = 'T9'\n", "sequences.0"),
    ],
)
def test_a_wrong_file_is_a_named_error(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_rules(path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)


def test_labels_are_whole_numbers() -> None:
    assert parse_labels("1, 3,1") == (1, 3)
    for text in ("", "0", "a", "1;3", "-1", "1,"):
        with pytest.raises(DataError, match="no list of mask values"):
            parse_labels(text)


def test_a_file_that_is_not_there_is_a_named_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_rules(tmp_path / "nowhere.toml")
