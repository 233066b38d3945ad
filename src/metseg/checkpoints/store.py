"""Reading, writing and finding checkpoints.

A checkpoint is one ``.safetensors`` file: matrices and kernels in fp16, vectors (biases, normalisation) in fp32,
and the :class:`ModelCard` as JSON under the metadata key ``metseg``. No pickle is ever read. An ensemble may also
be one ``ensemble.json``: its card, and the names and hashes of the models beside it that it averages.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError
from safetensors import SafetensorError, safe_open

from metseg.checkpoints.card import ModelCard, card_markdown
from metseg.checkpoints.comparable import Standing, standings
from metseg.errors import CheckpointError
from metseg.networks import EnsembleSpec
from metseg.study import file_sha256, write_atomically, write_text

if TYPE_CHECKING:
    import torch

    from metseg.networks import Ensemble, SegmentationNetwork

    Network = SegmentationNetwork | Ensemble

FILE_NAME = "model.safetensors"
ENSEMBLE_NAME = "ensemble.json"
_KEY = "metseg"


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that has a name.

    Attributes
    ----------
    card : ModelCard or None
        What it is; ``None`` if it cannot be used.
    problem : str or None
        Why it cannot be used.
    standing : Standing or None
        How it did on the same patients as other networks beside it; ``None`` if that was not measured.
    """

    name: str
    path: Path
    card: ModelCard | None
    problem: str | None = None
    standing: Standing | None = None

    @property
    def summary(self) -> str:
        """One line about it: how it stands among others if that is known, and what it is."""
        if self.card is None:
            return self.problem or ""
        return self.card.summary if self.standing is None else f"{self.standing}; {self.card.network.title}"


class Member(BaseModel, frozen=True, extra="forbid"):
    """A model that an ensemble averages: the folder of this name beside the ensemble's own.

    Attributes
    ----------
    sha256 : str
        Hash of its ``model.safetensors``, in hex.
    """

    name: str
    sha256: str


class EnsembleFile(BaseModel, frozen=True, extra="forbid"):
    """Content of ``ensemble.json``."""

    card: ModelCard
    members: tuple[Member, ...]


@dataclass(frozen=True)
class Checkpoint:
    """Weights with their card.

    Attributes
    ----------
    path : Path
        The ``.safetensors`` file, or the ``ensemble.json``.
    sha256 : str
        Hash of the whole file, in hex; that of an ``ensemble.json`` covers the hashes of its members.
    content : bytes
        Of the ``.safetensors`` file.
    members : tuple of Checkpoint
        Of an ``ensemble.json``.
    """

    path: Path
    card: ModelCard
    sha256: str
    content: bytes = field(default=b"", repr=False)
    members: tuple[Checkpoint, ...] = ()

    @cached_property
    def state(self) -> dict[str, torch.Tensor]:
        """The weights in fp32."""
        if self.members:
            parts = {f"members.{index}.": member.state for index, member in enumerate(self.members)}
            return {f"{prefix}{key}": value for prefix, state in parts.items() for key, value in state.items()}
        from safetensors.torch import load

        state = load(self.content)
        return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}

    def with_clahe(self, choice: str | None, clip_limit: float | None = None) -> Checkpoint:
        """The same weights, shown slices as ``choice`` is; see :meth:`ModelCard.with_clahe`."""
        return replace(self, card=self.card.with_clahe(choice, clip_limit))

    def network(self) -> Network:
        """A network with these weights, in evaluation mode on the CPU.

        Raises
        ------
        CheckpointError
            If the weights do not fit the network that the card names.
        """
        from metseg.networks import build_ensemble, build_network

        spec = self.card.network
        network: Network = build_ensemble(spec) if isinstance(spec, EnsembleSpec) else build_network(spec)
        try:
            network.load_state_dict(self.state, strict=True)
        except RuntimeError as error:
            raise CheckpointError(f"{self.path}: the weights do not fit the network in their card: {error}") from error
        return network.eval()


