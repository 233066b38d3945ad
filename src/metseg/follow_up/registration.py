"""Rigid registration of two images of one head, by SimpleITK.

Mutual information (Mattes et al. 2003, doi 10.1109/TMI.2003.809072) of intensities, from coarse to fine, so that other
scanners and sequences of the same kind do not matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
import numpy.typing as npt

from metseg.errors import DataError
from metseg.events import Event, Finished, Progress, drained
from metseg.study import Geometry
from metseg.study.geometry import Affine, Shape
from metseg.study.resampling import image_of

#: How much coarser each level is, and its blur in mm.
_LEVELS, _BLUR_MM = (4, 2, 1), (4.0, 2.0, 0.0)
#: Of more voxels than this a level looks at so many.
_MOST_SAMPLES = 50_000
_BINS, _STEPS, _LEAST_STEP_MM, _SEED = 50, 100, 0.001, 1
#: Correlation of intensities, where both heads are, below which registration has failed.
_LEAST_CORRELATION = 0.4


@dataclass(frozen=True, slots=True)
class Rigid:
    """A turn and a shift.

    Attributes
    ----------
    rows : four rows of four numbers
        From (x, y, z, 1) in mm (LPS) of the image that stays to the image that is moved.
    metric : float
        Mutual information that was reached, negative: lower is better.
    """

    rows: tuple[tuple[float, ...], ...]
    metric: float

    @property
    def matrix(self) -> Affine:
        """As an array (4, 4)."""
        return np.array(self.rows, np.float64)

    @property
    def itk(self) -> Any:
        """As a SimpleITK transform, such as ``SimpleITK.Resample`` and 3D Slicer take it."""
        import SimpleITK

        transform = SimpleITK.AffineTransform(3)
        transform.SetMatrix(self.matrix[:3, :3].ravel().tolist())
        transform.SetTranslation(self.matrix[:3, 3].tolist())
        return transform

    def carry(
        self, volume: npt.NDArray[Any], here: Geometry, there: Geometry, shape: Shape, *, labels: bool
    ) -> npt.NDArray[Any]:
        """Bring a volume of the moved image to the grid of the image that stays.

        Parameters
        ----------
        volume : ndarray, shape (z, y, x)
            Intensities, interpolated linearly, or ``labels``, of which the nearest is taken.
        here, there : Geometry
            Of the volume, and of the result.
        shape : (z, y, x)
            Of the result.
        labels : bool

        Returns
        -------
        ndarray, shape ``shape``; 0 outside of the volume
        """
        import SimpleITK

        grid = image_of(np.zeros(shape, np.uint8), there)
        how = SimpleITK.sitkNearestNeighbor if labels else SimpleITK.sitkLinear
        kind = np.int32 if labels else np.float32
        return np.asarray(
            SimpleITK.GetArrayFromImage(SimpleITK.Resample(image_of(volume.astype(kind), here), grid, self.itk, how))
        )


def registering(
    fixed: npt.NDArray[Any], fixed_geometry: Geometry, moving: npt.NDArray[Any], moving_geometry: Geometry
) -> Iterator[Event[Rigid]]:
    """Find the turn and shift that lay one image of a head on another; closed, it stops within an iteration.

    Parameters
    ----------
    fixed, moving : ndarray of any real type, shape (z, y, x)
        The image that stays, and the one that is moved.
    fixed_geometry, moving_geometry : Geometry
        Their spacing must be known.

    Yields
    ------
    Progress, Finished
        One an iteration; the last event carries the :class:`Rigid`.

    Raises
    ------
    DataError
        If a spacing is not known, or the heads cannot be laid on each other.
    """
    import SimpleITK

    if fixed_geometry.spacing is None or moving_geometry.spacing is None:
        raise DataError("the spacing must be known of both examinations; <name>.json beside a TIFF can state it")
    images = [
        image_of(_scaled(volume), place) for volume, place in ((fixed, fixed_geometry), (moving, moving_geometry))
    ]
    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(_BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetInterpolator(SimpleITK.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, _LEAST_STEP_MM, _STEPS, 0.5, 1e-6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    try:
        found = SimpleITK.CenteredTransformInitializer(
            *images, SimpleITK.Euler3DTransform(), SimpleITK.CenteredTransformInitializerFilter.MOMENTS
        )
        method.SetInitialTransform(found, True)
        for level, blur in zip(_LEVELS, _BLUR_MM, strict=True):
            factor = _shrink(level, images)
            share = min(1.0, _MOST_SAMPLES * factor**3 / images[0].GetNumberOfPixels())
            method.SetShrinkFactorsPerLevel([factor])
            method.SetSmoothingSigmasPerLevel([blur])
            method.SetMetricSamplingPercentagePerLevel([share], _SEED)
            yield from _optimising(method, images)
    except RuntimeError as error:
        raise DataError(f"the examinations cannot be laid on each other: {_reason(error)}") from error
    result = Rigid(_rows(found), float(method.GetMetricValue()))
    _check(result, fixed, fixed_geometry, moving, moving_geometry)
    yield Finished(result)


register = drained(registering)


def _optimising(method: Any, images: list[Any]) -> Iterator[Progress]:
    """Run one level in a thread, an event an iteration; closed, the thread stops there and ends by itself.

    Each iteration waits until its event was taken, so that nothing is computed for a consumer that has gone.
    """
    import SimpleITK

    iterations: SimpleQueue[bool] = SimpleQueue()
    answers: SimpleQueue[bool] = SimpleQueue()
    errors: list[RuntimeError] = []

    def on_iteration() -> None:
        iterations.put(True)
        if not answers.get():
            method.StopRegistration()

    def run() -> None:
        method.AddCommand(SimpleITK.sitkIterationEvent, on_iteration)
        try:
            method.Execute(*images)
        except RuntimeError as error:
            errors.append(error)
        finally:
            method.RemoveAllCommands()
            iterations.put(False)

    Thread(target=run, name="metseg-registration", daemon=True).start()
    try:
        while iterations.get():
            yield Progress(0, 0, "registering")
            answers.put(True)
    finally:
        answers.put(False)
    if errors:
        raise errors[0]


def _scaled(volume: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Intensities in [0, 1], whatever the scanner's scale."""
    low, high = np.percentile(volume[::2, ::2, ::2], [1, 99.5])
    return np.asarray(np.clip((volume.astype(np.float32) - low) / max(float(high - low), 1e-6), 0, 1), np.float32)


