"""What a network outlines."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Target(StrEnum):
    """What is inside a mask.

    ``FLAIR_ABNORMALITY`` is everything that is brighter on FLAIR than brain: tumour and the oedema around it.
    ``ENHANCING_LESION`` is what takes up contrast agent on post-contrast T1, such as a metastasis.
    """

    FLAIR_ABNORMALITY = "FLAIR abnormality"
    ENHANCING_LESION = "enhancing lesion"

    @classmethod
    def of_sequences(cls, sequences: Iterable[str]) -> Target:
        """The usual target of a network that sees ``sequences``: what enhances where it sees post-contrast alone."""
        return cls.ENHANCING_LESION if set(sequences) == {"post-contrast"} else cls.FLAIR_ABNORMALITY


class TargetChoice(StrEnum):
    """What a user can ask for."""

    FLAIR_ABNORMALITY = "flair-abnormality"
    ENHANCING_LESION = "enhancing-lesion"
    BOTH = "both"

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is to be outlined."""
        return tuple(Target) if self is TargetChoice.BOTH else (Target[self.name],)
