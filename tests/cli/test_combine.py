"""Combining networks on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

_WEIGHTS = Path(__file__).parents[2] / "weights"


@pytest.mark.slow
def test_averaged_weights_of_no_common_descent_are_named(metseg: Any, tmp_path: Path) -> None:
    names = [str(_WEIGHTS / name) for name in ("attention_unet", "attention_unet_first")]
    done = metseg("combine", "--weights", "--model", names[0], "--model", names[1], "--out", tmp_path / "mean")
    assert done.status == 0, done.err
    assert (tmp_path / "mean" / "model.safetensors").is_file()
    assert "the cards do not say that these were trained on from the same weights" in done.err
