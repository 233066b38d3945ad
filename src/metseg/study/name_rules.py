"""The rules by which names of files and folders are understood, in the order in which they are asked.

A new way of naming is a new rule in :data:`RULES`.
"""

from __future__ import annotations

import filecmp
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePath

from metseg.study.formats import stem_of, suffix_of
from metseg.study.model import Sequence
from metseg.study.naming import FileName, Neighbours, Role, Rule, fold
from metseg.study.sequence_names import sequence_in, sequence_of

_SEPARATOR = r"[ _.\-]"
#: Words that mark a mask wherever they end a name.
_WORDS = r"(?:ma?sks?|segs?|dseg|segmentations?|labels?|labelmaps?)"
#: Words that mark a mask only beside an image whose name begins alike.
_WEAK = r"(?:gts?|ground[ _-]?truths?|truth|rois?|lesions?|tumou?rs?|annotations?|contours?|manual|gtvs?|mets)"
_ENDING = re.compile(rf"(?P<stem>.*?)(?:^|{_SEPARATOR}+){_WORDS}(?P<target>(?:{_SEPARATOR}*\(?[0-9]+\)?)?)", re.I)
_MIDDLE = re.compile(rf"(?P<stem>.+?){_SEPARATOR}+{_WORDS}{_SEPARATOR}+(?P<target>.+)", re.I)
_FRONT = re.compile(rf"{_WORDS}{_SEPARATOR}+(?P<stem>.+)", re.I)
_WEAK_ENDING = re.compile(rf"(?P<stem>.+?){_SEPARATOR}+{_WEAK}(?P<target>(?:{_SEPARATOR}*[0-9]+)?)", re.I)
_GLUED = re.compile(r"(?P<stem>.*[^ _.\-])(?:mask|seg|label)s?", re.I)
_NO_LESION = re.compile(
    rf"(?:.*{_SEPARATOR})?(?:brain|bet|skull|head|tissue|gm|wm|csf|ventricles?)(?:{_SEPARATOR}+T1w|{_SEPARATOR}+T2w)?",
    re.I,
)
#: What people call a study; programs that outline brains write no TIFFs, so that ``head_mask.tif`` is of ``head.tif``.
_NAMES = ("brain", "head")
_PROBABILITIES = re.compile(rf"(?P<stem>.+?){_SEPARATOR}+prob(?:s|ability|abilities)?", re.I)
_COPY = re.compile(
    r"(?P<stem>.+?)(?P<mark> ?\([0-9]+\)| - (?:Copy|Kopie|Copie|Copia|Kopia)(?: ?\([0-9]+\))?| copy(?: [0-9]+)?|_copy)",
    re.I,
)
_IMAGE_WORDS = r"(?:images?|imgs?|im|scans?|mri?|orig|volume|vol)"
_IMAGE_ENDING = re.compile(rf"(?P<stem>.+?){_SEPARATOR}+{_IMAGE_WORDS}", re.I)
_IMAGE_FRONT = re.compile(rf"{_IMAGE_WORDS}{_SEPARATOR}*(?P<stem>[0-9].*|{_SEPARATOR}.+)", re.I)
_MASK_NAMES = ("mask", "msk", "seg", "label", "masks", "labels", "segmentation", "dseg", "gt")

_PART = r"(?P<part>Tr|Ts|Va|Val)?"
_MASK_FOLDER = re.compile(
    rf"(?P<rest>.*?){_SEPARATOR}*(?:ma?sks?|labels?|segs?|segmentations?|annotations?|gts?|ground[ _-]?truths?){_PART}",
    re.I,
)
_IMAGE_FOLDER = re.compile(rf"(?P<rest>.*?){_SEPARATOR}*(?:images?|imgs?|slices|scans|volumes){_PART}", re.I)
_NEUTRAL = frozenset(
    {"anat", "nii", "nifti", "niftis", "dicom", "dcm", "tif", "tiff", "png", "jpg", "mr", "mri", "images", "image"}
)
_NNUNET_FOLDER = re.compile(r"images(Tr|Ts|Va|Val)", re.I)
_CHANNEL = re.compile(r"(?P<stem>.+)_(?P<channel>[0-9]{4})")
_MOST_CHANNELS = 12

