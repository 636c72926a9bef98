"""The single checks of ``pz doctor``; each finds out one thing and never raises."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pzcenter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pzcenter.science.engines import TemplateProblem

__all__ = ["Check", "examine"]

OK, WARN, FAIL = "ok", "warn", "fail"
OLDEST_PYTHON = (3, 11)
FEW_BYTES_DISK, FEW_BYTES_MEMORY = 2e9, 2e9
DEVELOPERS_EXTRAS = {"test", "reference"}
TOLERANCE = 1e-3
"""Between the densities of two engines, as a fraction of the highest density."""


@dataclass(frozen=True)
class Check:
    """One finding.

    Parameters
    ----------
    name : str
    result : str
        ``ok``, ``warn`` or ``fail``.
    found : str
    advice : str
        What to do; empty when all is well.
    """

    name: str
    result: str
    found: str
    advice: str = ""


def examine() -> list[Check]:
    """Make all checks.

    Returns
    -------
    list of Check
    """
    steps: list[Callable[[], Iterator[Check]]] = [_python, _packages, _engines, _methods, _machine, _terminal]
    checks = []
    for step in steps:
        try:
            checks += list(step())
        except Exception as error:  # noqa: BLE001 - a check that breaks is a finding
            name = step.__name__.strip("_")
            checks.append(Check(name, FAIL, f"{type(error).__name__}: {error}", "please report this"))
    return checks


def _python() -> Iterator[Check]:
    yield Check("pzcenter", OK, f"{pzcenter.__version__} in {Path(pzcenter.__file__).parent}")
    version = sys.version_info[:2]
    oldest = ".".join(map(str, OLDEST_PYTHON))
    result, advice = (OK, "") if version >= OLDEST_PYTHON else (FAIL, f"Python {oldest} or newer is needed")
    yield Check("Python", result, f"{platform.python_version()} on {platform.system()} {platform.machine()}", advice)


def _packages() -> Iterator[Check]:
    """Requirements of the package: the needed ones together, each extra by itself."""
    missing: dict[str, list[str]] = {}
    found: dict[str, list[str]] = {}
    for line in metadata.requires("pzcenter") or []:
        name = re.split(r"[\s\[<>=!~;(]", line, maxsplit=1)[0]
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)", line)
        group = extra[1] if extra else ""
        try:
            found.setdefault(group, []).append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.setdefault(group, []).append(name)
    for group in sorted({*found, *missing} - DEVELOPERS_EXTRAS):
        there, absent = found.get(group, []), missing.get(group, [])
        name = f"extra '{group}'" if group else "needed packages"
        if not absent:
            shown = ", ".join(there) if group else f"{len(there)} present: {', '.join(there)}"
            yield Check(name, OK, shown)
        elif group:
            yield Check(
                name, WARN, f"not there: {', '.join(absent)}", f"where you need it: pip install 'pzcenter[{group}]'"
            )
        else:
            yield Check(name, FAIL, f"missing: {', '.join(absent)}", f"pip install {' '.join(absent)}")


def _engines() -> Iterator[Check]:
    """Fit a tiny problem on each engine, and compare with the reference engine."""
    import numpy as np

    from pzcenter.science.engines import engine_names, get_engine

    problem = _tiny_problem()
    rng = np.random.default_rng(0)
    flux = (1000 * rng.lognormal(0, 0.5, (50, problem.model_flux.shape[1]))).astype(np.float32)
    flux_err = np.full_like(flux, 30.0)
    mag = np.full(flux.shape[0], 23.0)
    oracle = get_engine("numpy").fit(problem, flux, flux_err, mag).pdf
    scale = np.nanmax(oracle, axis=1, keepdims=True)
    for name in engine_names():
        begin = time.perf_counter()
        pdf = get_engine(name).fit(problem, flux, flux_err, mag).pdf
        seconds = time.perf_counter() - begin
        worst = float(np.max(np.abs(pdf - oracle) / scale))
        words = f"largest difference {worst:.1e} of the highest density, {seconds:.1f} s with compilation"
        if name == "numpy":
            yield Check("engine numpy", OK, "the reference")
        elif worst < TOLERANCE:
            yield Check(f"engine {name}", OK, words)
        else:
            yield Check(
                f"engine {name}", FAIL, words, "do not use it, and report this: --set engine=numpy is slower and right"
            )
    if "numba" not in engine_names():
        yield Check("engine numba", WARN, "not there, the reference engine is slow", "pip install numba")


def _tiny_problem() -> TemplateProblem:
    import numpy as np

    from pzcenter.science.engines import TemplateProblem

    rng = np.random.default_rng(1)
    z_grid = np.linspace(0.0, 2.0, 41)
    return TemplateProblem(
        model_flux=rng.lognormal(0, 0.5, (3, 5, z_grid.size)).astype(np.float32),
        z_grid=z_grid,
        log_prior=np.zeros((1, 1, z_grid.size), dtype=np.float32),
        prior_mag_min=23.0,
        prior_mag_step=1.0,
        template_type=np.zeros(3, dtype=np.int64),
        relative_err=np.full(5, 0.05),
        template_err=None,
        marginalise_amplitude=False,
        p_min=0.0,
    )


def _methods() -> Iterator[Check]:
    from pzcenter.estimators import registered_estimators

    for entry in registered_estimators():
        if entry.estimator is None:
            yield Check(f"method {entry.name}", FAIL, entry.problem, f"mend or remove {entry.origin}")
    names = [entry.name for entry in registered_estimators() if entry.estimator is not None]
    yield Check("methods", OK if names else FAIL, ", ".join(names) or "none", "" if names else "install pzcenter again")


def _machine() -> Iterator[Check]:
    import psutil

    from pzcenter.cli.screen import bytes_text

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Check("processors", OK, f"{allowed} for this process")
    memory = psutil.virtual_memory()
    words = f"{bytes_text(memory.available)} of {bytes_text(memory.total)} free"
    little = memory.available < FEW_BYTES_MEMORY
    yield Check("memory", WARN if little else OK, words, "use fewer --workers; each takes up to 1 GB" if little else "")
    free = shutil.disk_usage(Path.cwd()).free
    little = free < FEW_BYTES_DISK
    words = f"{bytes_text(free)} free in this directory"
    yield Check("disk", WARN if little else OK, words, "a million objects take about 250 MB" if little else "")
    writable = os.access(Path.cwd(), os.W_OK)
    if not writable:
        yield Check("directory", WARN, f"{Path.cwd()} cannot be written to", "go to another directory, or name one")


def _terminal() -> Iterator[Check]:
    from pzcenter.cli.screen import stderr

    console = stderr()
    kind = f"{console.width} columns" if console.is_terminal else "none: progress is shown as lines"
    colour = "colours" if console.color_system and not console.no_color else "no colours"
    yield Check("terminal", OK, f"{kind}, {colour}")
