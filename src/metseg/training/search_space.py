"""What ``metseg tune`` varies, around a base configuration that is itself the first trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from metseg.training.config import TrainingConfig

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

_CROPS = (96, 128, 160, 192, 224, 256, 320, 384, 448, 512)

#: Thresholds of which every trial takes its best.
THRESHOLDS = [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8]


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Settings that are varied around those of ``base``.

    Learning rates go from a fifth to five times the base's, the strength of the augmentation from 0.3 to 2 times
    (:meth:`metseg.training.AugmentationConfig.scaled`). The threshold is not drawn: for every trial all of
    :data:`THRESHOLDS` are measured, which costs nothing.

    Attributes
    ----------
    base : TrainingConfig
        Everything that is not varied.
    side : int
        Longest side of the prepared slices, pixels; no crop but the base's is larger.
    """

    base: TrainingConfig
    side: int

    def base_point(self) -> dict[str, Any]:
        """The base configuration as a point of the space."""
        return {
            "learning_rate": self.base.learning_rate,
            "encoder_learning_rate": self.base.encoder_learning_rate,
            "focal": self.base.loss.focal,
            "bce": self.base.loss.bce,
            "augmentation": 1.0,
            "missing_sequence": self.base.augmentation.missing_sequence,
            "crop": self.base.crop,
            "lesion_share": self.base.lesion_share,
        }

    def distributions(self) -> dict[str, BaseDistribution]:
        """The range of every setting, for :meth:`optuna.study.Study.ask`."""
        from optuna.distributions import CategoricalDistribution, FloatDistribution

        base = self.base
        crops = sorted({crop for crop in _CROPS if crop <= self.side} | {base.crop})
        encoder_rate, missing = base.encoder_learning_rate, base.augmentation.missing_sequence
        return {
            "learning_rate": FloatDistribution(base.learning_rate / 5, base.learning_rate * 5, log=True),
            "encoder_learning_rate": FloatDistribution(encoder_rate / 5, encoder_rate * 5, log=True),
            "focal": FloatDistribution(0.0, max(2.0, base.loss.focal)),
            "bce": FloatDistribution(0.0, max(1.0, base.loss.bce)),
            "augmentation": FloatDistribution(0.3, 2.0),
            "missing_sequence": FloatDistribution(0.0, max(0.3, missing)),
            "crop": CategoricalDistribution(crops),
            "lesion_share": FloatDistribution(min(0.3, base.lesion_share), max(0.8, base.lesion_share)),
        }

    def config(self, point: dict[str, Any]) -> TrainingConfig:
        """The configuration at a point of the space."""
        base = self.base
        augmentation = base.augmentation.scaled(point["augmentation"])
        return base.model_copy(
            update={
                "learning_rate": point["learning_rate"],
                "encoder_learning_rate": point["encoder_learning_rate"],
                "loss": base.loss.model_copy(update={"focal": point["focal"], "bce": point["bce"]}),
                "augmentation": augmentation.model_copy(update={"missing_sequence": point["missing_sequence"]}),
                "crop": point["crop"],
                "lesion_share": point["lesion_share"],
            }
        )
