"""Segment an array that another program made, here post-contrast T1 that nibabel read.

python segment_array.py T1C.nii.gz
"""

import sys

import nibabel
import numpy as np

import metseg

image = nibabel.as_closest_canonical(nibabel.load(sys.argv[1]))  # axes run right, anterior, superior
x, y, z = (float(step) for step in image.header.get_zooms()[:3])
# Arrays are (z, y, x), with left on the right of the picture and the front on top, as radiologists look at slices.
axial = np.asarray(image.dataobj).T[:, ::-1, ::-1]

result = metseg.segment(axial, sequences="post-contrast", spacing=(z, y, x))
print(f"{len(result.lesions)} lesions, {result.lesions['volume_mm3'].sum() / 1000:.1f} ml")
