"""Buckets of tokens: how often each of many may do something in a while."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

__all__ = ["Buckets", "Remembered"]

MOST_KEYS = 100_000
"""About 20 MB; those that were not asked for longest are forgotten first."""


class Buckets:
    """One bucket for each key, which fills at its rate and from which each act takes one token.

    The buckets are kept in the memory of one process: a site with several workers has as many sets of them.

    Parameters
    ----------
    clock : callable
        Seconds, never going back.
    most : int
        Keys that are kept.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, most: int = MOST_KEYS) -> None:
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable, *, per_minute: float) -> float:
        """Take one token out of a bucket.

        Parameters
        ----------
        key : hashable
        per_minute : float
            Rate, and what a full bucket holds.

        Returns
        -------
        float
            0: taken; otherwise the seconds until there is one again.
        """
        at = self._clock()
        with self._lock:
            left = self._left(key, at, per_minute)
            taken = left >= 1.0
            self._kept[key] = (left - 1.0 if taken else left, at)
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return 0.0 if taken else (1.0 - left) * 60.0 / per_minute

    def fill(self, key: Hashable) -> None:
        """Fill a bucket again."""
        with self._lock:
            self._kept.pop(key, None)

    def _left(self, key: Hashable, at: float, per_minute: float) -> float:
        if key not in self._kept:
            return max(1.0, per_minute)
        left, before = self._kept[key]
        return min(max(1.0, per_minute), left + (at - before) * per_minute / 60.0)

    def __len__(self) -> int:
        return len(self._kept)


class Remembered:
    """Things that were seen; those not seen for longest are forgotten first.

    Parameters
    ----------
    most : int
        How many are kept.
    """

    def __init__(self, *, most: int = MOST_KEYS) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, thing: Hashable) -> None:
        """Remember a thing."""
        with self._lock:
            self._kept[thing] = None
            self._kept.move_to_end(thing)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def has(self, thing: Hashable) -> bool:
        """Whether a thing is remembered."""
        return thing in self._kept