def _shrink(factor: int, images: list[Any]) -> int:
    """As coarse as a level is, but for volumes of few slices."""
    return min(factor, max(1, min(int(size) for image in images for size in image.GetSize()) // 8))


def _rows(transform: Any) -> tuple[tuple[float, ...], ...]:
    """The matrix of any rigid transform, from where it takes four points."""
    origin = np.array(transform.TransformPoint((0.0, 0.0, 0.0)))
    columns = [np.array(transform.TransformPoint(tuple(unit))) - origin for unit in np.eye(3).tolist()]
    matrix = np.eye(4)
    matrix[:3] = np.column_stack([*columns, origin])
    return tuple(tuple(row) for row in matrix.tolist())


def _check(found: Rigid, fixed: npt.NDArray[Any], here: Geometry, moving: npt.NDArray[Any], there: Geometry) -> None:
    shape = fixed.shape[0], fixed.shape[1], fixed.shape[2]
    carried = found.carry(_scaled(moving), there, here, shape, labels=False)
    common = found.carry(np.ones(moving.shape), there, here, shape, labels=True) > 0
    one, other = _scaled(fixed)[common], carried[common]
    alike = float(np.corrcoef(one, other)[0, 1]) if len(one) > 1 and one.std() and other.std() else 0.0
    if alike < _LEAST_CORRELATION:
        raise DataError("the examinations cannot be laid on each other: are they of one patient, of the same part?")


def _reason(error: RuntimeError) -> str:
    return str(error).strip().splitlines()[-1].removeprefix("ITK ERROR: ")
