"""What a server can be told: through the environment, as ``METSEG_HOST``, ``METSEG_TOKEN`` and so on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from metseg import DEFAULT_MODEL
from metseg.errors import DataError
from metseg.loopback import is_loopback

Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """How to serve.

    Attributes
    ----------
    token : SecretStr or None
        What clients must send as ``Authorization: Bearer``; needed on every address but the loopback.
    model, device : str
        The model used unless a request names another (``auto`` chooses by sequences), and where networks run.
    engine : {"local", "ray"}
        Whether networks run in this process, or in workers of a Ray cluster.
    workers : int or None
        Of a Ray cluster: most workers; one for each GPU, or one for each machine without, unless given.
    project : Path or None
        Folder of a :class:`metseg.curation.Project` that 3D Slicer works on.
    training_data : Path or None
        Folder of patients with masks that a training started by 3D Slicer shows again beside the corrected ones.
    upload_mib : int
        Largest request body, MiB.
    samples : int
        Largest image: slices x rows x columns x channels.
    slices, side : int
        Most slices of an image, and its longest side in pixels.
    decoders, decode_seconds, decode_mib : int, float, int
        Processes that decode uploads, how long one upload may take, and how much memory it may need.
    waiting : int
        Most studies that wait for the network or are in it; one more is answered with 503.
    batch : int
        Most slices of one pass through the network; one that looks at neighbouring slices takes eight times its
        margin or more.
    models_kept : int
        Models that are kept loaded.
    jobs, job_mib, job_seconds : int, int, float
        Jobs that are kept, the memory of their results, and how long a finished one is kept.
    headers_seconds, idle_seconds, body_seconds, answer_seconds : float
        How long a client may take to send its headers, the next bytes of its body and all of it, and to read the
        next part of an answer.
    drain_seconds, grace_seconds : float
        After SIGTERM: how long the server says that it is not ready and still takes requests, and how long accepted
        requests may take then.
    """

    model_config = SettingsConfigDict(env_prefix="METSEG_", frozen=True, extra="ignore")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    token: SecretStr | None = None
    model: str = DEFAULT_MODEL
    device: str = "auto"
    engine: Literal["local", "ray"] = "local"
    workers: Count | None = None
    project: Path | None = None
    training_data: Path | None = None
    upload_mib: Count = 128
    samples: Count = 1 << 27
    slices: Count = 2048
    side: Count = 8192
    decoders: Count = 2
    decode_seconds: Seconds = 20
    decode_mib: Count = 2048
    waiting: Count = 128
    batch: Count = 8
    models_kept: Count = 3
    jobs: Count = 32
    job_mib: Count = 2048
    job_seconds: Seconds = 3600
    headers_seconds: Seconds = 10
    idle_seconds: Seconds = 10
    body_seconds: Seconds = 120
    answer_seconds: Seconds = 60
    connections: Count = 1024
    drain_seconds: Annotated[float, Field(ge=0)] = 1
    grace_seconds: Seconds = 60

    @field_validator("token")
    @classmethod
    def _no_empty_token(cls, token: SecretStr | None) -> SecretStr | None:
        return token if token is not None and token.get_secret_value().strip() else None

    @property
    def upload_bytes(self) -> int:
        """Largest request body in bytes."""
        return self.upload_mib << 20


def settings_from_environment() -> Settings:
    """The settings in the variables ``METSEG_*``; DataError if one of them cannot be."""
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"METSEG_{str(one['loc'][0]).upper()}: {one['msg']}" for one in error.errors())
        raise DataError(f"the environment is not understood: {wrong}") from None


def require_token(settings: Settings, host: str) -> None:
    """Refuse an address that others can reach while there is no token, with a DataError."""
    if settings.token is None and not is_loopback(host):
        raise DataError(
            f"{host} can be reached from other computers: set METSEG_TOKEN to a secret that clients must send, "
            "or serve 127.0.0.1"
        )
