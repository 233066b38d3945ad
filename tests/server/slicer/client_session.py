"""What a person does in 3D Slicer, done by the published ``monailabel`` client and ITK. Prints what came of it as JSON.

Run by ``test_published_client.py`` in an interpreter that has monailabel (its client needs ``requests`` alone) and
SimpleITK; they need not be those of metseg::

    python client_session.py URL TOKEN FOLDER

As in Slicer's extension 0.8.5, every request is made by a new client that first asks whether it must log in.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import numpy as np
import SimpleITK as sitk
from monailabel.client import MONAILabelClient
from monailabel.client.client import MONAILabelClientException

WHO = "rater-7"
SEGMENT = {"name": "FLAIR abnormality", "idx": 1}
#: A box that is painted: x, y, z and sizes.
BOX = (5, 30, 2, 6, 4, 3)


class Desk:
    """One person at a server."""

    def __init__(self, url: str, token: str, folder: Path) -> None:
        self.url, self.token, self.folder = url, token, folder

    @property
    def client(self) -> MONAILabelClient:
        client = MONAILabelClient(self.url, str(self.folder), WHO)
        if client.auth_enabled():
            client.update_auth(client.auth_token(WHO, self.token))
            assert client.auth_valid_token()
        return client

    def download(self, sample: dict[str, Any]) -> sitk.Image:
        """As Slicer's SampleData: file name and checksum come from the sample."""
        request = urllib.request.Request(f"{self.url}/datastore/image?image={quote_plus(sample['id'])}")
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request) as answer:
            content = answer.read()
        algorithm, digest = sample["checksum"].split(":")
        assert hashlib.new(algorithm, content).hexdigest() == digest
        path = self.folder / sample["name"]
        path.write_bytes(content)
        return sitk.ReadImage(str(path))

    def infer(self, image: str, session: str | None = None) -> tuple[sitk.Image, dict[str, Any]]:
        told = {"result_extension": ".nrrd", "result_dtype": "uint8"}
        file, params = self.client.infer("small", image, told, session_id=session)
        return sitk.ReadImage(file), params

    def label(self, image: str) -> sitk.Image:
        return sitk.ReadImage(self.client.download_label(image, "original"))

    def save(self, image: str, label: sitk.Image, **params: Any) -> dict[str, Any]:
        path = self.folder / "label_in.nii.gz"
        sitk.WriteImage(label, str(path))
        return self.client.save_label(image, str(path), params=params or {"label_info": [SEGMENT]})


def refused(work: Any, *args: Any, **kwargs: Any) -> str:
    try:
        work(*args, **kwargs)
    except MONAILabelClientException as error:
        return str(error.msg)
    raise AssertionError("was not refused")


def same_place(a: sitk.Image, b: sitk.Image) -> float:
    """How far, in mm, the corners of two volumes are apart."""
    ends = [(0, size - 1) for size in a.GetSize()]
    corners = [(x, y, z) for x in ends[0] for y in ends[1] for z in ends[2]]
    gaps = [np.subtract(a.TransformIndexToPhysicalPoint(one), b.TransformIndexToPhysicalPoint(one)) for one in corners]
    return float(np.abs(gaps).max()) if a.GetSize() == b.GetSize() else float("inf")


def painted(label: sitk.Image, value: int = 1) -> sitk.Image:
    """A label with ``value`` and 0 exchanged in a box."""
    x, y, z, dx, dy, dz = BOX
    voxels = sitk.GetArrayFromImage(label)
    box = voxels[z : z + dz, y : y + dy, x : x + dx]
    box[...] = np.where(box > 0, 0, value)
    result = sitk.GetImageFromArray(voxels)
    result.CopyInformation(label)
    return result


def oblique() -> sitk.Image:
    """A volume that lies like no slice: turned, sagittal first, away from the origin."""
    angle = 0.2
    turn = np.array([[0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)], [-1, 0, 0]])
    noise = np.random.default_rng(5).integers(0, 900, (20, 40, 48)).astype(np.int16)
    image = sitk.GetImageFromArray(noise)
    image.SetSpacing((0.8, 0.9, 2.5))
    image.SetOrigin((31.5, -12.25, 7.0))
    image.SetDirection(turn.ravel().tolist())
    return image


def look_at_a_case(desk: Desk) -> dict[str, Any]:
    sample = desk.client.next_sample("first", {})
    image = desk.download(sample)
    mask, params = desk.infer(sample["id"])
    np.save(desk.folder / "mask.npy", sitk.GetArrayFromImage(mask))
    label = desk.label(sample["id"])
    corrected = painted(label)
    np.save(desk.folder / "corrected.npy", sitk.GetArrayFromImage(corrected))
    return {
        "sample": sample,
        "params": params,
        "apart": [same_place(image, mask), same_place(image, label)],
        "wrong segment": refused(desk.save, sample["id"], painted(label * 0, 2), label_info=[SEGMENT, {"name": "x"}]),
        "saved": desk.save(sample["id"], corrected),
        "again": same_place(corrected, desk.label(sample["id"])),
        "next": desk.client.next_sample("uncertainty", {}),
    }


def look_at_own_image(desk: Desk) -> dict[str, Any]:
    image, path = oblique(), desk.folder / "own.nii.gz"
    sitk.WriteImage(image, str(path))
    session = desk.client.create_session(str(path))["session_id"]
    found = desk.client.get_session(session)["name"] == session
    mask, params = desk.infer("own", session)
    added = desk.client.upload_image(str(path), "own")
    later, _ = desk.infer("own")
    index = later.TransformPhysicalPointToIndex(mask.TransformIndexToPhysicalPoint((9, 8, 7)))
    saved = desk.save("own", painted(sitk.Cast(mask, sitk.sitkUInt8) * 0))
    desk.client.remove_session(session)
    there = sitk.Resample(desk.label("own"), image, sitk.Transform(), sitk.sitkNearestNeighbor)
    np.save(desk.folder / "own_label.npy", sitk.GetArrayFromImage(there))
    return {
        "found": found,
        "stored": params["stored"],
        "apart": same_place(image, mask),
        "same voxel": later[index] == mask[9, 8, 7],
        "added": added,
        "saved": saved,
        "gone": refused(desk.client.get_session, session),
    }


def train(desk: Desk) -> dict[str, Any]:
    started = desk.client.train_start("small", {"epochs": 1, "replay": 0.0})
    running = desk.client.train_status(check_if_running=True)
    second = refused(desk.client.train_start, "small", {})
    until = time.monotonic() + 240
    while (status := desk.client.train_status())["status"] == "RUNNING" and time.monotonic() < until:
        time.sleep(0.5)
    statistics = desk.client.info()["train_stats"]
    desk.client.train_start("small", {"epochs": 500})
    stopped = desk.client.train_stop()
    return {
        "started": started,
        "running": running,
        "second": second,
        "status": status,
        "statistics": statistics,
        "stopped": stopped,
        "over": desk.client.train_status(check_if_running=True),
        "nothing to stop": refused(desk.client.train_stop),
    }


def main() -> None:
    url, token, folder = sys.argv[1:]
    desk = Desk(url, token, Path(folder))
    done = {
        "info": desk.client.info(),
        "datastore": desk.client.datastore(),
        "without token": refused(MONAILabelClient(url).info),
        "case": look_at_a_case(desk),
        "own": look_at_own_image(desk),
        "no image": refused(desk.infer, "nobody"),
        "no model": refused(desk.client.infer, "nothing", "head_2", {}),
        "no strategy": refused(desk.client.next_sample, "oldest", {}),
        "training": train(desk),
    }
    print(json.dumps(done))


if __name__ == "__main__":
    main()
