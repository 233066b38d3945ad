"""Simulated lesions, drawn into any head: the synthetic one or a real one."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Seq
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from metseg.lesions.target import Target
from metseg.study.model import TRIPLET, Sequence
from metseg.synthetic.fields import Float, soft
from metseg.synthetic.shape import Block, LesionSpec

Mask = npt.NDArray[np.uint8]

#: Brightness relative to the surrounding brain (pre-contrast, FLAIR, post-contrast) of each part of a lesion.
_PARTS: dict[str, tuple[float, float, float]] = {
    "oedema": (0.84, 1.0, 0.82),
    "rim": (0.98, 0.85, 1.0),
    "necrosis": (0.58, 0.72, 0.55),
    "solid": (0.92, 0.80, 1.0),
    "infiltrative": (0.76, 1.0, 0.78),
}


#: By how much those vary from lesion to lesion, in the same order, as a share.
_VARIETY: dict[str, tuple[float, float, float]] = {
    "oedema": (0.06, 0.0, 0.06),
    "rim": (0.10, 0.12, 0.0),
    "necrosis": (0.12, 0.25, 0.12),
    "solid": (0.10, 0.15, 0.0),
    "infiltrative": (0.0, 0.0, 0.0),
}

#: Unevenness of what is diffuse, and of what is not: of some millimetres, and finer.
_PATCHY = {True: (0.09, 0.04), False: (0.14, 0.06)}
#: Areas of oedema of fewer pixels in a slice are not outlined.
_SPECK = 12
#: A tumour is seen where it fills at least this share of a voxel.
_VISIBLE = 0.2
#: Share of its brightness that oedema has lost at its rim.
_FADING = 0.4


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


def _memberships(spec: LesionSpec, block: Block, tissue: Float, whiteness: Float) -> dict[str, Float]:
    """How much of each voxel belongs to each part of the lesion, in the order in which they are laid over it."""
    if spec.kind == "infiltrative":
        return {"infiltrative": block.infiltration(tissue, whiteness)}
    share = np.random.default_rng([spec.seed, *b"wall"]).uniform(0.16, 0.4)
    wall = max(1.3, share * spec.radius) if spec.kind == "ring" else None
    tumour, core = block.tumour(tissue, wall)
    oedema, outwards = block.swelling(tumour, tissue, whiteness)
    parts = {"oedema": oedema * (1 - np.float32(_FADING) * outwards)}
    return parts | ({"solid": tumour} if wall is None else {"rim": tumour, "necrosis": core})


def _levels(spec: LesionSpec, part: str, channels: Seq[Sequence]) -> list[float]:
    """Brightness of a part in each channel, relative to normal brain; a little different in every lesion."""
    varied = np.random.default_rng([spec.seed, *part.encode()]).uniform(-1, 1, 3) * _VARIETY[part]
    pre, flair, post = np.asarray(_PARTS[part]) * (1 + varied)
    post = post * spec.enhancement if part in ("rim", "solid") else post
    of = {Sequence.PRE: pre, Sequence.FLAIR: flair * spec.flair, Sequence.POST: post}
    return [float(of.get(sequence, 1.0)) for sequence in channels]


def draw_lesion(
    voxels: npt.NDArray[Any],
    mask: Mask,
    spec: LesionSpec,
    *,
    spacing: tuple[float, float, float],
    sequences: Seq[Sequence] = TRIPLET,
    tissue: Float | None = None,
    whiteness: Float | None = None,
    fluid: bool = False,
    target: Target = Target.FLAIR_ABNORMALITY,
) -> tuple[npt.NDArray[Any], Mask]:
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
    spacing : tuple of float
        Voxel size in mm along (z, y, x); a guess will do for simulation.
    sequences : sequence of Sequence, length c
        What each channel is. Channels other than the three known ones are left alone.
    tissue : ndarray of float32, shape (z, y, x), optional
        Where brain is, in [0, 1]; guessed from the intensities when absent.
    whiteness : ndarray of float32, shape (z, y, x), optional
        Where white matter is, which oedema prefers; absent, oedema spreads evenly.
    fluid : bool
        ``tissue`` knows nothing of fluid in sulci and ventricles: find it by its darkness.
    target : Target
        What the mask covers: all that the lesion made abnormal on FLAIR, or what enhances with the core inside it.

    Returns
    -------
    voxels : ndarray
        A copy with the lesion, same shape and dtype.
    mask : ndarray of uint8
        A copy that also covers what of the lesion is of the target.
    """
    voxels, masks = draw_targets(
        voxels,
        {target: mask},
        spec,
        spacing=spacing,
        sequences=sequences,
        tissue=tissue,
        whiteness=whiteness,
        fluid=fluid,
    )
    return voxels, masks[target]