_DATE = r"(?:19|20)[0-9]{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12][0-9]|3[01])"
_VISIT = (
    r"(?:ses-[0-9a-z]+|(?:ses|session|visit|tp|timepoint|time[ _-]point|fu|follow[ _-]?up|week|month|year)[ _-]?[0-9]+"
    r"(?:-[0-9]+)?|baseline|pre[ _-]?op|post[ _-]?op|follow[ _-]?up)"
)
_VISIT_FOLDER = re.compile(rf"{_VISIT}|{_DATE}(?:[ _-].*)?", re.I)
_VISIT_IN_NAME = re.compile(rf"(?P<patient>.+?){_SEPARATOR}+(?P<visit>{_VISIT})(?:{_SEPARATOR}+[0-9]+)?", re.I)
_BRATS = re.compile(r"(?P<patient>BraTS-[A-Z]+-[0-9]{5})-(?P<visit>[0-9]{3})", re.I)
_BIDS = re.compile(
    r"sub-(?P<patient>[0-9a-zA-Z]+)(?:_ses-(?P<visit>[0-9a-zA-Z]+))?(?P<entities>(?:_[a-z]+-[^_]+)*)_(?P<kind>[0-9a-zA-Z]+)"
)


def _copy(name: FileName, near: Neighbours) -> FileName | None:
    """Explorer's and Finder's copies; a number in brackets is one only where the bytes are the original's."""
    match = _COPY.fullmatch(name.stem)
    if match is None:
        return None
    there = near.holds(name.path.parent, match["stem"])
    numbered = match["mark"].strip().startswith("(")
    if numbered and not (there and _same_bytes(name.path, match["stem"])):
        return None
    return replace(name, stem=match["stem"], raw=match["stem"], copy=there)


def _same_bytes(path: Path, stem: str) -> bool:
    original = path.with_name(stem + suffix_of(path))
    try:
        return original.is_file() and filecmp.cmp(path, original, shallow=False)
    except OSError:
        return False


def _bids(name: FileName, near: Neighbours) -> FileName | None:
    match = _BIDS.fullmatch(name.stem)
    if match is None:
        return None
    kind = match["kind"]
    entities = dict(entity.split("-", 1) for entity in match["entities"].split("_") if entity)
    patient, visit = f"sub-{match['patient']}", f"ses-{match['visit']}" if match["visit"] else ""
    is_mask = kind.lower() in ("dseg", "mask", "probseg", "seg", "roi")
    sequence = None if is_mask else sequence_of(kind)
    if not is_mask and sequence is None:
        return None
    if sequence is Sequence.PRE and "ce" in entities:
        sequence = Sequence.POST
    folders = (f"sub-{match['patient']}", visit, *_NEUTRAL)
    place = tuple(part for part in _place_without_derivatives(name) if fold(part) not in map(fold, folders))
    stem = "_".join(filter(None, (patient, visit)))
    found = replace(name, place=place, stem=stem, patient=patient, visit=visit, sequence=sequence)
    if not is_mask:
        return found
    described = " ".join((entities.get("desc", ""), entities.get("label", ""))).lower()
    if any(word in described for word in ("brain", "gm", "wm", "csf")):
        return _neither(name, "is a mask of the brain by its name, not of lesions")
    if kind.lower() == "probseg":
        return _neither(name, "is a map of probabilities by its name")
    return replace(found, role=Role.MASK, raw=name.stem.rpartition("_")[0])


def _place_without_derivatives(name: FileName) -> tuple[str, ...]:
    """Masks in BIDS lie in ``derivatives/<pipeline>``, a tree beside that of the images."""
    place = name.place
    if "derivatives" in place:
        at = place.index("derivatives")
        place = place[:at] + place[at + (1 if place[at + 1 : at + 2] and place[at + 1].startswith("sub-") else 2) :]
    return tuple(part for part in place if part != "rawdata")


