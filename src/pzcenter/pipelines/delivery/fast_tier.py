"""Tier 0: a read-through cache of files on a fast disk, with a quota.

Reading must not depend on it. Whatever goes wrong with the fast disk (full, broken, not mounted), the caller gets the
path of the source, and a warning is recorded. Any number of processes may share one tier: see
:mod:`pzcenter.pipelines.delivery.tier_entries`.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pzcenter.errors import PZCenterError
from pzcenter.pipelines.delivery.sizes import bytes_of_text
from pzcenter.pipelines.delivery.tier_entries import NoRoomError, TierEntries
from pzcenter.pipelines.delivery.tier_sources import local_path, local_source, remote_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pzcenter.pipelines.delivery.tier_sources import TierSource

__all__ = [
    "QUOTA_VARIABLE",
    "TIER_VARIABLE",
    "FastTier",
    "TierStatistics",
    "configured_tier",
    "local_copy",
    "prefetch",
    "remote_copy",
]

log = logging.getLogger(__name__)

TIER_VARIABLE = "PZ_FAST_TIER"
"""Environment variable that names the directory of the tier."""
QUOTA_VARIABLE = "PZ_FAST_TIER_QUOTA"
"""Environment variable with the most bytes the tier may hold, such as ``200 GB``."""
DEFAULT_QUOTA = "20 GB"

N_HELD = 4
"""Entries that :meth:`FastTier.local_copy` keeps from eviction after it has given their paths: the last few of a
process. Who reads for longer uses :meth:`FastTier.reading`."""
MAX_FAULTS_KEPT = 20


@dataclass
class TierStatistics:
    """What a tier has done in this process.

    Parameters
    ----------
    hits, misses : int
        Reads that found their file on the fast disk, and those that copied it there.
    bypassed : int
        Reads that went to the source because there was no room.
    failures : int
        Reads that went to the source because of a fault of the tier.
    evictions : int
        Entries removed to make room.
    bytes_hit, bytes_copied : int
        Size of the files that were found, and of those that were copied.
    """

    hits: int = 0
    misses: int = 0
    bypassed: int = 0
    failures: int = 0
    evictions: int = 0
    bytes_hit: int = 0
    bytes_copied: int = 0

    def as_dict(self) -> dict[str, int]:
        """Plain numbers by name."""
        return asdict(self)


class FastTier:
    """A read-through cache in a directory of a fast disk.

    Parameters
    ----------
    root : path
        Made at the first miss. Several processes, also on several machines with a common file system, may share it.
    quota_bytes : int or str
        Most bytes of all entries together, such as ``200_000_000_000`` or ``"200 GB"``.
    """

    def __init__(self, root: str | os.PathLike[str], quota_bytes: int | str) -> None:
        self.root = Path(root)
        self.quota_bytes = bytes_of_text(quota_bytes)
        self.faults: deque[str] = deque(maxlen=MAX_FAULTS_KEPT)
        self._entries = TierEntries(self.root, self.quota_bytes)
        self._statistics = TierStatistics()
        self._mutex = threading.Lock()
        self._held: deque[int] = deque()

    def local_copy(self, source: str | os.PathLike[str], *, sha256: str | None = None) -> Path:
        """Path at which to read a file: on the fast disk where possible, else the source itself.

        The entry is safe from eviction until this process has asked for a few others (:data:`N_HELD`).

        Parameters
        ----------
        source : path or str
            Local path or ``file://`` URI.
        sha256 : str, optional
            What the file must have: the copy is checked, and the entry named by it.

        Returns
        -------
        Path
        """
        path = local_path(source)
        return self._kept(lambda: local_source(path, sha256), str(path)) or path

    def remote_copy(self, uri: str) -> Path | None:
        """Path of the entry of a file of an object store; None where the caller must read the store itself.

        Parameters
        ----------
        uri : str
            Such as ``s3://bucket/key``.

        Returns
        -------
        Path or None
        """
        return self._kept(lambda: remote_source(uri), uri)

    @contextmanager
    def reading(self, source: str | os.PathLike[str], *, sha256: str | None = None) -> Iterator[Path]:
        """Like :meth:`local_copy`; the entry is not evicted before the block ends."""
        path = local_path(source)
        found = self._entry(lambda: local_source(path, sha256), str(path))
        try:
            yield path if found is None else found[0]
        finally:
            if found is not None:
                os.close(found[1])

    def prefetch(self, sources: Iterable[str | os.PathLike[str]]) -> int:
        """Copy files to the fast disk before they are needed, as many as the quota takes, in this order.

        Parameters
        ----------
        sources : iterable of path

        Returns
        -------
        int
            Number of these files that are now there.
        """
        room, n_there = self.quota_bytes, 0
        for source in sources:
            path = local_path(source)
            try:
                room -= path.stat().st_size
            except OSError:
                # Whoever reads it will say so.
                continue
            if room < 0:
                break
            with self.reading(path) as there:
                n_there += there != path
        return n_there

    def release(self) -> None:
        """Let go of the entries that :meth:`local_copy` keeps from eviction."""
        with self._mutex:
            held = list(self._held)
            self._held.clear()
        for handle in held:
            os.close(handle)

    def statistics(self) -> TierStatistics:
        """What this process has done with the tier so far."""
        with self._mutex:
            return TierStatistics(**self._statistics.as_dict())

    def usage(self) -> tuple[int, int]:
        """Number and total size of the entries, of all processes."""
        return self._entries.usage()

    def _kept(self, describe: Callable[[], TierSource], name: str) -> Path | None:
        found = self._entry(describe, name)
        if found is None:
            return None
        with self._mutex:
            self._held.append(found[1])
            oldest = self._held.popleft() if len(self._held) > N_HELD else None
        if oldest is not None:
            os.close(oldest)
        return found[0]

    def _entry(self, describe: Callable[[], TierSource], name: str) -> tuple[Path, int] | None:
        """Path and handle of an entry; None where the source is to be read, for whatever reason."""
        try:
            source = describe()
        except (OSError, PZCenterError):
            # A source that cannot be looked at is for its reader to complain about.
            return None
        try:
            return self._found(source) or self._copied(source)
        except NoRoomError as error:
            self._count(bypassed=1)
            self._record(f"{name} is read from its source: {error}")
        except OSError as error:
            self._count(failures=1)
            self._record(f"{name} is read from its source, because the fast tier {self.root} failed: {error}")
        return None

    def _found(self, source: TierSource) -> tuple[Path, int] | None:
        found = self._entries.find(source)
        if found is not None:
            self._count(hits=1, bytes_hit=source.n_bytes)
        return found

    def _copied(self, source: TierSource) -> tuple[Path, int]:
        if source.n_bytes > self.quota_bytes:
            raise NoRoomError(f"its {source.n_bytes} bytes are more than the quota of {self.quota_bytes} bytes")
        with self._entries.copying(source):
            # Another process may have copied it while we waited.
            if (found := self._found(source)) is not None:
                return found
            path, handle, n_evicted = self._entries.add(source)
        self._count(misses=1, bytes_copied=source.n_bytes, evictions=n_evicted)
        return path, handle

    def _count(self, **more: int) -> None:
        with self._mutex:
            for name, number in more.items():
                setattr(self._statistics, name, getattr(self._statistics, name) + number)

    def _record(self, words: str) -> None:
        with self._mutex:
            self.faults.append(words)
        log.warning("fast tier: %s", words)


_tiers: dict[tuple[str, str], FastTier] = {}


def configured_tier() -> FastTier | None:
    """The tier that the environment names (:data:`TIER_VARIABLE`); None where it names none.

    A quota that cannot be understood is recorded, and the default taken.
    """
    root = os.environ.get(TIER_VARIABLE, "")
    if not root:
        return None
    quota = os.environ.get(QUOTA_VARIABLE) or DEFAULT_QUOTA
    if (root, quota) not in _tiers:
        try:
            _tiers[root, quota] = FastTier(root, quota)
        except ValueError as error:
            log.warning("%s: %s; taken is %s", QUOTA_VARIABLE, error, DEFAULT_QUOTA)
            _tiers[root, quota] = FastTier(root, DEFAULT_QUOTA)
    return _tiers[root, quota]


def _release_after_fork() -> None:
    # A child has the handles of its parent, whose locks must not last longer than the parent.
    for tier in _tiers.values():
        tier.release()


os.register_at_fork(after_in_child=_release_after_fork)


def local_copy(source: str | os.PathLike[str]) -> Path:
    """Path at which to read a local file, on the fast tier that the environment names where there is one.

    Never an error: where the tier is missing, full or broken, it is the source itself.

    Parameters
    ----------
    source : path or str
        Local path or ``file://`` URI.

    Returns
    -------
    Path
    """
    tier = configured_tier()
    return local_path(source) if tier is None else tier.local_copy(source)


def remote_copy(uri: str) -> Path | None:
    """Path of a file of an object store on the fast tier; None where there is no tier, or it failed."""
    tier = configured_tier()
    return None if tier is None else tier.remote_copy(uri)


def prefetch(sources: Iterable[str | os.PathLike[str]]) -> int:
    """Copy files to the fast tier that the environment names; the number that is there, 0 where there is no tier."""
    tier = configured_tier()
    return 0 if tier is None else tier.prefetch(sources)
