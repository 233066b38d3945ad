"""How people write MR sequences in names of files, folders and channels."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path

from metseg.errors import UnreadableFileError
from metseg.study.ifd import open_regular
from metseg.study.model import Sequence

_GAP = r"[ _.\-]?"
_CONTRAST = (
    rf"(?:post{_GAP}(?:contrast|gd|gad)|with{_GAP}contrast|gadolinium|gado|gad|gd|contrast|enhanced|cpost|post|km|ce|c)"
)
_KIND = r"(?:mprage|mp2rage|spgr|fspgr|bravo|tfe|tse|fse|se|fl3d|space|vibe|ir)"
_PLANE = r"(?:ax|axial|sag|sagittal|cor|coronal|tra|transversal|3d|2d)"
_T1 = rf"t1{_GAP}w?(?:eighted)?"

#: In this order: the first that matches is meant.
_WRITTEN: tuple[tuple[Sequence, str], ...] = (
    (
        Sequence.POST,
        rf"(?:{_T1}{_GAP}(?:{_KIND}{_GAP})?(?:weighted{_GAP})?{_CONTRAST}|(?:ce|gd|gad){_GAP}{_T1}"
        rf"|{_KIND}{_GAP}{_CONTRAST}|post{_GAP}contrast(?:{_GAP}{_T1})?)",
    ),
    (
        Sequence.OTHER,
        rf"t2{_GAP}(?:star|\*)|swi|swan|dwi|adc|dti|pdw|cbv|cbf|rcbv|mtt|ktrans|asl|perf(?:usion)?|tof|mra",
    ),
    (Sequence.OTHER, r"subtraction|bold|gre"),
    (Sequence.FLAIR, rf"(?:t[12]{_GAP}w?{_GAP})?(?:flair|fla|dark{_GAP}fluid|tirm)(?:{_GAP}(?:fs|w))?|t2{_GAP}f"),
    (
        Sequence.PRE,
        rf"{_T1}(?:{_GAP}(?:n|pre|native|pre{_GAP}contrast))?(?:{_GAP}weighted)?|pre{_GAP}contrast(?:{_GAP}{_T1})?",
    ),
    (Sequence.T2, rf"t2{_GAP}w?(?:eighted|{_GAP}weighted|synth)?"),
    (Sequence.OTHER, "mprage|mp2rage|spgr|fspgr|bravo|vibe"),
)
_PATTERNS = tuple(
    (
        sequence,
        re.compile(
            rf"(?<![0-9a-z])(?:{_PLANE}{_GAP})*(?P<word>{written})(?:{_GAP}(?:{_PLANE}|{_KIND}))*(?![0-9a-z])", re.I
        ),
    )
    for sequence, written in _WRITTEN
)
#: FLAIR is no part of any other word, so that digits may touch it.
_GLUED_FLAIR = re.compile(r"(?<![a-z])(?P<word>flair)(?![a-z])", re.I)
_SEPARATORS = " _.-"
#: Without one of these no sequence is written; it is quicker than all patterns.
_ANY = re.compile(
    r"t[12]|fla|fluid|tirm|contrast|swi|swan|dwi|adc|dti|pdw|cb[vf]|mtt|ktrans|asl|perf|tof|mra|subtraction|bold|gre"
    rf"|{_KIND}{_GAP}{_CONTRAST}|mprage|mp2rage|spgr|bravo|vibe",
    re.I,
)
_MAX_BYTES = 1 << 20


@lru_cache(maxsize=1 << 14)
def sequence_in(name: str) -> tuple[Sequence, str, str] | None:
    """Finds the sequence that is written in a name.

    Returns
    -------
    (Sequence, str, str), or None
        The sequence, how it is written, and the name without it.
    """
    if not _ANY.search(name):
        return None
    for sequence, pattern in (*_PATTERNS, (Sequence.FLAIR, _GLUED_FLAIR)):
        matches = list(pattern.finditer(name))
        if matches:
            match = matches[-1]
            before, after = name[: match.start()].rstrip(_SEPARATORS), name[match.end() :]
            between = "" if after[:1] in _SEPARATORS else "_"
            rest = before + between + after if before and after.strip(_SEPARATORS) else before or after
            return sequence, match["word"].strip(_SEPARATORS), rest.lstrip(_SEPARATORS)
    return None


def sequence_of(word: str) -> Sequence | None:
    """The sequence that a whole word, such as the name of a folder or channel, stands for."""
    found = sequence_in(word.strip())
    return found[0] if found is not None and not found[2] else None


def channel_names(path: Path) -> tuple[str, ...] | None:
    """Names of the channels in an nnU-Net ``dataset.json`` (``channel_names``, or ``modality`` of version 1).

    Returns
    -------
    tuple of str, or None
        In the order of their numbers; ``None`` if there is no such file, or it names none.
    """
    if not path.is_file():
        return None
    try:
        with open_regular(path) as file:
            content = json.loads(file.read(_MAX_BYTES))
    except (OSError, ValueError, RecursionError, UnreadableFileError):
        return None
    named = content.get("channel_names", content.get("modality")) if isinstance(content, dict) else None
    if not isinstance(named, dict) or not all(key.isdecimal() for key in named):
        return None
    return tuple(str(named[key]) for key in sorted(named, key=int))
