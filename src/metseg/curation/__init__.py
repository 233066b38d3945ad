"""From corrected masks to training data. Neither torch nor Qt is imported here."""

from metseg.curation.pairs import existing_pairs, export_pairs, exporting_pairs

__all__ = ["existing_pairs", "export_pairs", "exporting_pairs"]
