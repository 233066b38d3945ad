"""A cut or altered file gives the named error or an array of the declared kind, never part of one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from metseg.errors import UnreadableFileError
from metseg.study import read_tiff
from metseg.study.preflight import preflight

pytestmark = pytest.mark.slow


MUTANTS_OF_EACH = 250


def read_or_refuse(path: Path) -> np.ndarray | None:
    """The array, or ``None`` after the named error; any other error fails the test."""
    try:
        return read_tiff(path)
    except UnreadableFileError as error:
        if error.path != path or not error.reason:
            raise AssertionError("the error names no file or no reason") from error
        return None


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file by a new one: a file system may wait for the disk when an old one is emptied and filled again."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize("kind", ["stack", "stack deflate", "bigtiff", "stack rgb 16 bit", "no description", "tiled"])
def test_every_truncation_is_noticed(tmp_path: Path, kinds, write_kind, kind: str) -> None:
    pages, options = kinds[kind]
    path = write_kind(tmp_path / "cut.tif", pages, options)
    whole = path.stat().st_size
    for length in reversed(range(whole)):
        os.truncate(path, length)
        got = read_or_refuse(path)
        if got is not None:
            np.testing.assert_array_equal(got, pages, err_msg=f"cut to {length} of {whole} bytes")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_truncations_of_64_pages_are_noticed(tmp_path: Path, write_kind, compression: str | None) -> None:
    pages = np.random.default_rng(2).integers(0, 60, (64, 1, 16, 16), np.uint8)
    for metadata in ({}, {"metadata": None}):
        options = {"compression": compression, **metadata}
        path = write_kind(tmp_path / "cut.tif", pages, options)
        whole = path.stat().st_size
        refused = 0
        lengths = sorted([*range(0, whole, 149), *range(whole - 40, whole)], reverse=True)
        for length in lengths:
            os.truncate(path, length)
            got = read_or_refuse(path)
            if got is None:
                refused += 1
            else:
                np.testing.assert_array_equal(got, pages)
        assert refused > 0.9 * len(lengths)


def mutant(original: bytes, random: np.random.Generator) -> bytes:
    """``original`` with a few bytes changed, or a run of them replaced, moved or removed; headers more often."""
    content = bytearray(original)
    for _ in range(random.integers(1, 4)):
        near_header = random.random() < 0.7
        at = int(random.integers(0, min(300, len(content))) if near_header else random.integers(0, len(content)))
        match int(random.integers(0, 5)):
            case 0:
                content[at] = int(random.integers(0, 256))
            case 1:
                content[at] ^= 1 << int(random.integers(0, 8))
            case 2:
                content[at : at + 4] = bytes([int(random.choice([0, 1, 127, 128, 255]))] * 4)
            case 3:
                del content[at : at + int(random.integers(1, 16))]
            case _:
                source = int(random.integers(0, len(content)))
                content[at : at + 4] = content[source : source + 4]
        if not content:
            return b""
    return bytes(content)


def test_mutants_are_read_as_declared_or_refused(tmp_path: Path, kinds, write_kind) -> None:
    random = np.random.default_rng(20261021)
    path = tmp_path / "mutant.tif"
    refused = read = 0
    for name, (pages, options) in kinds.items():
        original = write_kind(tmp_path / "seed.tif", pages, options).read_bytes()
        for number in range(MUTANTS_OF_EACH):
            rewrite(path, mutant(original, random))
            got = read_or_refuse(path)
            if got is None:
                refused += 1
                continue
            read += 1
            header = preflight(path)
            assert got.shape == header.shape, f"{name}, mutant {number}"
            assert got.dtype == header.dtype, f"{name}, mutant {number}"
            assert got.shape[0] > 0
            assert got.shape[1] in (1, 3)
    assert refused > 1000
    assert read > 1000


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16)}, {"photometric": "ycbcr"}])
def test_mutants_of_jpeg_are_whole_or_refused(tmp_path: Path, options: dict) -> None:
    random = np.random.default_rng(7)
    pixels = np.repeat(random.integers(0, 255, (40, 48, 1), np.uint8), 3 if "photometric" in options else 1, -1)
    path, seed = tmp_path / "mutant.tif", tmp_path / "seed.tif"
    tifffile.imwrite(seed, pixels.squeeze(), compression="jpeg", **({"photometric": "minisblack"} | options))
    original, read = seed.read_bytes(), 0
    for _ in range(MUTANTS_OF_EACH):
        rewrite(path, mutant(original, random))
        got = read_or_refuse(path)
        read += got is not None
        assert got is None or got.shape[1] in (1, 3)
    assert read


def test_changed_bytes_in_the_header_never_change_how_many_slices_there_are(tmp_path: Path, kinds, write_kind) -> None:
    """Each byte of a stack's header set to each of a few values: all slices, or an error."""
    pages, options = kinds["stack deflate"]
    original = write_kind(tmp_path / "seed.tif", pages, options).read_bytes()
    path = tmp_path / "mutant.tif"
    for at in range(len(original)):
        for value in (0, 255):
            rewrite(path, original[:at] + bytes([value]) + original[at + 1 :])
            got = read_or_refuse(path)
            assert got is None or len(got) == len(pages), f"byte {at} set to {value}: {got.shape}"