def save_checkpoint(folder: Path, network: Network, card: ModelCard) -> Path:
    """Write ``model.safetensors`` and its ``README.md`` into ``folder``, atomically."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    tensors = {
        key: value.half() if value.is_floating_point() and value.ndim > 1 else value for key, value in tensors.items()
    }
    target = folder / FILE_NAME
    with write_atomically(target) as temporary:
        temporary.write_bytes(save(tensors, metadata={_KEY: card.model_dump_json()}))
    _write_readme(target, card)
    return target


def save_ensemble(folder: Path, members: Sequence[Checkpoint], card: ModelCard) -> Path:
    """Write an ``ensemble.json`` that names its members, and its ``README.md``, into ``folder``, atomically.

    Raises
    ------
    CheckpointError
        If a member's folder does not lie beside ``folder``.
    """
    for member in members:
        if member.path.resolve().parent.parent != folder.resolve().parent or member.path.name != FILE_NAME:
            raise CheckpointError(f"{member.path}: a member must lie beside {folder}, in a folder of its own")
    named = tuple(Member(name=member.path.resolve().parent.name, sha256=member.sha256) for member in members)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / ENSEMBLE_NAME
    write_text(target, EnsembleFile(card=card, members=named).model_dump_json(indent=2) + "\n")
    _write_readme(target, card)
    return target


def replace_card(checkpoint: Checkpoint, card: ModelCard) -> Path:
    """Give a model in its folder another card, atomically; weights stay, the file's hash changes.

    Raises
    ------
    CheckpointError
        If the file has a name of its own instead of lying in a model's folder.
    """
    folder = checkpoint.path.parent
    if checkpoint.path.name == ENSEMBLE_NAME:
        members = [load_checkpoint(path) for _, path in _member_paths(checkpoint.path)]
        return save_ensemble(folder, members, card)
    if checkpoint.path.name != FILE_NAME:
        raise CheckpointError(f"{checkpoint.path}: only a {FILE_NAME} in a folder of its own has a card to replace")
    return save_checkpoint(folder, checkpoint.network(), card)


def read_card(path: Path) -> ModelCard:
    """The card of one checkpoint file, without its weights.

    Raises
    ------
    CheckpointError
        If the file is unreadable or not ours.
    """
    if path.name == ENSEMBLE_NAME:
        return _read_ensemble(path).card
    try:
        with safe_open(path, framework="np") as file:
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
    path = resolve(name_or_path)
    if path.name == ENSEMBLE_NAME:
        return _load_ensemble(path)
    card = read_card(path)
    content = path.read_bytes()
    return Checkpoint(path, card, hashlib.sha256(content).hexdigest(), content)


def list_models() -> list[ModelInfo]:
    """Every model that has a name, in name order; damaged ones with what is wrong with them.

    Folders are searched in this order, and the first of a name wins: those in the environment variable
    ``METSEG_WEIGHTS``, the installed package's ``weights``, the repository's ``weights``.
    """
    found: dict[str, ModelInfo] = {}
    for folder in _weight_folders():
        new = [_describe(path) for path in _model_files(folder) if path.parent.name not in found]
        standing = standings(folder, {info.name: info.card for info in new if info.card is not None})
        found |= {info.name: replace(info, standing=standing.get(info.name)) for info in new}
    return [found[name] for name in sorted(found)]


def _describe(path: Path) -> ModelInfo:
    name = path.parent.name
    try:
        card = read_card(path)
        if path.name == ENSEMBLE_NAME:
            _member_paths(path)
    except CheckpointError as error:
        return ModelInfo(name, path, None, str(error))
    return ModelInfo(name, path, card)


def _weight_folders() -> Iterator[Path]:
    for entry in filter(None, os.environ.get("METSEG_WEIGHTS", "").split(os.pathsep)):
        yield Path(entry).expanduser()
    package = Path(__file__).resolve().parents[1]
    yield package / "weights"
    yield package.parents[1] / "weights"


def _model_files(folder: Path) -> list[Path]:
    return sorted([*folder.glob(f"*/{FILE_NAME}"), *folder.glob(f"*/{ENSEMBLE_NAME}")])


def resolve(name_or_path: str | Path) -> Path:
    """The file of a model, by the name :func:`list_models` gives it, or from its file or folder."""
    path = Path(name_or_path).expanduser()
    for inside in (path / FILE_NAME, path / ENSEMBLE_NAME):
        if inside.is_file():
            return inside
    if path.is_file():
        if path.suffix != ".safetensors" and path.name != ENSEMBLE_NAME:
            raise CheckpointError(f"{path}: only .safetensors checkpoints are read; a pickle could run code")
        return path
    named = [file for folder in _weight_folders() for file in _model_files(folder)]
    for file in named:
        if file.parent.name == str(name_or_path):
            return file
    known = ", ".join(sorted({file.parent.name for file in named}))
    raise CheckpointError(f"no model is called {str(name_or_path)!r}; there are: {known or 'none'}; or give a file")


def _read_ensemble(path: Path) -> EnsembleFile:
    try:
        return EnsembleFile.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise CheckpointError(f"{path}: not an ensemble: {error}") from error


def _member_paths(path: Path) -> list[tuple[Member, Path]]:
    members = [(member, path.parent.parent / member.name / FILE_NAME) for member in _read_ensemble(path).members]
    if missing := [member.name for member, file in members if not file.is_file()]:
        raise CheckpointError(f"{path}: its members are missing: {', '.join(missing)}")
    return members


def _load_ensemble(path: Path) -> Checkpoint:
    members: list[Checkpoint] = []
    for member, file in _member_paths(path):
        checkpoint = load_checkpoint(file)
        if checkpoint.sha256 != member.sha256:
            raise CheckpointError(f"{file}: not the weights that {path} was made of; make the ensemble anew")
        members.append(checkpoint)
    return Checkpoint(path, read_card(path), file_sha256(path), members=tuple(members))


def _write_readme(target: Path, card: ModelCard) -> None:
    write_text(target.parent / "README.md", card_markdown(card, target.name, file_sha256(target)))