def _mask_folder(name: FileName, near: Neighbours) -> FileName | None:
    for folder in _folders(name, near):
        if is_mask_folder(folder, near):
            match = _MASK_FOLDER.fullmatch(folder.name)
            renamed = "" if match is None else match["rest"] + (match["part"] or "")
            if folder == near.top:
                return replace(name, role=Role.MASK)
            return replace(_without_folder(name, folder.name, renamed), role=Role.MASK)
    return None


def is_mask_folder(folder: Path, near: Neighbours) -> bool:
    """Whether a folder is called like one of masks, and holds no pairs of image and mask."""
    match = _MASK_FOLDER.fullmatch(folder.name)
    if match is None or _has_pairs(folder, near):
        return False
    beside = near.beside(folder)
    rest = fold(match["rest"])
    if rest:
        return any(fold(other) == rest or _image_rest(other) == rest for other in beside)
    if folder != near.top:
        return True
    return any(_image_rest(other) is not None for other in beside)


def _image_rest(folder: str) -> str | None:
    """What the name of a folder of images has before that word; ``None`` for another folder."""
    match = _IMAGE_FOLDER.fullmatch(folder)
    return None if match is None else fold(match["rest"])


def _has_pairs(folder: Path, near: Neighbours) -> bool:
    for _, stems in near.below(folder):
        for stem in stems:
            match = _ENDING.fullmatch(stem)
            if match is not None and match["stem"] and match["stem"] in stems:
                return True
    return False


def _image_folder(name: FileName, near: Neighbours) -> FileName | None:
    for folder in _folders(name, near):
        match = _IMAGE_FOLDER.fullmatch(folder.name)
        if match is None or folder == near.top:
            continue
        rest = match["rest"]
        if rest and not any(is_mask_folder(folder.with_name(other), near) for other in near.beside(folder)):
            continue
        return _without_folder(name, folder.name, rest + (match["part"] or ""))
    return None


def _neutral_folder(name: FileName, near: Neighbours) -> FileName | None:
    place = tuple(part for part in name.place if fold(part) not in _NEUTRAL)
    return replace(name, place=place) if place != name.place else None


def is_mask_name(name: str | PurePath) -> bool:
    """Whether a file is a mask by the end of its name alone, such as ``P_1_mask.tif`` or ``P-seg.nii.gz``."""
    return _ENDING.fullmatch(stem_of(name)) is not None


def _probabilities(name: FileName, near: Neighbours) -> FileName | None:
    match = _PROBABILITIES.fullmatch(name.stem)
    if match is None or not _alike(name, match["stem"], near):
        return None
    return _neither(name, "is a map of probabilities by its name")


def _mask_ending(name: FileName, near: Neighbours) -> FileName | None:
    match = _ENDING.fullmatch(name.stem)
    if match is None:
        return None
    stem, target = match["stem"], match["target"].strip(" _.-()")
    numbered = [f"{stem}{mark}" for mark in (*(f"{one}{target}" for one in "_- ."), f" ({target})", f"({target})")]
    numbered = numbered if target else []
    slices = [other for other in numbered if near.holds(name.path.parent, other)]
    if slices or (target and not stem):
        return _mask(name, slices[0] if slices else target)
    return _mask(name, stem, target)


def _marked(pattern: re.Pattern[str], name: FileName, near: Neighbours) -> FileName | None:
    """``name`` as that of a mask, if it fits ``pattern`` and there is an image whose name begins alike."""
    match = None if name.role is Role.MASK else pattern.fullmatch(name.stem)
    if match is None or not _alike(name, match["stem"], near):
        return None
    return _mask(name, match["stem"], match["target"].strip(" _.-"))


