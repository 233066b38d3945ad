"""The complete, frozen description of a training run."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, model_validator

from metseg.checkpoints import InferenceConfig
from metseg.lesions import GuidedFilter, SlicePropagation, Target
from metseg.networks import NetworkSpec, default_encoder_weights
from metseg.networks.spec import ArchitectureName
from metseg.preprocessing import PreprocessingConfig
from metseg.study import Sequence

Probability = Annotated[float, Field(ge=0, le=1)]


class AugmentationConfig(BaseModel, frozen=True, extra="forbid"):
    """Random changes to every training slice; zeros switch a change off.

    Attributes
    ----------
    horizontal_flip, vertical_flip : float
        Probabilities.
    rotation, shear : float
        Largest angle, degrees.
    scale, shift : float
        Largest relative change of size; largest displacement as a share of the side.
    elastic : float
        Probability of an elastic deformation (Simard et al. 2003).
    brightness, contrast, gamma : float
        Largest offset, relative gain and log-gamma, drawn per channel.
    noise : float
        Largest standard deviation of added Gaussian noise.
    blur : float
        Largest standard deviation, in pixels, of a Gaussian blur, as of a coarser scan; on half of the examples.
    bias_field : float
        Largest log-gain of a smooth multiplicative field, as of a coil that N4 has not corrected; per channel.
    clahe : float
        Probability of CLAHE with a random clip limit and number of tiles, so that the network takes slices with it or
        without; never where the preprocessing applies it itself.
    missing_sequence : float
        Probability, for each sequence but FLAIR, that FLAIR stands in its place; and once more for all of them.
    """

    horizontal_flip: Probability = 0.5
    vertical_flip: Probability = 0.05
    rotation: Annotated[float, Field(ge=0, le=180)] = 17.0
    shear: Annotated[float, Field(ge=0, le=45)] = 5.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.19
    shift: Annotated[float, Field(ge=0, lt=1)] = 0.05
    elastic: Probability = 0.1
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.1
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.15
    gamma: Annotated[float, Field(ge=0, lt=2)] = 0.3
    noise: Annotated[float, Field(ge=0, lt=1)] = 0.03
    blur: Annotated[float, Field(ge=0, le=5)] = 0.0
    bias_field: Annotated[float, Field(ge=0, lt=2)] = 0.0
    clahe: Probability = 0.5
    missing_sequence: Probability = 0.3

    def scaled(self, strength: float) -> AugmentationConfig:
        """Every change but flips and missing sequences ``strength`` times as large or as likely."""
        limits = {"rotation": 180.0, "shear": 45.0, "elastic": 1.0, "gamma": 1.9}
        names = ("rotation", "shear", "scale", "shift", "elastic", "brightness", "contrast", "gamma", "noise")
        return self.model_copy(
            update={name: min(getattr(self, name) * strength, limits.get(name, 0.9)) for name in names}
        )


class LossConfig(BaseModel, frozen=True, extra="forbid"):
    """Weights of the summed losses.

    Attributes
    ----------
    dice, focal, bce : float
        Dice over the whole batch, focal and binary cross-entropy.
    lesion_dice : float
        Dice of each lesion of each slice by itself, so that a small one weighs as much as a large one.
    gamma : float
        The focal loss's exponent.
    """

    dice: Annotated[float, Field(ge=0)] = 1.0
    focal: Annotated[float, Field(ge=0)] = 1.0
    bce: Annotated[float, Field(ge=0)] = 0.5
    lesion_dice: Annotated[float, Field(ge=0)] = 0.0
    gamma: Annotated[float, Field(ge=0)] = 2.0


#: Named losses of the command line.
LOSSES: dict[str, LossConfig] = {
    "focal_dice_bce": LossConfig(),
    "focal_dice": LossConfig(bce=0.0),
    "bce_dice": LossConfig(focal=0.0, bce=1.0),
}


def _usual_target(settings: dict[str, Any]) -> Target:
    preprocessing = settings.get("preprocessing")
    return Target.of_sequences(() if preprocessing is None else preprocessing.sequences)


class TrainingConfig(BaseModel, frozen=True, extra="forbid"):
    """A training run.

    Attributes
    ----------
    architecture, encoder, encoder_weights
        See :class:`metseg.networks.NetworkSpec` and
        :func:`metseg.networks.encoders.load_encoder_weights`; ``None`` takes the architecture's encoder, and the
        weights that come inside a package where there are any for the encoder.
    sequences : tuple of Sequence or None
        Which sequence each channel of the files is, for files that do not state it.
    target : Target
        What the masks outline; goes into the card. Enhancing lesion where post-contrast is the only sequence, else
        FLAIR abnormality, unless given.
    init : str or None
        Name or path of a checkpoint to start from, see :func:`metseg.training.transfer.transfer`.
    freeze_encoder : int
        Epochs, from the first, in which the encoder and its normalisation statistics stay as they are.
    epochs : int
        An epoch shows every training slice with lesion once.
    batch_size, crop : int
        Slices per step, and the side in pixels of the random crop taken from each.
    depth : int
        Consecutive slices in a stack, for a network that looks along z; a step has ``batch_size // depth`` stacks.
    lesion_share : float
        Share of every batch that has lesion.
    sampling : {"slice", "lesion"}
        How slices with lesion are drawn: each as often as any other; or a patient, then one of their lesions, then one
        of its slices, so that small lesions, and patients with few, count as much as large ones, and as many.
    learning_rate, encoder_learning_rate, weight_decay, warmup
        AdamW; ``warmup`` is the share of all steps over which the rate rises; then it falls as a half cosine.
    ema : float
        Decay per step of the moving average of the weights, which is what is validated and kept.
    held_out : float
        Share of the patients that is held out, unless ``folds`` decide.
    folds, fold : int or None
        Number of parts of a cross-validation, and which of them (from 0) is held out; the same for every seed.
    inference : InferenceConfig
        How the card will have the network used.
    threshold : float
        Probability from which on a voxel is lesion, in validation and in the card.
    keep_last : bool
        Keep the last epoch instead of the best one, so that held-out patients are measured but choose nothing.
    replay : float
        Share of the examples that come from replayed patients, background or single slices, where there are any; of
        those with lesion as of those without.
    synthetic_heads : int
        Synthetic heads added to the training patients.
    simulated_lesions : float
        Copies of each training head, on average, with simulated metastases
        (:func:`metseg.synthetic.insert_metastases`); in a copy only the slices that hold one are shown.
    validate_every : int
        Epochs between validations; the last epoch is always validated.
    steps_per_epoch : int or None
        Instead of one pass over the slices with lesion.
    compile : bool
        Whether torch compiles the network for the steps; needs a C++ compiler on a CPU, and minutes before the first.
    seed : int
        Decides a random split (not folds), order, augmentation and random weights.
    data_source : str
        Where the images come from and under which licence; goes into the model card.
    licence : str
        SPDX identifier of that licence in lower case, for the card; that of the weights to start from unless given.
    """

    architecture: ArchitectureName
    encoder: str | None = None
    encoder_weights: str | None = None
    init: str | None = None
    freeze_encoder: Annotated[int, Field(ge=0)] = 0
    preprocessing: PreprocessingConfig = PreprocessingConfig(normalisation="median", clahe=None)
    sequences: tuple[Sequence, ...] | None = None
    target: Target = Field(default_factory=_usual_target)
    augmentation: AugmentationConfig = AugmentationConfig()
    loss: LossConfig = LossConfig()
    epochs: Annotated[int, Field(ge=1)] = 16
    steps_per_epoch: Annotated[int, Field(ge=1)] | None = None
    batch_size: Annotated[int, Field(ge=2)] = 16
    crop: Annotated[int, Field(ge=64, multiple_of=32)] = 192
    depth: Annotated[int, Field(ge=2, le=64)] = 4
    lesion_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    sampling: Literal["slice", "lesion"] = "slice"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    encoder_learning_rate: Annotated[float, Field(gt=0)] = 3e-4
    weight_decay: Annotated[float, Field(ge=0)] = 1e-2
    warmup: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.995
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.2
    folds: Annotated[int, Field(ge=2)] | None = None
    fold: Annotated[int, Field(ge=0)] | None = None
    inference: InferenceConfig = InferenceConfig(refinement=GuidedFilter(), slice_propagation=SlicePropagation())
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    keep_last: bool = False
    replay: Annotated[float, Field(ge=0, lt=1)] = 0.5
    synthetic_heads: Annotated[int, Field(ge=0, le=200)] = 0
    simulated_lesions: Annotated[float, Field(ge=0, le=10)] = 0.0
    validate_every: Annotated[int, Field(ge=1)] = 1
    compile: bool = False
    seed: int = 0
    data_source: str = ""
    licence: str = ""

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if (self.folds is None) != (self.fold is None):
            raise ValueError("folds and fold go together: how many parts, and which of them is held out")
        if self.folds is not None and self.fold is not None and self.fold >= self.folds:
            raise ValueError(f"of {self.folds} folds there is no number {self.fold}; they are counted from 0")
        if self.stack > self.batch_size:
            raise ValueError(f"a batch of {self.batch_size} slices does not hold a stack of {self.stack}")
        if self.init is not None and self.encoder_weights is not None:
            raise ValueError("init and encoder_weights both name the first weights of the encoder; choose one")
        if self.freeze_encoder and self.starts_at_random:
            raise ValueError("an encoder with random weights must not be frozen; choose init or encoder_weights")
        return self

    @property
    def network(self) -> NetworkSpec:
        """The network to train."""
        return NetworkSpec.of(self.architecture, self.encoder, in_channels=self.preprocessing.channels)

    @property
    def stack(self) -> int:
        """Slices of one training example."""
        return self.depth if self.network.margin else 1

    @property
    def first_weights(self) -> str:
        """Where the encoder's first weights come from, if not from ``init``."""
        if self.encoder_weights is None:
            return default_encoder_weights(self.network.encoder)
        return self.encoder_weights

    @property
    def starts_at_random(self) -> bool:
        """Whether nothing has taught the encoder anything."""
        return self.init is None and self.first_weights == "none"
