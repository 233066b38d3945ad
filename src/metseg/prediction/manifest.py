"""Manifests: tables of the studies to outline, as a CSV file."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

from pydantic import BaseModel

from metseg.errors import DataError
from metseg.study import Sequence, parse_sequences

_COLUMNS = frozenset({"path", "output", "sequences"})


class ManifestRow(BaseModel, frozen=True):
    """A study, or a folder of studies, to outline.

    Attributes
    ----------
    path : Path
        An image, a patient's folder or a folder of patients.
    output : Path
        Folder of its masks, relative to that of the run.
    sequences : tuple of Sequence or None
        Which sequence each channel of the files is, for files that do not state it.
    """

    path: Path
    output: Path
    sequences: tuple[Sequence, ...] | None = None

    @property
    def id(self) -> str:
        """Identifies the row."""
        text = "\n".join([str(self.path), str(self.output), *(self.sequences or ())])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_manifest(file: Path) -> list[ManifestRow]:
    """Read a manifest.

    Parameters
    ----------
    file : Path
        CSV with a header. Column ``path``, relative to the file's folder; ``output``, optional: folder of the masks,
        relative to that of the run, by default the path of the image's folder; ``sequences``, optional: names
        such as ``post-contrast flair``, one for each channel.

    Raises
    ------
    DataError
        If it has no or other columns, no rows, a row twice, or a path outside its folder without ``output``.
    """
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            table = csv.DictReader(lines)
            columns = set(table.fieldnames or ())
            if "path" not in columns or not columns <= _COLUMNS:
                raise DataError(
                    f"{file}: has the columns {', '.join(map(str, columns))}; wanted: path[,output,sequences]"
                )
            folder = file.resolve().parent
            rows = [_row(file, folder, table.line_num, row) for row in table]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: is no CSV file in UTF-8: {error}") from None
    if not rows:
        raise DataError(f"{file}: has no rows")
    if len(rows) != len({row.id for row in rows}):
        raise DataError(f"{file}: has rows twice")
    return rows


def _row(file: Path, folder: Path, line: int, row: dict[str, str]) -> ManifestRow:
    given, named_output = (row["path"] or "").strip(), (row.get("output") or "").strip()
    if not given:
        raise DataError(f"{file}, line {line}: has no path")
    path = folder / given
    if named_output:
        output = Path(named_output)
    elif path.is_relative_to(folder):
        inside = path.relative_to(folder)
        output = inside if path.is_dir() else inside.parent
    else:
        raise DataError(f"{file}, line {line}: {path} is outside the manifest's folder; name a folder in column output")
    if output.is_absolute() or ".." in output.parts:
        raise DataError(f"{file}, line {line}: output {output} must be a folder inside that of the run")
    named = (row.get("sequences") or "").replace(",", " ").split()
    sequences = parse_sequences(",".join(named)) if named else None
    return ManifestRow(path=path, output=output, sequences=sequences)
