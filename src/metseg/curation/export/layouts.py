"""The layouts there are."""

from __future__ import annotations

from metseg.curation.export.as_coco import CocoLayout
from metseg.curation.export.as_nifti import NiftiLayout
from metseg.curation.export.as_nnunet import NnunetLayout
from metseg.curation.export.as_pairs import PairsLayout
from metseg.curation.export.layout import LayoutWriter
from metseg.curation.export.manifest import Layout

LAYOUTS: dict[Layout, LayoutWriter] = {
    Layout.PAIRS: PairsLayout(),
    Layout.NNUNET: NnunetLayout(),
    Layout.NIFTI: NiftiLayout(),
    Layout.COCO: CocoLayout(),
}
