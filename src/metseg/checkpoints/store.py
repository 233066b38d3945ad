"""Reading, writing and finding checkpoints.

A checkpoint is one ``.safetensors`` file: matrices and kernels in fp16, vectors (biases, normalisation) in fp32,
and the :class:`ModelCard` as JSON under the metadata key ``metseg``. No pickle is ever read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from metseg.checkpoints.card import ModelCard, card_markdown
from metseg.errors import CheckpointError
from metseg.networks import SegmentationNetwork, build_network
from metseg.study import write_atomically

FILE_NAME = "model.safetensors"
_KEY = "metseg"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that can be asked for by name."""

    name: str
    path: Path
    card: ModelCard


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Verified weights with their card.

    Attributes
    ----------
    path : Path
        The ``.safetensors`` file.
    card : ModelCard
        What it is.
    sha256 : str
        Hash of the whole file, in hex.
    state : dict of str to Tensor
        fp32 weights.
    """

    path: Path
    card: ModelCard
    sha256: str
    state: dict[str, torch.Tensor]

    def network(self) -> SegmentationNetwork:
        """A network with these weights, in evaluation mode on the CPU.

        Raises
        ------
        CheckpointError
            If the weights do not fit the network that the card names.
        """
        network = build_network(self.card.network)
        try:
            network.load_state_dict(self.state, strict=True)
        except RuntimeError as error:
            raise CheckpointError(f"{self.path}: the weights do not fit the network in their card: {error}") from error
        return network.eval()


def save_checkpoint(folder: Path, network: SegmentationNetwork, card: ModelCard) -> Path:
    """Write ``model.safetensors`` and its ``README.md`` into ``folder``, atomically.

    Returns
    -------
    Path
        The ``.safetensors`` file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: _stored(value) for key, value in network.state_dict().items()}
    target = folder / FILE_NAME
    with write_atomically(target) as temporary:
        temporary.write_bytes(save(tensors, metadata={_KEY: card.model_dump_json()}))
    with write_atomically(folder / "README.md") as temporary:
        temporary.write_text(card_markdown(card, _sha256(target)), encoding="utf-8")
    return target


def read_card(path: Path) -> ModelCard:
    """The card of one ``.safetensors`` file, without its weights.

    Raises
    ------
    CheckpointError
        If the file is unreadable or not ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: not a readable safetensors file: {error}") from error
    if _KEY not in metadata:
        raise CheckpointError(f"{path}: a safetensors file, but it carries no metseg model card")
    try:
        return ModelCard.model_validate_json(metadata[_KEY])
    except ValidationError as error:
        raise CheckpointError(f"{path}: its model card is not valid: {error}") from error


def load_checkpoint(name_or_path: str | Path) -> Checkpoint:
    """Load a model by the name :func:`list_models` gives it, or from a file or folder.

    Raises
    ------
    CheckpointError
        If there is no such model, or its file is damaged or foreign.
    """
    path = _resolve(name_or_path)
    card = read_card(path)
    try:
        state = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Checkpoint(path, card, _sha256(path), state)


def list_models() -> list[ModelInfo]:
    """Every model that can be asked for by name, in name order.

    Folders are searched in this order, and the first of a name wins: those in the environment variable
    ``METSEG_WEIGHTS``, the installed package's ``weights``, the repository's ``weights``.
    """
    found: dict[str, ModelInfo] = {}
    for folder in _weight_folders():
        for path in sorted(folder.glob(f"*/{FILE_NAME}")):
            found.setdefault(path.parent.name, ModelInfo(path.parent.name, path, read_card(path)))
    return [found[name] for name in sorted(found)]


def _weight_folders() -> Iterator[Path]:
    for entry in filter(None, os.environ.get("METSEG_WEIGHTS", "").split(os.pathsep)):
        yield Path(entry).expanduser()
    package = Path(__file__).resolve().parents[1]
    yield package / "weights"
    yield package.parents[1] / "weights"


def _resolve(name_or_path: str | Path) -> Path:
    path = Path(name_or_path).expanduser()
    if path.is_dir() and (path / FILE_NAME).is_file():
        return path / FILE_NAME
    if path.is_file():
        if path.suffix != ".safetensors":
            raise CheckpointError(f"{path}: only .safetensors checkpoints are read; a pickle could run code")
        return path
    for folder in _weight_folders():
        if path.name == str(name_or_path) and (folder / path.name / FILE_NAME).is_file():
            return folder / path.name / FILE_NAME
    known = ", ".join(
        sorted({file.parent.name for folder in _weight_folders() for file in folder.glob(f"*/{FILE_NAME}")})
    )
    raise CheckpointError(f"no model is called {str(name_or_path)!r}; there are: {known or 'none'}; or give a file")


def _stored(tensor: torch.Tensor) -> torch.Tensor:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.half() if tensor.is_floating_point() and tensor.ndim > 1 else tensor


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
