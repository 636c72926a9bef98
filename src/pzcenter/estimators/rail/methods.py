"""Which methods RAIL has, and the class of each: made from what RAIL says of its stages."""

from __future__ import annotations

import difflib
import re
from functools import cache

from pzcenter.errors import NotFoundError
from pzcenter.estimators.rail.estimator import FAMILY, RailEstimator
from pzcenter.estimators.rail.parameters import RailMethod, config_class
from pzcenter.estimators.rail.process import rail_process
from pzcenter.estimators.rail.settings import RailSettings

__all__ = ["rail_estimator", "rail_names"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def rail_names() -> tuple[str, ...]:
    """Names of the methods that RAIL's interpreter has, as ``rail:NAME``; nothing of theirs is imported.

    Returns
    -------
    tuple of str

    Raises
    ------
    MissingDependencyError
        There is no RAIL.
    """
    limits = RailSettings.from_environment()
    answer, _ = rail_process(limits).ask({"command": "list"}, within_s=limits.start_s, doing="listing the methods")
    return tuple(f"{FAMILY}:{name}" for name in answer["methods"])


def rail_estimator(name: str) -> type[RailEstimator]:
    """The class of a method of RAIL.

    Parameters
    ----------
    name : str
        ``rail:NAME``, where RAIL has ``NAMEInformer`` and ``NAMEEstimator``.

    Returns
    -------
    type
        A class that follows :class:`pzcenter.estimators.Estimator`.

    Raises
    ------
    NotFoundError
        RAIL has no such pair; the message names the nearest.
    MissingDependencyError
        There is no RAIL, or the method lacks a package.
    """
    return _made(name, RailSettings.from_environment().python)


@cache
def _made(name: str, python: str) -> type[RailEstimator]:
    """One class for each method and interpreter: settings are of the class that made them."""
    del python  # that of the settings
    limits = RailSettings.from_environment()
    short = name.removeprefix(f"{FAMILY}:")
    if not _NAME.fullmatch(short):
        raise NotFoundError(f"{name!r} is not the name of a method of RAIL; such as {FAMILY}:FlexZBoost")
    try:
        answer, _ = rail_process(limits).ask(
            {"command": "describe", "method": short}, within_s=limits.start_s, doing=f"importing {name}"
        )
    except NotFoundError as error:
        raise NotFoundError(_nearest(short, str(error).split(", "), limits)) from None
    method = RailMethod.from_answer(short, answer)
    members = {
        "name": f"{FAMILY}:{short}",
        "method": method,
        "Config": config_class(method),
        "__doc__": f"RAIL's {short}: {method.words or 'it does not say what it does'}",
        "__module__": __name__,
    }
    return type(f"Rail{short}Estimator", (RailEstimator,), members)


def _nearest(short: str, names: list[str], limits: RailSettings) -> str:
    """Message for a name that RAIL does not have."""
    wanted = short.lower()
    lower = {name.lower(): name for name in names}
    # KNN for KNearNeigh: the initials; and what a name holds, or is held by.
    alike = [name for name in names if wanted == "".join(re.findall("[A-Z]", name)).lower()]
    alike += [name for key, name in lower.items() if wanted in key or key in wanted]
    alike += [lower[key] for key in difflib.get_close_matches(wanted, lower, n=3)]
    meant = " or ".join(f"{FAMILY}:{name}" for name in dict.fromkeys(alike))
    there = ", ".join(f"{FAMILY}:{name}" for name in names) or "none"
    question = f"Do you mean {meant}? " if meant else ""
    return f"no method {FAMILY}:{short} in {limits.python or 'this Python'}. {question}Installed: {there}"