def draw_targets(
    voxels: npt.NDArray[Any],
    masks: Mapping[Target, Mask],
    spec: LesionSpec,
    *,
    spacing: tuple[float, float, float],
    sequences: Seq[Sequence] = TRIPLET,
    tissue: Float | None = None,
    whiteness: Float | None = None,
    fluid: bool = False,
) -> tuple[npt.NDArray[Any], dict[Target, Mask]]:
    """Draw one lesion and outline it once for each target of ``masks``; see :func:`draw_lesion`."""
    voxels, masks = voxels.copy(), {target: mask.copy() for target, mask in masks.items()}
    block = Block(spec, voxels.shape[1:], spacing)
    if block.empty:
        return voxels, masks
    window = (slice(None), *block.window)
    picture = voxels[window].astype(np.float32)
    flair = list(sequences).index(Sequence.FLAIR) if Sequence.FLAIR in sequences else 0
    near = block.distance < spec.radius + spec.oedema + 4
    known = None if tissue is None else tissue[block.window]
    reference = _reference(picture, near, known)
    brain = np.ones(block.shape, np.float32) if known is None else known
    if known is None or fluid:
        brain = brain * _tissue_from_intensity(picture, flair, reference)
    white = np.full(block.shape, 0.6, np.float32) if whiteness is None else whiteness[block.window]
    parts = _memberships(spec, block, brain, white)
    _lay(picture, parts, spec, block, reference, sequences)
    if np.issubdtype(voxels.dtype, np.integer):
        picture = np.clip(np.rint(picture), 0, np.iinfo(voxels.dtype).max)
    voxels[window] = picture.astype(voxels.dtype)
    for target, mask in masks.items():
        mask[block.window] |= _outline(parts, target)
    return voxels, masks


def _lay(
    picture: Float, parts: dict[str, Float], spec: LesionSpec, block: Block, reference: Float, channels: Seq[Sequence]
) -> None:
    """Lay the parts of a lesion over ``picture``, float32 (c, z, y, x), in place."""
    patchy = {diffuse: 1 + a * block.noise[1] + b * block.noise[2] for diffuse, (a, b) in _PATCHY.items()}
    grain = picture - ndimage.gaussian_filter(picture, (0, 0, 1.0, 1.0))
    for part, over in parts.items():
        for index, level in enumerate(_levels(spec, part, channels)):
            if channels[index] not in TRIPLET:
                continue
            target = reference[index] * np.float32(level)
            own = picture[index] * np.float32(0.35 * level) + 0.65 * target
            diffuse = part in ("oedema", "infiltrative")
            wanted = own * patchy[True] if diffuse else target * patchy[False] + grain[index]
            picture[index] += over * (wanted - picture[index])


def _outline(parts: dict[str, Float], target: Target) -> Mask:
    """The mask as a reader draws it: slice by slice, without pores and specks; small tumours down to what is seen."""
    tumour = parts.get("rim", parts.get("solid"))
    diffuse = parts["oedema"] / (1 - _FADING / 2) if "oedema" in parts else parts["infiltrative"]
    drawn = diffuse > 0.5 if target is Target.FLAIR_ABNORMALITY else np.zeros(diffuse.shape, bool)
    seen = np.zeros_like(drawn)
    if tumour is not None:
        seen = tumour > max(_VISIBLE, 0.5 * min(1.0, float(tumour.max())))
        drawn |= seen
    for z in range(len(drawn)):
        closed = ndimage.binary_fill_holes(ndimage.binary_closing(drawn[z], iterations=1) | drawn[z])
        labels, count = ndimage.label(closed)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        kept = areas >= _SPECK
        kept[labels[seen[z]]] = True
        drawn[z] = kept[labels] & (labels > 0)
    return drawn.astype(np.uint8)
