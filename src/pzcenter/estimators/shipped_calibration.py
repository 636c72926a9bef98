"""Calibrations of template sets that come with the package, as data; ``data/calibrations`` tells how they are made."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from pzcenter.errors import ChecksumError, NotFoundError
from pzcenter.science.calibration import TemplateCalibration

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DEFAULT_CALIBRATION", "ShippedCalibration", "calibration_names", "load_calibration", "write_calibration"]

DEFAULT_CALIBRATION = "dc2"
_ARRAYS_FILE, _FACTS_FILE = "arrays.safetensors", "calibration.yaml"


@dataclass(frozen=True, eq=False)
class ShippedCalibration:
    """A calibration with its origin.

    Parameters
    ----------
    calibration : TemplateCalibration
    template_set : str
        That was calibrated.
    facts : dict
        Origin: sample, checksum, settings, code version.
    """

    calibration: TemplateCalibration
    template_set: str
    facts: dict[str, Any]


def calibration_names() -> tuple[str, ...]:
    """Names of the calibrations that come with the package, sorted."""
    folder = resources.files("pzcenter") / "data" / "calibrations"
    return tuple(sorted(entry.name for entry in folder.iterdir() if (entry / _FACTS_FILE).is_file()))


@cache
def load_calibration(name: str) -> ShippedCalibration:
    """Calibration by name.

    Parameters
    ----------
    name : str
        One of :func:`calibration_names`.

    Returns
    -------
    ShippedCalibration

    Raises
    ------
    NotFoundError
        No calibration of this name.
    ChecksumError
        The installed file is damaged.
    """
    if name not in calibration_names():
        raise NotFoundError(f"no calibration {name!r}; there are none, {', '.join(calibration_names())}")
    folder = resources.files("pzcenter") / "data" / "calibrations" / name
    facts: dict[str, Any] = yaml.safe_load((folder / _FACTS_FILE).read_text(encoding="utf-8"))
    content = (folder / _ARRAYS_FILE).read_bytes()
    if hashlib.sha256(content).hexdigest() != facts["sha256"]:
        raise ChecksumError(f"calibration {name!r}: {_ARRAYS_FILE} is not the file that its description names")
    arrays = {key: array.astype(np.float64) for key, array in load_arrays(content).items()}
    calibration = TemplateCalibration(
        **arrays, analytic_fraction=float(facts["analytic_fraction"]), n_between=int(facts["n_between"])
    )
    return ShippedCalibration(calibration, str(facts["template_set"]), facts)


def write_calibration(
    directory: Path, calibration: TemplateCalibration, *, template_set: str, facts: dict[str, Any]
) -> None:
    """Write a calibration in the form that :func:`load_calibration` reads.

    Parameters
    ----------
    directory : Path
        Made where it is missing; files of an earlier one are replaced.
    calibration : TemplateCalibration
        Stored with the prior in half precision.
    template_set : str
        That was calibrated.
    facts : dict
        Origin, as plain values.
    """
    arrays = {
        field.name: np.ascontiguousarray(value, dtype=np.float16 if field.name == "log_prior" else np.float32)
        for field in fields(calibration)
        if isinstance(value := getattr(calibration, field.name), np.ndarray)
    }
    content = save_arrays(arrays)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / _ARRAYS_FILE).write_bytes(content)
    described = {
        "template_set": template_set,
        "n_between": calibration.n_between,
        "analytic_fraction": calibration.analytic_fraction,
        "sha256": hashlib.sha256(content).hexdigest(),
        **facts,
    }
    (directory / _FACTS_FILE).write_text(yaml.safe_dump(described, sort_keys=False), encoding="utf-8")
