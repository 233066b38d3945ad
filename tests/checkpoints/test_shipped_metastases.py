"""The network for metastases says what it outlines, and is what auto takes where post-contrast T1 is all there is."""

from __future__ import annotations

from metseg.checkpoints import choose_models, load_checkpoint
from metseg.lesions import Target
from metseg.study import Sequence


def test_its_card_names_the_target_and_the_sequence() -> None:
    card = load_checkpoint("metastases").card
    assert card.target is Target.ENHANCING_LESION
    assert card.preprocessing.sequences == (Sequence.POST,)


def test_auto_takes_it_for_post_contrast_alone() -> None:
    assert choose_models("auto", (Sequence.POST,)) == ["metastases"]
