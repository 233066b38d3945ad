"""List the slices on which the network is least certain: those to look at first.

python slices_to_review.py IMAGE_OR_FOLDER
"""

import sys

import numpy as np

import metseg

result = metseg.segment(sys.argv[1])
inside = np.clip(result.probabilities, 1e-6, 1 - 1e-6)
entropy = -(inside * np.log2(inside) + (1 - inside) * np.log2(1 - inside))
uncertain = entropy.sum(axis=(1, 2))  # bits; a voxel of probability 0.5 has one

for z in np.argsort(-uncertain, kind="stable")[:5]:
    print(f"slice {z + 1}: {uncertain[z]:.0f} bits, {result.mask[z].sum()} voxels outlined")
