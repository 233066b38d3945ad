"""Secrets in the system's keyring, never in a file of ours."""

from __future__ import annotations

from metseg.errors import DataError, MissingExtraError


def recall(service: str, url: str) -> str | None:
    """What the keyring holds for ``url``; ``None`` if nothing, or if there is no keyring or it is locked."""
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        return None
    try:
        return keyring.get_password(service, url)
    except KeyringError:
        return None


def keep(service: str, url: str, secret: str, *, instead: str) -> None:
    """Put a secret for ``url`` into the keyring.

    Parameters
    ----------
    service : str
        What it is for.
    instead : str
        What a user can do without a keyring.

    Raises
    ------
    DataError
        If the system has no keyring, or it is locked.
    MissingExtraError
        If keyring is not installed.
    """
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError as error:
        raise MissingExtraError("keyring", "pacs") from error
    try:
        keyring.set_password(service, url, secret)
    except KeyringError as error:
        raise DataError(f"this system has no keyring, or it is locked; {instead}") from error
