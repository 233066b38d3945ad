"""Segment one patient; save the mask in the image's own place, and the lesion table.

python segment_file.py IMAGE_OR_FOLDER OUTPUT_FOLDER
"""

import sys
from pathlib import Path

import metseg

source, output = map(Path, sys.argv[1:])
result = metseg.segment(source)
mask = result.save(output / "mask.nii.gz")
result.lesions.to_csv(output / "lesions.csv", index=False)

print(f"{result.target} by {result.model}: {len(result.lesions)} lesions in {mask}")
print(result.lesions[["lesion", "voxels", "volume_mm3", "diameter_mm", "mean_probability"]].to_string(index=False))
