"""From an uploaded file to a study: what it is, whether it is harmless, what it holds."""

from metseg.server.upload_decoding.decoder import Decoder
from metseg.server.upload_decoding.decoding import Decoded, decode
from metseg.server.upload_decoding.limits import Limits, Reason, UploadRejected

__all__ = ["Decoded", "Decoder", "Limits", "UploadRejected", "Reason", "decode"]
