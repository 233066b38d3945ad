"""Damaged uploads by the thousand: no answer may be a 5xx, the server must live, and its memory must not grow.

    python docs/scripts/fuzz_server.py [--number 10000] [--model NAME] [--seed 0] [--images DIR]

Files of every format (synthetic heads, and TIFFs under ``--images``) are damaged: bits flipped, parts cut, repeated,
overwritten or filled with 0 or 255, numbers in headers replaced, two files joined. They are sent to /predict and
/jobs by several clients at once. 503 for want of room is no fault. Memory is taken after a tenth of the uploads, when
every path has been walked, and at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import struct
import time
from collections import Counter
from pathlib import Path

import httpx
from load_server import SERVED, Server
from schemathesis_hooks import UPLOADS

_CLIENTS = 8
_NUMBERS = (0, 1, 2, 255, 0x7F, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 20)


def damaged(content: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """``content`` after one to four injuries, most of them small."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        if not data:
            break
        place = chance.randrange(len(data)) if chance.random() < 0.5 else chance.randrange(min(len(data), 400))
        length = min(len(data) - place, chance.choice((1, 1, 2, 2, 4, 16, 512)))
        match chance.choices(range(8), (9, 4, 2, 1, 1, 1, 4, 1))[0]:
            case 0:
                data[place] ^= 1 << chance.randrange(8)
            case 1:
                data[place : place + length] = chance.randbytes(length)
            case 2:
                data[place : place + length] = bytes([chance.choice((0, 255))]) * length
            case 3:
                del data[place : place + length]
            case 4:
                data[place:place] = data[place : place + length]
            case 5:
                del data[place:]
            case 6:
                layout = chance.choice(("<H", ">H", "<I", ">I"))
                number = struct.pack(layout, chance.choice(_NUMBERS) % (1 << 8 * struct.calcsize(layout)))
                data[place : place + len(number)] = number
            case 7:
                other = chance.choice(others)
                data[place:] = other[min(place, len(other)) :]
    return bytes(data)


async def send(url: str, uploads: list[tuple[str, bytes]]) -> Counter[tuple[str, str]]:
    """Statuses by format."""
    told: Counter[tuple[str, str]] = Counter()
    waiting = iter(enumerate(uploads))

    async def one(client: httpx.AsyncClient) -> None:
        for number, (kind, content) in waiting:
            path = "/jobs" if number % 10 == 0 else "/predict"
            try:
                answer = await client.post(path, files={"file": content})
                told[kind, str(answer.status_code)] += 1
                if answer.status_code == 503:
                    await asyncio.sleep(0.5)
            except httpx.HTTPError as error:
                told[kind, type(error).__name__] += 1

    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        await asyncio.gather(*(one(client) for _ in range(_CLIENTS)))
    return told


def main() -> None:
    """Send, count, and say whether all went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=10_000)
    parser.add_argument("--model", default="attention_unet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=Path, help="further TIFFs to damage")
    asked = parser.parse_args()
    chance = random.Random(asked.seed)  # noqa: S311
    sources = [(kind, content) for kind, contents in UPLOADS.items() for content in contents]
    if asked.images:
        paths = sorted(asked.images.rglob("*.tif"))
        sources += [("real image/tiff", path.read_bytes()) for path in chance.sample(paths, min(8, len(paths)))]
    contents = [content for _, content in sources]
    uploads = [(kind, damaged(one, contents, chance)) for kind, one in chance.choices(sources, k=asked.number)]

    server = Server(SERVED, asked.model, job_mib=64)
    started, tenth = time.monotonic(), max(1, asked.number // 10)
    told: Counter[tuple[str, str]] = Counter()
    memory = []
    for part in range(0, asked.number, tenth):
        told += asyncio.run(send(server.url, uploads[part : part + tenth]))
        memory.append(round(server.memory_mib(), 1))
        print(part + tenth, dict(told), memory[-1], flush=True)
    faults = {
        f"{kind}: {status}": n for (kind, status), n in told.items() if not status.isdecimal() or status[0] == "5"
    }
    faults = {key: n for key, n in faults.items() if not key.endswith("503")}
    by_status = Counter[str]()
    for (_, status), number in told.items():
        by_status[status] += number
    found = {
        "uploads": asked.number,
        "statuses": dict(sorted(by_status.items())),
        "faults": faults,
        "alive": server.process.poll() is None,
        "slots left": server.metric("studies_waiting"),
        "memory MiB": memory,
        "memory drift %": round((memory[-1] / memory[0] - 1) * 100, 2),
        "minutes": round((time.monotonic() - started) / 60, 1),
    }
    server.end()
    print(json.dumps(found, indent=2))
    if faults or not found["alive"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