def _mask_front(name: FileName, near: Neighbours) -> FileName | None:
    match = None if name.role is Role.MASK else _FRONT.fullmatch(name.stem)
    if match is None:
        return None
    stem = match["stem"]
    fronts = ("", "image_", "img_", "im_", "scan_", "image-", "img-", "images_", "image", "img", "im")
    if not any(near.holds(name.path.parent, front + stem) for front in fronts):
        return None
    return _mask(name, stem)


def _mask_glued(name: FileName, near: Neighbours) -> FileName | None:
    match = None if name.role is Role.MASK else _GLUED.fullmatch(name.stem)
    if match is None or not near.holds(name.path.parent, match["stem"]):
        return None
    return _mask(name, match["stem"])


def _mask(name: FileName, stem: str, target: str = "") -> FileName:
    """``name`` as that of a mask of ``stem``."""
    if _ENDING.fullmatch(stem) and stem and not stem.isdecimal():
        return _neither(name, "is a mask of a mask by its name, and was left out")
    named_so = stem.lower() in _NAMES and name.path.suffix.lower() in (".tif", ".tiff")
    if _NO_LESION.fullmatch(stem) and not named_so:
        return _neither(name, "is a mask of the brain by its name, not of lesions")
    return replace(name, role=Role.MASK, stem=stem, raw=stem, target=target)


def _image_word(name: FileName, near: Neighbours) -> FileName | None:
    """``P_image`` beside ``P_mask``, and ``img_1`` beside ``mask_1``."""
    if name.role is Role.MASK:
        return None
    if re.fullmatch(_IMAGE_WORDS, name.stem, re.I):
        masked = any(near.holds(name.path.parent, word) for word in _MASK_NAMES)
        return replace(name, stem="", raw="") if masked else None
    for pattern in (_IMAGE_ENDING, _IMAGE_FRONT):
        match = pattern.fullmatch(name.stem)
        if match is None:
            continue
        stem = match["stem"].strip(" _.-")
        masks = [f"{stem}{mark}{word}" for word in _MASK_NAMES for mark in "_-. "]
        masks += [f"{word}{mark}{stem}" for word in _MASK_NAMES for mark in ("_", "-", ".", " ", "")]
        if any(near.holds(name.path.parent, mask) for mask in masks):
            return replace(name, stem=stem, raw=stem)
    return None


def _nnunet(name: FileName, near: Neighbours) -> FileName | None:
    match = _CHANNEL.fullmatch(name.stem)
    if match is None or name.role is Role.MASK:
        return None
    folder, channel = name.path.parent, int(match["channel"])
    names = near.channels(folder)
    if names is None:
        named_so = _NNUNET_FOLDER.fullmatch(folder.name)
        most = f"{match['stem']}_{_MOST_CHANNELS:04d}"
        if not named_so or near.holds(folder, most):
            return None
    elif channel >= len(names):
        return None
    sequence = None if names is None else sequence_of(names[channel]) or Sequence.OTHER
    if names is not None and len(names) == 1 and sequence is Sequence.OTHER:
        sequence = None
    return replace(name, stem=match["stem"], channel=channel, sequence=sequence)


def _sequence(name: FileName, near: Neighbours) -> FileName | None:
    found = None if name.sequence is not None else sequence_in(name.stem)
    if found is None:
        return None
    sequence, word, rest = found
    if word.lower() in ("t1", "t2") and any(near.holds(name.path.parent, other) for other in _next(name.stem, word)):
        return None
    return replace(name, stem=rest, sequence=sequence)


def _next(stem: str, word: str) -> Iterator[str]:
    """The name with T3, T4, … in the place of T1: then these are no sequences."""
    at = stem.rindex(word)
    for number in range(3, 10):
        yield f"{stem[:at]}{word[0]}{number}{stem[at + len(word) :]}"


