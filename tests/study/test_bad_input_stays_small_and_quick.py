"""Each bad input is refused within 2 s and 512 MiB, measured in a process of its own under a limit on its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="measured through Linux' fork, rlimit and rusage"),
]

SECONDS = 4.0  # of processor time; 2.1 on an AMD EPYC (Zen 3), half as much on others
MIB = 512

#: Forks one child for each path, so that each is measured alone and the libraries are imported once.
CHILDREN = """
import json, os, resource, sys, time
import imagecodecs, numpy
from metseg.errors import MetsegError
from metseg.study import find_studies, load, read_tiff

def attempt(path):
    try:
        array = read_tiff(path)
        return f"read {array.shape}"
    except MetsegError as error:
        return f"{type(error).__name__}: {error}"

def loaded(path):
    try:
        result = load(find_studies(path)[0])
        return f"{len(result.studies)} studies: " + "; ".join(map(str, result.problems))
    except MetsegError as error:
        return f"{type(error).__name__}: {error}"

imagecodecs.deflate_decode, imagecodecs.lzw_decode, imagecodecs.packbits_decode, imagecodecs.delta_decode
imagecodecs.jpegxl_decode, imagecodecs.jpeg8_decode, imagecodecs.jpeg2k_decode, imagecodecs.webp_decode
imagecodecs.zstd_decode, imagecodecs.lzma_decode
for what, path in json.load(sys.stdin):
    receive, send = os.pipe()
    start = time.monotonic()
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        try:
            os.write(send, (attempt if what == "read" else loaded)(path).encode()[:4000])
        except BaseException as error:
            os.write(send, f"LEAKED {error!r}".encode())
        os._exit(0)
    os.close(send)
    _, status, usage = os.wait4(child, 0)
    seconds = usage.ru_utime + usage.ru_stime
    said = os.read(receive, 5000).decode()
    os.close(receive)
    print(json.dumps([path, said, status, seconds, usage.ru_maxrss / 1024, time.monotonic() - start]), flush=True)
