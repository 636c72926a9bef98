"""How much a fetch may take, of bytes and of time."""

from __future__ import annotations

from dataclasses import dataclass

from pzcenter.errors import ConfigError

__all__ = ["Limits"]

GIB = 1 << 30


@dataclass(frozen=True)
class Limits:
    """Limits of one fetch.

    Parameters
    ----------
    max_bytes : int
        Largest file that is kept.
    max_stream_bytes : int
        Most bytes that are read and mostly thrown away, where only some columns of a large file are kept.
    read_timeout_s : float
        Longest silence of a service.
    total_s : float
        Longest duration of one download.
    query_s : float
        Longest duration of one query of an archive.

    Raises
    ------
    ConfigError
        One of them is not positive.
    """

    max_bytes: int = 4 * GIB
    max_stream_bytes: int = 64 * GIB
    read_timeout_s: float = 120.0
    total_s: float = 12 * 3600.0
    query_s: float = 600.0

    def __post_init__(self) -> None:
        """Refuse limits that allow nothing."""
        bad = {name: value for name, value in vars(self).items() if not value > 0}
        if bad:
            raise ConfigError(f"limits of a fetch must be positive; found {bad}")