def _pre_and_post(name: FileName, near: Neighbours) -> FileName | None:
    match = re.fullmatch(
        rf"(?P<stem>.*?)(?P<mark>^|{_SEPARATOR}+)(?P<word>pre|post|ct1)(?P<rest>(?:{_SEPARATOR}+[0-9]+)?)",
        name.stem,
        re.I,
    )
    if match is None or name.sequence is not None or name.role is Role.MASK:
        return None
    if not near.holds(name.path.parent, f"{match['stem']}{match['mark']}flair{match['rest']}"):
        return None
    sequence = Sequence.PRE if match["word"].lower() == "pre" else Sequence.POST
    return replace(name, stem=(match["stem"] + match["rest"]).strip(" _.-"), sequence=sequence)


def _sequence_folder(name: FileName, near: Neighbours) -> FileName | None:
    for folder in _folders(name, near):
        sequence = sequence_of(folder.name)
        if sequence is None or folder == near.top or name.sequence not in (None, sequence):
            continue
        if re.fullmatch(r"t[12]", folder.name, re.I) and any(
            re.fullmatch(r"t[3-9]", other, re.I) for other in near.beside(folder)
        ):
            continue
        return replace(_without_folder(name, folder.name), sequence=sequence)
    return None


def _visit_folder(name: FileName, near: Neighbours) -> FileName | None:
    for folder in _folders(name, near):
        if _VISIT_FOLDER.fullmatch(folder.name) and folder != near.top and not name.visit:
            return replace(_without_folder(name, folder.name), visit=folder.name)
    return None


def _brats(name: FileName, near: Neighbours) -> FileName | None:
    match = _BRATS.fullmatch(name.stem)
    return None if match is None else replace(name, patient=match["patient"], visit=match["visit"])


def _visit_in_name(name: FileName, near: Neighbours) -> FileName | None:
    match = None if name.visit or name.patient else _VISIT_IN_NAME.fullmatch(name.stem)
    return None if match is None else replace(name, patient=match["patient"], visit=match["visit"])


def _folders(name: FileName, near: Neighbours) -> Iterator[Path]:
    """Folders of the file that are part of its place still, the innermost first, and the top."""
    kept = set(map(fold, name.place))
    for folder in near.ancestors(name.path.parent):
        if folder == near.top or fold(folder.name) in kept:
            yield folder


def _without_folder(name: FileName, part: str, renamed: str = "") -> FileName:
    place = list(name.place)
    at = len(place) - 1 - [fold(one) for one in reversed(place)].index(fold(part))
    place[at : at + 1] = [renamed] if renamed else []
    return replace(name, place=tuple(place))


def _alike(name: FileName, stem: str, near: Neighbours) -> bool:
    """Whether another file of the folder is called ``stem``, or begins so and is not a mask."""
    own, start = fold(name.raw), fold(stem)
    others = near.stems.get(name.path.parent, set())
    return any(
        other == start or (other.startswith(start) and other[len(start)] in " _.-" and not _ENDING.fullmatch(other))
        for other in others
        if other != own and not (_WEAK_ENDING.fullmatch(other) and other != start)
    )


def _neither(name: FileName, reason: str) -> FileName:
    return replace(name, role=Role.NEITHER, reason=reason)


#: In the order in which they are asked; each works on what those before it left of the name.
RULES: tuple[Rule, ...] = (
    Rule("copy", _copy),
    Rule("BIDS", _bids, final=True),
    Rule("folder of masks", _mask_folder),
    Rule("folder of images", _image_folder),
    Rule("neutral folder", _neutral_folder),
    Rule("probabilities", _probabilities),
    Rule("mask ending", _mask_ending),
    Rule("mask within the name", partial(_marked, _MIDDLE)),
    Rule("mask at the front", _mask_front),
    Rule("mask beside its image", partial(_marked, _WEAK_ENDING)),
    Rule("mask ending without separator", _mask_glued),
    Rule("image beside its mask", _image_word),
    Rule("nnU-Net channel", _nnunet),
    Rule("sequence in the name", _sequence),
    Rule("pre, post and CT1 beside FLAIR", _pre_and_post),
    Rule("sequence folder", _sequence_folder),
    Rule("visit folder", _visit_folder),
    Rule("BraTS time point", _brats),
    Rule("visit in the name", _visit_in_name),
)
