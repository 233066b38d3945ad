"""Let PyTorch be imported into a process that already draws with Mesa's OpenGL."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def keep_llvm_apart() -> None:
    """Load Triton's library so that it uses its own copy of LLVM. To be called before torch is first imported.

    On Linux, PyTorch's CUDA wheels import Triton, whose library has LLVM built in. Once Mesa has drawn anything
    (software rendering, AMD graphics), its own LLVM is in the process, the two mix, and the import ends the
    process. Loaded with ``RTLD_DEEPBIND`` Triton keeps to its own. Does nothing where no such LLVM is loaded, where
    Triton is loaded already or not installed, and on other systems. The clash is that of
    https://github.com/tensorflow/tensorflow/issues/124205, with Mesa in TensorFlow's place.
    """
    if "triton" in sys.modules or not hasattr(os, "RTLD_DEEPBIND") or not _llvm_is_loaded():
        return
    usual = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_DEEPBIND)
    try:
        import triton._C.libtriton  # noqa: F401
    except ImportError:
        return
    finally:
        sys.setdlopenflags(usual)


def _llvm_is_loaded() -> bool:
    try:
        return "libLLVM" in Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