"""


def measure(jobs: list[tuple[str, Path]]) -> list[tuple[str, str, int, float, float, float]]:
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CHILDREN],
        input=json.dumps([(what, str(path)) for what, path in jobs]),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=environment,
    )
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def _compressed(code: int, size: int) -> bytes:
    """``size`` zeros; a PackBits run is a length of 1 - n and the byte that is repeated n times."""
    if code == 32773:
        runs, rest = divmod(size, 128)
        return b"\x81\0" * runs + (bytes([(1 - rest) % 256, 0]) if rest else b"")
    encode = {5: imagecodecs.lzw_encode, 50000: imagecodecs.zstd_encode, 34925: imagecodecs.lzma_encode}
    return encode[code](bytes(size)) if code in encode else zlib.compress(bytes(size), 1)


def _bomb(code: int) -> bytes:
    """Decodes to 1 GiB of zeros (32 to 128 MiB, for want of a quick encoder)."""
    if code != 8:
        return _compressed(code, 1 << {32773: 30, 5: 25}.get(code, 27))
    encoder = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"\x78\xda" + (encoder.compress(bytes(1 << 20)) + encoder.flush(zlib.Z_FULL_FLUSH)) * 1024


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory: pytest.TempPathFactory, make_tiff, plain_fields) -> list[Path]:
    folder = tmp_path_factory.mktemp("bad")

    def put(name: str, content: bytes) -> None:
        (folder / f"{name}.tif").write_bytes(content)

    for code, name in ((5, "lzw"), (8, "deflate"), (32773, "packbits"), (50000, "zstd"), (34925, "lzma")):
        encoded = _bomb(code)
        fields = {"t259": ("H", code), "t279": ("I", len(encoded))}
        put(f"{name} bomb in a small image", make_tiff([plain_fields(**fields)], encoded))
        put(f"{name} bomb in an image of 16 MiB", make_tiff([plain_fields(4096, 4096, **fields)], encoded))
        put(f"{name} bomb of the declared size", make_tiff([plain_fields(20_000, 20_000, **fields)], encoded))
        encoded = _compressed(code, (32 << 20) - 1)
        fields = {"t259": ("H", code), "t279": ("I", len(encoded))}
        put(f"{name} one byte short of 32 MiB", make_tiff([plain_fields(8192, 4096, **fields)], encoded))

    for side, name in ((64, "small"), (16_000, "huge")):
        encoded = imagecodecs.jpegxl_encode(np.zeros((side, side), np.uint8), lossless=True, effort=1)
        fields = {"t259": ("H", 50002), "t279": ("I", len(encoded))}
        put(f"{name} jpeg xl in a small image", make_tiff([plain_fields(128, 128, **fields)], encoded))
        put(f"{name} jpeg xl in an image of 16 MiB", make_tiff([plain_fields(4096, 4096, **fields)], encoded))
    tile = np.zeros((16, 16), np.uint8)
    for code, name, encode in (
        (7, "jpeg", imagecodecs.jpeg8_encode),
        (34712, "jpeg 2000", lambda pixels: imagecodecs.jpeg2k_encode(pixels, level=0)),
        (50001, "webp", lambda pixels: imagecodecs.webp_encode(np.stack([pixels] * 3, -1), lossless=True)),
    ):
        for pixels, size in ((tile, "small"), (np.zeros((3000, 3000), np.uint8), "huge")):
            encoded = encode(pixels)
            fields = {"t259": ("H", code), "t279": ("I", len(encoded))}
            if code == 50001:
                fields |= {"t277": ("H", 3), "t262": ("H", 2), "t258": ("H", [8, 8, 8])}
            put(f"{size} {name} in a small image", make_tiff([plain_fields(128, 128, **fields)], encoded))
            put(f"{size} {name} in an image of 9 MiB", make_tiff([plain_fields(3072, 1024, **fields)], encoded))
    encoded = bytearray(imagecodecs.jpeg2k_encode(np.zeros((255, 256), np.uint8), level=0, codecformat="j2k"))
    encoded[24:32] = b"\0\0\0\1" * 2
    fields = {"t259": ("H", 34712), "t279": ("I", len(encoded))}
    put("jpeg 2000 of 65280 tiles", make_tiff([plain_fields(256, 255, **fields)], bytes(encoded)))
    fields = {"t262": ("H", 3), "t258": ("H", 16), "t320": ("H", [0] * (3 << 16)), "t279": ("I", 256)}
    put("a palette without pixels", make_tiff([plain_fields(4096, 4096, **fields)], bytes(256)))
    strip = _compressed(8, 32 << 20)
    pages, pixels = [], b""
    for page in range(8):
        encoded = strip if page < 7 else strip[:-9] + bytes(9)
        where = ("I", 8 + len(pixels))
        pages.append(plain_fields(8192, 4096, t259=("H", 8), t273=where, t279=("I", len(encoded)), t317=("H", 2)))
        pixels += encoded + b"\0" * (len(encoded) % 2)
    put("256 MiB of which the last strip is damaged", make_tiff(pages, pixels))

    shared = plain_fields(8192, 4096, t259=("H", 8), t279=("I", len(strip)))
    put("one strip that 8 pages share", make_tiff([shared] * 8, strip))
    many = 1 << 17
    row = zlib.compress(bytes(16))
    offsets, counts = [8 + len(row) * index for index in range(many)], [len(row)] * many
    rows = {"t259": ("H", 8), "t278": ("I", 1), "t273": ("I", offsets), "t279": ("I", counts)}
    put(
        "131072 strips of which the last is damaged",
        make_tiff([plain_fields(16, many, **rows)], row * (many - 1) + bytes(len(row))),
    )
    put("a strip list of 2 billion", make_tiff([plain_fields(1, 2**31 - 1, t278=("I", 1))], bytes(128)))
    put("huge width and height", make_tiff([plain_fields(2**32 - 1, 2**32 - 1, t279=("I", 128))], bytes(128)))
    put("huge bigtiff", make_tiff([plain_fields(t256=("Q", 2**63), t257=("Q", 2**63))], bytes(128), big=True))
    tiles = {"t273": None, "t279": None, "t322": ("I", 2**31), "t323": ("I", 2**31)}
    put("huge tiles", make_tiff([plain_fields(**tiles)], bytes(128)))
    put(
        "pages in a loop",
        make_tiff([plain_fields(t273=("I", 8 + 128 * page)) for page in range(9)], bytes(1152), loop_to=0),
    )
    put("5000 pages", make_tiff([plain_fields(1, 1, t273=("I", 8 + page)) for page in range(5000)], bytes(5000)))
    text = b'{"shape": ' + b"[" * 900_000
    put("deeply nested description", make_tiff([plain_fields(t270=("s", text), t279=("I", 99))], bytes(128)))
    text = b"<OME>" + b"<Pixels " * 120_000
    put("endless ome description", make_tiff([plain_fields(t270=("s", text))], bytes(128)))
    text = b"ImageJ=1\nimages=" + b"9" * 900_000
    put("endless imagej number", make_tiff([plain_fields(t270=("s", text))], bytes(128)))

    with (folder / "sparse 8 GiB.tif").open("wb") as sparse:
        sparse.truncate(8 << 30)
    tifffile.imwrite(folder / "complex.tif", np.zeros((4, 8, 8), np.complex64))
    put("empty", b"")
    put("text", b"slice of a head\n" * 1000)
    return sorted(folder.iterdir())


def test_each_is_one_named_error_in_time_and_memory(bad_files: list[Path]) -> None:
    assert len(bad_files) >= 25
    for path, said, status, seconds, mib, _ in measure([("read", path) for path in bad_files]):
        name = Path(path).name
        assert status == 0, f"{name}: died with {status}"
        error, _, reason = said.partition(": ")
        assert error in {"UnreadableFileError", "TooLargeError"}, f"{name}: {said}"
        assert reason.startswith(f"{path}: "), f"{name}: {said}"
        assert seconds < SECONDS, f"{name}: {seconds:.1f} s"
        assert mib < MIB, f"{name}: {mib:.0f} MiB"


def test_a_study_of_huge_slices_is_refused_before_they_are_read(tmp_path: Path, make_tiff, plain_fields) -> None:
    strip = _compressed(8, 32 << 20)
    fields = {"t259": ("H", 8), "t279": ("I", len(strip))}
    slices = make_tiff([plain_fields(8192, 4096, **fields)], strip)
    for number in range(70):
        (tmp_path / f"a_{number}.tif").write_bytes(slices)
    [(_, said, status, seconds, mib, _)] = measure([("load", tmp_path)])
    assert status == 0
    assert "would take 2240 MiB; at most 2048 MiB are read as one study" in said
    assert seconds < SECONDS
    assert mib < MIB


def test_a_mask_that_is_a_bomb_leaves_its_image(tmp_path: Path, make_tiff, plain_fields) -> None:
    encoded = _bomb(8)
    (tmp_path / "a_1.tif").write_bytes(make_tiff([plain_fields()], bytes(128)))
    bomb = make_tiff([plain_fields(t259=("H", 8), t279=("I", len(encoded)))], encoded)
    (tmp_path / "a_1_mask.tif").write_bytes(bomb)
    [(_, said, status, seconds, mib, _)] = measure([("load", tmp_path)])
    assert status == 0
    assert said.startswith("1 studies: ")
    assert "a_1_mask.tif: damaged" in said
    assert seconds < SECONDS
    assert mib < MIB
