"""Simulated lesions, drawn into any head: the synthetic one or a real one."""

from __future__ import annotations

from collections.abc import Sequence as Seq
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field
from scipy import ndimage

from metseg.study.model import TRIPLET, Sequence
from metseg.synthetic.fields import Float, grid_noise, soft

Kind = Literal["ring", "solid", "infiltrative"]
Positive = Annotated[float, Field(gt=0)]

#: Brightness relative to the surrounding brain (pre-contrast, FLAIR, post-contrast) of each part of a lesion.
_PARTS: dict[str, tuple[float, float, float]] = {
    "oedema": (0.84, 1.0, 0.82),
    "rim": (0.98, 0.85, 1.0),
    "necrosis": (0.58, 0.72, 0.55),
    "solid": (0.92, 0.80, 1.0),
    "infiltrative": (0.76, 1.0, 0.78),
}


#: Areas of fewer pixels in a slice are not outlined.
_SPECK = 12


class LesionSpec(BaseModel):
    """One lesion.

    Attributes
    ----------
    kind : {"ring", "solid", "infiltrative"}
        Metastasis with a dark core, metastasis that takes up contrast throughout, or a glioma-like
        lesion that does not take it up.
    centre : tuple of float
        (z, y, x) in voxels.
    radius : float
        Mean radius in mm, without the oedema.
    oedema : float
        Width in mm of the oedema around it; it prefers white matter.
    flair : float
        Brightness of the abnormality on FLAIR, relative to normal brain.
    enhancement : float
        Brightness of what takes up contrast, relative to normal brain.
    irregularity : float
        0 for a smooth ball; 0.5 for ragged.
    seed : int
        Of this lesion's shape.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    centre: tuple[float, float, float]
    radius: Positive
    oedema: Annotated[float, Field(ge=0)] = 6.0
    flair: Positive = 1.9
    enhancement: Positive = 2.1
    irregularity: Annotated[float, Field(ge=0, le=1)] = 0.3
    seed: int = 0


class _Block:
    """The part of a volume that a lesion can reach, with distances from its centre."""

    def __init__(self, spec: LesionSpec, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> None:
        reach = 2.2 * (spec.radius + spec.oedema) + 4
        self.window = tuple(
            slice(max(0, int(c - reach / s)), min(n, int(c + reach / s) + 2))
            for c, s, n in zip(spec.centre, spacing, shape, strict=True)
        )
        self.empty = any(w.start >= w.stop for w in self.window)
        if self.empty:
            return
        depth, rows, columns = (w.stop - w.start for w in self.window)
        self.shape = (depth, rows, columns)
        rng = np.random.default_rng([spec.seed, 77])
        self.noise = [grid_noise(rng, self.shape, spacing, wave) for wave in (max(8.0, 1.3 * spec.radius), 9.0, 4.0)]
        stretch = rng.uniform(0.8, 1.25, 3)
        axes = [
            ((np.arange(w.start, w.stop) - c) * s / e).astype(np.float32)
            for w, c, s, e in zip(self.window, spec.centre, spacing, stretch, strict=True)
        ]
        self.distance = np.sqrt(
            axes[0][:, None, None] ** 2 + axes[1][None, :, None] ** 2 + axes[2][None, None, :] ** 2
        ).astype(np.float32)


def _tissue_from_intensity(block: Float, flair: int, reference: Float) -> Float:
    """Guess where brain is in a real head: neither as dark as fluid, bone or air nor as bright as fat."""
    smooth = ndimage.gaussian_filter(block, (0, 0, 0.8, 0.8))
    dark = soft(smooth[flair] / reference[flair] - np.float32(0.6), 0.1)
    fat = soft(np.float32(2.1) - (smooth / reference[:, None, None, None]).min(axis=0), 0.15)
    return dark * fat


def _reference(block: Float, near: npt.NDArray[np.bool_], tissue: Float | None) -> Float:
    """Brightness of normal brain near the lesion, per channel."""
    levels = []
    for channel in block:
        values = channel[near & (tissue > 0.5)] if tissue is not None else channel[near]
        if tissue is None and values.size:
            values = values[values > 0.5 * np.median(values)]
        levels.append(float(np.median(values)) if values.size else 1.0)
    return np.maximum(np.asarray(levels, np.float32), 1)


def _memberships(spec: LesionSpec, block: _Block, tissue: Float, whiteness: Float) -> dict[str, Float]:
    """How much of each voxel belongs to each part of the lesion."""
    coarse, middle, fine = block.noise
    ragged = spec.irregularity * (spec.radius * 0.45 * coarse + min(spec.radius, 6) * 0.35 * middle) + 0.3 * fine
    depth = spec.radius + ragged - block.distance
    if spec.kind == "infiltrative":
        spread = depth + spec.oedema * (0.8 * whiteness + 0.5 * coarse)
        return {"infiltrative": _in_one_piece(soft(spread, 2.4) * tissue, block.distance)}
    spread = depth + spec.oedema * (0.35 + 0.9 * whiteness + 0.5 * coarse + 0.2 * middle)
    spread = np.where(spec.oedema > 0, spread, depth)
    oedema = _in_one_piece(soft(spread, 1.8) * tissue, block.distance)
    parts = {"oedema": oedema, "solid": soft(depth, 0.7) * np.maximum(tissue, soft(depth - 1, 1))}
    if spec.kind == "ring":
        thick = max(1.6, 0.28 * spec.radius) * (1 + 0.35 * middle)
        parts["rim"] = parts.pop("solid")
        parts["necrosis"] = soft(depth - thick, 0.8)
    return parts


def _in_one_piece(membership: Float, distance: Float) -> Float:
    """Drop islands: a lesion spreads from its centre through tissue, it does not jump."""
    islands, _ = ndimage.label(membership > 0.15)
    within = islands[distance < max(float(distance.min()), 4.0)]
    return membership * np.isin(islands, np.unique(within[within > 0]))


def _levels(spec: LesionSpec, part: str, channels: Seq[Sequence]) -> list[float]:
    pre, flair, post = _PARTS[part]
    post = post * spec.enhancement if part in ("rim", "solid") else post
    of = {Sequence.PRE: pre, Sequence.FLAIR: flair * spec.flair, Sequence.POST: post}
    return [of.get(sequence, 1.0) for sequence in channels]


def draw_lesion(
    voxels: npt.NDArray[Any],
    mask: npt.NDArray[np.uint8],
    spec: LesionSpec,
    *,
    spacing: tuple[float, float, float],
    sequences: Seq[Sequence] = TRIPLET,
    tissue: Float | None = None,
    whiteness: Float | None = None,
) -> tuple[npt.NDArray[Any], npt.NDArray[np.uint8]]:
    """Draw one lesion.

    The brightness of brain around the lesion is measured first, so the contrasts hold in any head. Outside
    the tumour the texture of the picture is kept; inside it the picture's own noise is laid over the
    tumour's.

    Parameters
    ----------
    voxels : ndarray, shape (c, z, y, x), uint8, uint16 or float32
        The head; not changed.
    mask : ndarray of uint8, shape (z, y, x)
        Lesions already there; not changed.
    spec : LesionSpec
        What to draw.
    spacing : tuple of float
        Voxel size in mm along (z, y, x); a guess will do for simulation.
    sequences : sequence of Sequence, length c
        What each channel is. Channels other than the three known ones are left alone.
    tissue : ndarray of float32, shape (z, y, x), optional
        Where brain is, in [0, 1]; guessed from the intensities when absent.
    whiteness : ndarray of float32, shape (z, y, x), optional
        Where white matter is, which oedema prefers; absent, oedema spreads evenly.

    Returns
    -------
    voxels : ndarray
        A copy with the lesion, same shape and dtype.
    mask : ndarray of uint8
        A copy that also covers what the lesion made abnormal on FLAIR.
    """
    voxels, mask = voxels.copy(), mask.copy()
    block = _Block(spec, mask.shape, spacing)
    if block.empty:
        return voxels, mask
    window = (slice(None), *block.window)
    picture = voxels[window].astype(np.float32)
    flair = sequences.index(Sequence.FLAIR) if Sequence.FLAIR in sequences else 0
    near = block.distance < spec.radius + spec.oedema + 4
    known = None if tissue is None else tissue[block.window]
    reference = _reference(picture, near, known)
    brain = _tissue_from_intensity(picture, flair, reference) if known is None else known
    white = np.full(block.shape, 0.6, np.float32) if whiteness is None else whiteness[block.window]
    parts = _memberships(spec, block, brain, white)
    patchy = 1 + 0.09 * block.noise[1] + 0.04 * block.noise[2]
    grain = picture - ndimage.gaussian_filter(picture, (0, 0, 1.0, 1.0))
    for part, over in parts.items():
        for index, level in enumerate(_levels(spec, part, sequences)):
            target = reference[index] * np.float32(level)
            own = picture[index] * np.float32(0.35 * level) + 0.65 * target
            wanted = own * patchy if part in ("oedema", "infiltrative") else target * patchy + grain[index]
            picture[index] += over * (wanted - picture[index])
    if np.issubdtype(voxels.dtype, np.integer):
        picture = np.clip(np.rint(picture), 0, np.iinfo(voxels.dtype).max)
    voxels[window] = picture.astype(voxels.dtype)
    mask[block.window] |= _outline(np.max(list(parts.values()), axis=0))
    return voxels, mask


def _outline(membership: Float) -> npt.NDArray[np.uint8]:
    """The mask as a reader draws it: slice by slice, without pores and specks."""
    drawn = membership > 0.5
    for z in range(len(drawn)):
        closed = ndimage.binary_fill_holes(ndimage.binary_closing(drawn[z], iterations=1) | drawn[z])
        labels, count = ndimage.label(closed)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        drawn[z] = (areas >= _SPECK)[labels] & (labels > 0)
    return drawn.astype(np.uint8)
