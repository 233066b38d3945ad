"""The scores of the chosen outline against the reference mask of its image."""

from __future__ import annotations

from collections.abc import Iterable

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from metseg.metrics import HD95_PENALTY, SMALLEST_LESION
from metseg.napari_plugin.controls import Hint, Section
from metseg.napari_plugin.state import Agreement, SegmentationState

_HEADINGS = ("Lesions", "mask", "found", "false")
_TIPS = (
    "By the diameter of a sphere of their volume; by voxels where the spacing is not known.",
    f"Lesions of {SMALLEST_LESION} voxels and more in the reference mask.",
    "Those of them that the outline overlaps anywhere.",
    "False positives: lesions of the outline that overlap none of the mask.",
)


class ScoresSection(Section[SegmentationState]):
    """What ``metseg evaluate`` says of the chosen outline; hidden where no reference mask is there."""

    def __init__(self, state: SegmentationState) -> None:
        super().__init__("Scores against reference mask", state)
        self.reference = Hint()
        self.reference.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.lesions = CountTable(_HEADINGS, _TIPS)
        self.dice = QLabel()
        self.dice.setToolTip("Of all voxels of the scan, or of the slices that have a mask.")
        self.lesion_dice = QLabel()
        self.lesion_dice.setToolTip("Mean over lesions; missed ones and false positives count as 0.")
        self.hd95 = QLabel()
        self.hd95.setToolTip(
            "95th percentile of the distances between both outlines of a lesion, mean over lesions; missed ones and "
            f"false positives count as {HD95_PENALTY:g}."
        )
        self.add_wide(self.reference)
        self.add_wide(self.lesions)
        self.add_row("Dice", self.dice)
        self.add_row("Lesion-wise Dice", self.lesion_dice)
        self.add_row("Lesion-wise HD95", self.hd95)
        self.follow(state.events, ("agreement",), self._show)
        self._show()

    def _show(self) -> None:
        agreement = self.state.agreement
        self.setVisible(agreement is not None)
        if agreement is None:
            return
        scan = agreement.scan
        self.reference.say(f"Against {scan.name}")
        self.lesions.show_rows(_counts(agreement))
        self.dice.setText(f"{scan.dice:.3f}")
        self.lesion_dice.setText(f"{scan.lesion_dice:.3f}")
        self.hd95.setText(f"{scan.lesion_hd95:.1f} {scan.unit}")


class CountTable(QWidget):
    """Counts below headings, one a column, the last row in bold; takes the width that there is."""

    def __init__(self, headings: Iterable[str], tips: Iterable[str]) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._tips = tuple(tips)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(0, 1)
        self._rows: list[list[QLabel]] = []
        self._add_row(headings, "hint")

    @property
    def rows(self) -> list[list[str]]:
        """Texts of all rows below the headings."""
        return [[label.text() for label in row] for row in self._rows[1:]]

    def show_rows(self, rows: Iterable[Iterable[object]]) -> None:
        """Show these in place of what is shown."""
        for row in self._rows[1:]:
            for label in row:
                self._grid.removeWidget(label)
                label.deleteLater()
        del self._rows[1:]
        for cells in rows:
            self._add_row(map(str, cells))
        for label in self._rows[-1]:
            label.setStyleSheet("font-weight: 600")

    def _add_row(self, texts: Iterable[str], name: str = "") -> None:
        labels = [QLabel(text) for text in texts]
        for column, (label, tip) in enumerate(zip(labels, self._tips, strict=True)):
            label.setObjectName(name)
            label.setToolTip(tip)
            if column:
                label.setAlignment(Qt.AlignmentFlag.AlignRight)
            self._grid.addWidget(label, len(self._rows), column)
        self._rows.append(labels)


def _counts(agreement: Agreement) -> list[tuple[str, int, int, int]]:
    """One row a size that occurs, by diameter where that is known, then one of all."""
    scan = agreement.scan
    rows = [
        (size.name, size.reference, size.found, size.false)
        for size in agreement.sizes
        if size.unit == scan.unit and size.reference + size.false
    ]
    return [*rows, ("all", len(scan.lesions), scan.found, len(scan.false_positives))]
