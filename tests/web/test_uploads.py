"""Files that a user chooses become one upload, or a sentence that says why not."""

from __future__ import annotations

import io
import zipfile

import pytest

from metseg.errors import DataError
from metseg.web.uploads import pack


def test_one_file_is_sent_as_it_is() -> None:
    upload = pack([("brain.nii.gz", b"bytes")], 1)
    assert (upload.name, upload.content, upload.file_name) == ("brain", b"bytes", "brain.nii.gz")


def test_slices_of_a_patient_become_a_zip_and_masks_stay_here() -> None:
    files = [("P7_10.tif", b"b"), ("P7_9.tif", b"a"), ("P7_9_mask.tif", b"m")]
    upload = pack(files, 1)
    with zipfile.ZipFile(io.BytesIO(upload.content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {"P7_10.tif": b"b", "P7_9.tif": b"a"}
    assert upload.name == "P7"
    assert upload.remarks == ("1 mask (*_mask.tif) not sent",)


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ([("a_1.tif", b""), ("b.txt", b"")], r"these are not: b\.txt"),
        ([("a_1.tif", b"x"), ("a_1.tif", b"y")], r"same name: a_1\.tif"),
        ([("a_1_mask.tif", b"x"), ("a_2_mask.tif", b"y")], "all files are masks"),
        ([("a.tif", bytes(3 << 20))], "too large: 3 MiB; the server takes 2 MiB"),
    ],
)
def test_files_that_cannot_be_sent_are_refused_with_the_reason(files: list[tuple[str, bytes]], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        pack(files, 2)
