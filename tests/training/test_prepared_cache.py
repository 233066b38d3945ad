"""What was preprocessed once is read back the same, and made anew when the study or the preprocessing is another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from metseg.errors import DataError
from metseg.preprocessing import PreprocessingConfig
from metseg.study import Study
from metseg.synthetic import synthetic_study
from metseg.training.dataset import prepare
from metseg.training.prepared import PreparedCache

CONFIG = PreprocessingConfig(sequences=("post-contrast",), clahe=None, size=None)


@pytest.fixture(scope="module")
def study() -> Study:
    return synthetic_study(9, slices=8, size=96)


def test_a_study_is_found_again(study: Study, tmp_path: Path) -> None:
    cache = PreparedCache(tmp_path / "new" / "cache")
    assert cache.read(study, CONFIG, "somebody") is None
    made = prepare(study, CONFIG, "somebody")
    assert made is not None
    cache.write(study, CONFIG, made)
    around = CONFIG.model_copy(update={"neighbours": 2})
    for config in (CONFIG, around):  # what is seen beside a slice is put together later
        kept = PreparedCache(cache.folder).read(study, config, "somebody else")
        assert kept is not None
        np.testing.assert_array_equal(kept.channels, made.channels)
        np.testing.assert_array_equal(kept.masks, made.masks)
        assert (kept.masked, kept.patient) == (made.masked, "somebody else")
        assert kept.image(0).shape[0] == 2 * config.neighbours + 1


def test_another_study_mask_or_preprocessing_is_another_entry(study: Study, tmp_path: Path) -> None:
    cache = PreparedCache(tmp_path)
    made = prepare(study, CONFIG)
    assert made is not None
    assert study.mask is not None
    cache.write(study, CONFIG, made)
    changed = study.voxels.copy()
    changed[0, 0, 0, 0] ^= 1
    assert cache.read(replace(study, voxels=changed), CONFIG, "") is None
    assert cache.read(replace(study, mask=np.zeros_like(study.mask)), CONFIG, "") is None
    assert cache.read(study, CONFIG.model_copy(update={"median_level": 0.25}), "") is None


def test_a_torn_entry_is_made_anew(study: Study, tmp_path: Path) -> None:
    cache = PreparedCache(tmp_path)
    made = prepare(study, CONFIG)
    assert made is not None
    cache.write(study, CONFIG, made)
    [entry] = tmp_path.glob("*.safetensors")
    entry.write_bytes(entry.read_bytes()[:100])
    assert cache.read(study, CONFIG, "") is None


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file"):
        PreparedCache(tmp_path / "file" / "cache")
