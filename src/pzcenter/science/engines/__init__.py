"""Engines of the template fit: the same equations on different machines, behind one interface.

To add one, write a class with a ``name`` and the ``fit`` of :class:`TemplateEngine`, and name it in ``_ENGINES``. The
tests in ``tests/unit/science/test_engines.py`` then run on it without a change.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from pzcenter.errors import MissingDependencyError, NotFoundError
from pzcenter.science.engines.problem import TemplateEngine, TemplateFit, TemplateProblem

__all__ = ["TemplateEngine", "TemplateFit", "TemplateProblem", "engine_names", "get_engine"]

_ENGINES = {
    "numba": ("pzcenter.science.engines.numba_engine", "NumbaEngine"),
    "numpy": ("pzcenter.science.engines.numpy_engine", "NumpyEngine"),
}
"""Module and class by name, fastest first. A module is imported when its engine is asked for."""


def engine_names() -> tuple[str, ...]:
    """Names of the engines that can run here, fastest first."""
    return tuple(name for name in _ENGINES if _is_present(name))


@cache
def get_engine(name: str = "auto") -> TemplateEngine:
    """Engine by name.

    Parameters
    ----------
    name : str
        One of :func:`engine_names`, or ``"auto"`` for the fastest.

    Returns
    -------
    TemplateEngine

    Raises
    ------
    NotFoundError
        There is no engine of this name.
    MissingDependencyError
        The engine exists, but a package that it needs is not installed.
    """
    if name == "auto":
        return get_engine(engine_names()[0])
    if name not in _ENGINES:
        raise NotFoundError(f"no template engine {name!r}; there are: auto, {', '.join(_ENGINES)}")
    module, cls = _ENGINES[name]
    try:
        engine: TemplateEngine = getattr(import_module(module), cls)()
    except ImportError as error:
        raise MissingDependencyError(f"the template engine {name!r} needs {error.name!r}, not installed") from error
    return engine


def _is_present(name: str) -> bool:
    try:
        get_engine(name)
    except MissingDependencyError:
        return False
    return True
