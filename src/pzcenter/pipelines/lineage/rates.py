"""What an object costs on this installation, measured once and kept until something changes.

The figures are kept in the user's cache directory, in a file for each method, with the versions and the processor they
hold for. Where one of these differs, or where it is asked for, they are measured anew, which takes some seconds.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import platform
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pzcenter
from pzcenter.catalogs.storage import write_text_atomically
from pzcenter.estimators import model_digest

__all__ = ["Rates", "installation", "measured_rates", "rates_path"]

_PACKAGES = ("numpy", "numba", "pyarrow", "scipy")
FORMAT_VERSION = 1


@dataclass(frozen=True)
class Rates:
    """Costs of one object on one installation.

    Parameters
    ----------
    method : str
        Name of a method, or directory of a model.
    n_obj : int
        Objects of the partition that was measured.
    n_z : int
        Points of the redshift grid.
    bands : str
        Bands used, joined by commas.
    cpu_s : dict of str to float
        CPU seconds per object of each stage.
    bytes : dict of str to float
        Bytes per object of each table on disk; ``object`` counts the columns that are read.
    pdf_bytes : dict of str to dict
        For each encoding ``plain`` (code and row maximum, uncompressed) and ``disk`` (Parquet with ids and positions).
    checksum_cpu_s : float
        CPU seconds to take the SHA-256, per byte.
    memory_bytes, memory_bytes_per_object : float
        Of a worker without objects, and for each object of its partition.
    installation : dict of str to str
        Versions and processor that the figures hold for.
    measured : str
        When, in UTC.
    """

    method: str
    n_obj: int
    n_z: int
    bands: str
    cpu_s: dict[str, float]
    bytes: dict[str, float]
    pdf_bytes: dict[str, dict[str, float]]
    checksum_cpu_s: float
    memory_bytes: float
    memory_bytes_per_object: float
    installation: dict[str, str]
    measured: str

    def as_dict(self) -> dict[str, Any]:
        """As plain numbers and texts, for JSON."""
        return asdict(self)


def measured_rates(method: str = "template", *, measure: bool = False, n_obj: int | None = None) -> Rates:
    """Rates of this installation: those kept from an earlier call, or measured now.

    Parameters
    ----------
    method : str
        Name of a method, or directory of a trained model.
    measure : bool
        Measure even where there are figures.
    n_obj : int, optional
        Objects to measure on; the figures are then not kept.

    Returns
    -------
    Rates

    Raises
    ------
    NotFoundError, ModelError
        There is no such method or model.
    """
    from pzcenter.pipelines.lineage.measure import N_OBJ, measure_production

    here = installation(method)
    path = rates_path(here)
    if not measure and n_obj is None and (kept := _read(path, here)) is not None:
        return kept
    # A process of its own: its peak memory is that of the work, and nothing is warm that would not be in a worker.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        figures = pool.submit(measure_production, method, n_obj=n_obj or N_OBJ).result()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    rates = Rates(method=method, installation=here, measured=now, **figures)
    if n_obj is None:
        _keep(path, rates)
    return rates


def installation(method: str) -> dict[str, str]:
    """Everything that, when it changes, makes kept figures worthless.

    Parameters
    ----------
    method : str
        Name of a method, or directory of a model, whose digest then counts.

    Returns
    -------
    dict of str to str
    """
    model = Path(method)
    return {
        "format": str(FORMAT_VERSION),
        "method": model_digest(model) if model.is_dir() else method,
        "pzcenter": pzcenter.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "processor": _processor(),
    }


def rates_path(here: dict[str, str]) -> Path:
    """File in which the figures of an installation are kept.

    Parameters
    ----------
    here : dict of str to str
        From :func:`installation`.

    Returns
    -------
    Path
        Below ``$XDG_CACHE_HOME``, or ``~/.cache``.
    """
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    key = hashlib.sha256(json.dumps(here, sort_keys=True).encode()).hexdigest()[:16]
    return Path(base) / "pzcenter" / f"rates-{key}.json"


def _read(path: Path, here: dict[str, str]) -> Rates | None:
    """Kept figures; None where there are none, or they cannot be used."""
    try:
        rates = Rates(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return rates if rates.installation == here else None


def _keep(path: Path, rates: Rates) -> None:
    """Keep the figures; a cache that cannot be written costs no more than the next measurement."""
    try:
        write_text_atomically(path, json.dumps(rates.as_dict(), indent=1) + "\n")
    except OSError:
        return


def _processor() -> str:
    """Name of the processor, as far as the system says it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
