"""Which methods are installed: the entry points of the group ``pzcenter.estimators``.

A plug-in that cannot be imported, or is not an estimator, is listed with the reason and hides none of the others.
Methods with a colon in their name, ``rail:NAME``, are those of another framework, which knows what it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pzcenter.errors import ModelError, NotFoundError
from pzcenter.estimators.protocol import Declaration, Estimator, EstimatorConfig
from pzcenter.estimators.storage import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "ENTRY_POINT_GROUP",
    "RegisteredEstimator",
    "estimator_names",
    "get_estimator",
    "load_model",
    "registered_estimators",
]

ENTRY_POINT_GROUP = "pzcenter.estimators"
_RAIL = "rail:"
_METHODS = ("default", "train", "estimate", "save", "load")


@dataclass(frozen=True)
class RegisteredEstimator:
    """One entry point, whether it works or not.

    Parameters
    ----------
    name : str
        Of the method.
    origin : str
        ``module:class`` and, where known, the distribution it comes from.
    estimator : type or None
        The class; None when it cannot be used.
    problem : str
        Why it cannot be used; empty when it can.
    """

    name: str
    origin: str
    estimator: type[Estimator] | None
    problem: str = ""


def registered_estimators() -> tuple[RegisteredEstimator, ...]:
    """All entry points, by name, each imported; broken ones say why.

    Returns
    -------
    tuple of RegisteredEstimator
    """
    return tuple(_register(name, points) for name, points in _points_by_name().items())


def estimator_names() -> tuple[str, ...]:
    """Names of the methods that can be used, sorted.

    Returns
    -------
    tuple of str
    """
    return tuple(entry.name for entry in registered_estimators() if entry.estimator is not None)


def get_estimator(name: str) -> type[Estimator]:
    """Find the method of this name; only its own module is imported.

    Parameters
    ----------
    name : str
        As in :func:`estimator_names`, or ``rail:NAME``.

    Returns
    -------
    type
        A class that follows :class:`Estimator`.

    Raises
    ------
    NotFoundError
        No such method.
    ModelError
        The method is installed and broken; the message says how.
    MissingDependencyError
        A method of RAIL is asked for, and there is no RAIL.
    """
    if name.startswith(_RAIL):
        from pzcenter.estimators.rail import rail_estimator

        return rail_estimator(name)
    by_name = _points_by_name()
    if name not in by_name:
        raise NotFoundError(
            f"no estimator is called {name!r}; installed: {', '.join(by_name) or 'none'}, and those of RAIL as "
            f"{_RAIL}NAME"
        )
    entry = _register(name, by_name[name])
    if entry.estimator is None:
        raise ModelError(f"the estimator {name!r} ({entry.origin}) cannot be used: {entry.problem}")
    return entry.estimator


def load_model(directory: Path | str) -> Estimator:
    """Read a saved model of whatever method.

    Parameters
    ----------
    directory : Path or str
        Of the model.

    Returns
    -------
    Estimator

    Raises
    ------
    NotFoundError
        No model there, or its method is not installed.
    ModelError, ChecksumError
        The model must not be used.
    """
    manifest = read_manifest(directory)
    return get_estimator(manifest.estimator).load(directory)


def _points_by_name() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINT_GROUP):
        others = found.setdefault(point.name, [])
        # An editable and a regular install of one distribution give the same line twice.
        if all(point.value != other.value for other in others):
            others.append(point)
    return dict(sorted(found.items()))


def _register(name: str, points: list[EntryPoint]) -> RegisteredEstimator:
    origin = ", ".join(_origin(point) for point in points)
    if len(points) > 1:
        return RegisteredEstimator(name, origin, None, "two plug-ins use this name")
    try:
        loaded = points[0].load()
        problem = _what_is_missing(name, loaded)
    except Exception as error:  # noqa: BLE001 - a plug-in may fail in any way and must not take the others along
        return RegisteredEstimator(name, origin, None, f"{type(error).__name__}: {error}")
    return RegisteredEstimator(name, origin, None if problem else loaded, problem)


def _origin(point: EntryPoint) -> str:
    return point.value if point.dist is None else f"{point.value} of {point.dist.name} {point.dist.version}"


def _what_is_missing(name: str, loaded: Any) -> str:
    """Say why this object is not an estimator class; empty when it is one."""
    if not isinstance(loaded, type):
        return f"it is a {type(loaded).__name__}, not a class"
    absent = [method for method in _METHODS if not callable(getattr(loaded, method, None))]
    if absent:
        return f"it has no {', '.join(absent)}"
    if getattr(loaded, "name", None) != name:
        return f"its name is {getattr(loaded, 'name', None)!r}, not the entry point's"
    if not isinstance(getattr(loaded, "needs_training", None), bool):
        return "it does not say needs_training"
    config = getattr(loaded, "Config", None)
    if not (isinstance(config, type) and issubclass(config, EstimatorConfig)):
        return "its Config is not derived from EstimatorConfig"
    if not isinstance(getattr(loaded, "declaration", None), Declaration):
        return "it has no declaration of inputs and outputs"
    return ""
