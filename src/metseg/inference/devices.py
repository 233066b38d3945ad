"""Which devices there are, and which one ``auto`` means."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from metseg.errors import MetsegError

if TYPE_CHECKING:
    import torch

#: Device files of the drivers of accelerators that torch knows on Linux: NVIDIA, AMD, and either within Windows.
_DRIVERS = ("nvidiactl", "kfd", "dxg")


def available_devices() -> list[str]:
    """Devices a network can run on here, the fastest first: ``cuda``, ``cuda:1``, …, ``mps``, ``cpu``."""
    has_driver = any(Path("/dev", driver).exists() for driver in _DRIVERS)
    if not has_driver and sys.platform == "linux" and "torch" not in sys.modules:
        return ["cpu"]  # importing torch for this takes a second
    import torch

    cuda = ["cuda" if index == 0 else f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*cuda, *mps, "cpu"]


def resolve_device(wanted: str = "auto", devices: list[str] | None = None) -> str:
    """``wanted`` if it is there; ``auto`` means the fastest.

    Parameters
    ----------
    wanted : str
    devices : list of str, optional
        What there is, the fastest first, in place of :func:`available_devices`.

    Raises
    ------
    MetsegError
        If the device does not exist here.
    """
    devices = devices or available_devices()
    if wanted == "auto":
        return devices[0]
    if wanted in devices or (wanted == "cuda:0" and "cuda" in devices):
        return wanted
    raise MetsegError(f"no device {wanted!r} here; there is: {', '.join(devices)}")


def autocast_dtype(device: str) -> torch.dtype | None:
    """The lower precision that is faster than fp32 on ``device``, or ``None``.

    bf16 on CPUs with AMX or fast AVX512-BF16 and on CUDA from Ampere on, else fp16 on CUDA.
    """
    import torch

    if device.startswith("cuda"):
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device == "cpu":
        capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
        if has_fast_bf16([name for name, there in capabilities.items() if there]):
            return torch.bfloat16
    return None


def has_fast_bf16(features: Collection[str]) -> bool:
    """Whether a CPU with these instructions convolves faster in bf16 than in fp32."""
    # Xeons with AVX512-FP16 multiply bf16 at half the speed of fp32 where a virtual machine hides AMX from them.
    return "amx_bf16" in features or ("avx512_bf16" in features and "avx512_fp16" not in features)


def processor_features() -> frozenset[str]:
    """The CPU's instructions as Linux lists them, without importing torch; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2] for line in lines if line.startswith("flags")), "").split())
