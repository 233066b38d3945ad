"""From an uploaded file to a study: what it is, whether it is harmless, what it holds."""

from metseg.server.intake.decoder import Decoder
from metseg.server.intake.decoding import Decoded, decode
from metseg.server.intake.kinds import Kind, kind_of
from metseg.server.intake.limits import Limits, Refusal, Why
from metseg.server.intake.volumes import Frame

__all__ = ["Decoded", "Decoder", "Frame", "Kind", "Limits", "Refusal", "Why", "decode", "kind_of"]
