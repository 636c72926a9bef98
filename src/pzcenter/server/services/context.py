"""What the services stand on: settings, database, store."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.errors import ConfigError
from pzcenter.server.services.buckets import Buckets, Remembered
from pzcenter.server.services.providers import KnownProviders
from pzcenter.server.storage.database import Database
from pzcenter.server.storage.store import FolderStore

if TYPE_CHECKING:
    from pzcenter.server.settings import ServerSettings
    from pzcenter.server.storage.store import Store

__all__ = ["NowAndThen", "Services", "open_services", "open_store"]

NOTE_SECONDS = 300.0


class NowAndThen:
    """Says of each key whether it is time again; for what need not be written at every request.

    Parameters
    ----------
    seconds : float
        Between two times.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: dict[object, float] = {}
        self._lock = threading.Lock()

    def due(self, key: object) -> bool:
        """Whether it is time again for this key; then the clock starts anew."""
        at = time.monotonic()
        with self._lock:
            if at - self._last.get(key, -self._seconds) < self._seconds:
                return False
            if len(self._last) > 10_000:
                self._last.clear()
            self._last[key] = at
            return True


@dataclass(frozen=True)
class Services:
    """What a function needs to serve.

    Attributes
    ----------
    settings : ServerSettings
    database : Database
    store : Store
    noted_tokens : NowAndThen
        Whose last use has just been noted.
    buckets : Buckets
        How often each user and address may still ask.
    came_in_from : Remembered
        Names with the addresses that they signed in from.
    providers : KnownProviders
        What identity providers say of themselves.
    """

    settings: ServerSettings
    database: Database
    store: Store
    noted_tokens: NowAndThen = field(default_factory=lambda: NowAndThen(NOTE_SECONDS))
    buckets: Buckets = field(default_factory=Buckets)
    came_in_from: Remembered = field(default_factory=Remembered)
    providers: KnownProviders = field(default_factory=KnownProviders)

    def close(self) -> None:
        """Give connections back."""
        self.database.close()


def open_services(settings: ServerSettings) -> Services:
    """Connect to the database and the store.

    Parameters
    ----------
    settings : ServerSettings

    Returns
    -------
    Services
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Services(settings, Database(settings.database), open_store(settings))


def open_store(settings: ServerSettings) -> Store:
    """The store that the settings name.

    Raises
    ------
    ConfigError
        An address of an unknown kind.
    """
    if "://" not in settings.store:
        return FolderStore(Path(settings.store))
    if settings.store.startswith("s3://"):
        from pzcenter.server.storage.s3_store import S3Store

        return S3Store(settings.store, endpoint=settings.s3_endpoint, folder=settings.data_dir / "incoming")
    raise ConfigError(f"store_url {settings.store!r}: accepted are a folder and s3://bucket/prefix")
