"""From an uploaded file to a study: what it is, whether it is harmless, what it holds."""

from metseg.server.intake.decoder import Decoder
from metseg.server.intake.decoding import Decoded, decode
from metseg.server.intake.limits import Limits, Refusal, Why

__all__ = ["Decoded", "Decoder", "Limits", "Refusal", "Why", "decode"]
