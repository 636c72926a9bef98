"""Models that this process has loaded already, so that one worker reads them once and not once for every tract."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pzcenter.estimators import ModelSet

__all__ = ["MAX_LOADED", "forget_models", "loaded_models"]

MAX_LOADED = 2
"""Sets of models kept; a process rarely needs more than those of one method."""

_LOADED: OrderedDict[str, ModelSet] = OrderedDict()
_LOCK = threading.Lock()


def loaded_models(key: str, load: Callable[[], ModelSet]) -> ModelSet:
    """Give a set of models, loaded at the first call with this key.

    Parameters
    ----------
    key : str
        Identity of the content: the id of the dataset, or the settings that the models are made from.
    load : callable
        Reads or makes the models; what it raises goes to the caller, and the next call tries again.

    Returns
    -------
    ModelSet
        The same object for the same key.
    """
    with _LOCK:
        if key not in _LOADED:
            _LOADED[key] = load()
        _LOADED.move_to_end(key)
        while len(_LOADED) > MAX_LOADED:
            _LOADED.popitem(last=False)
        return _LOADED[key]


def forget_models() -> None:
    """Drop all loaded models."""
    with _LOCK:
        _LOADED.clear()
