"""Cases as data sets with provenance: export, verification, and the way back."""

from metseg.curation.export.exporting import Export, export_project, exporting_project
from metseg.curation.export.manifest import (
    ExportedCase,
    ExportedFile,
    FileRole,
    JournalPosition,
    Layout,
    Manifest,
    SplitRule,
    Subset,
    labels_from_runs,
    read_manifest,
)
from metseg.curation.export.reimport import Import, import_export, importing_export
from metseg.curation.export.verification import Verification, verify, verifying

__all__ = [
    "Export",
    "ExportedCase",
    "ExportedFile",
    "Import",
    "JournalPosition",
    "Layout",
    "Manifest",
    "FileRole",
    "Subset",
    "SplitRule",
    "Verification",
    "export_project",
    "exporting_project",
    "import_export",
    "importing_export",
    "labels_from_runs",
    "read_manifest",
    "verify",
    "verifying",
]
