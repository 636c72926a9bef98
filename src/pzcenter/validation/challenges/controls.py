"""The controls of a challenge: trained on each scenario, and handed in like any other submission."""

from __future__ import annotations

import math
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from pzcenter.catalogs import Journal, photometry_of
from pzcenter.errors import PZCenterError
from pzcenter.validation.control import run_controls
from pzcenter.validation.submissions.qp_writing import write_interp

from .records import Refusal
from .submitting import submit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.validation.control import Control

    from .layout import Challenge

__all__ = ["CONTROL_AUTHOR", "add_controls", "control_grid"]

CONTROL_AUTHOR = "control"


def add_controls(challenge: Challenge) -> tuple[str, ...]:
    """Train and hand in the controls that are not there.

    Parameters
    ----------
    challenge : Challenge

    Returns
    -------
    tuple of str
        Controls that could not be made, with the reason; they are recorded as refused and stop nothing.
    """
    there = {record.method for record in challenge.submissions() if record.kind == "control"}
    refused = []
    for name in challenge.settings.scoring.controls:
        if name in there:
            continue
        with tempfile.TemporaryDirectory(prefix="pz-control-") as scratch:
            try:
                files, technical = _make(challenge, name, Path(scratch))
                submit(
                    challenge, files, name=name, author=CONTROL_AUTHOR, method=name, technical=technical, kind="control"
                )
            except PZCenterError as error:
                _record(challenge, name, error)
                refused.append(f"{name}: {error}")
    return tuple(refused)


def _make(challenge: Challenge, name: str, scratch: Path) -> tuple[dict[str, Path], dict[str, float]]:
    files: dict[str, Path] = {}
    made: list[Control] = []
    for scenario in challenge.settings.scenario_names:
        control = _run(challenge, scenario, name)
        files[scenario] = scratch / f"{scenario}.hdf5"
        _write(files[scenario], control)
        made.append(control)
    n_obj = sum(control.technical.n_obj for control in made)
    technical = {
        "train_s": sum(control.technical.train_s for control in made),
        "estimate_ms": 1e3 * sum(control.technical.estimate_s for control in made) / n_obj,
        "peak_gb": max(control.technical.peak_bytes for control in made) / 1e9,
    }
    return files, technical


def _run(challenge: Challenge, scenario: str, name: str) -> Control:
    table = pq.read_table(challenge.training_path(scenario), partitioning=None)
    z_spec = np.asarray(table.column("z_spec").to_numpy(), dtype=np.float64)
    known = np.flatnonzero(np.isfinite(z_spec))
    training = photometry_of(table).select(known)
    test = photometry_of(pq.read_table(challenge.test_path(scenario), partitioning=None))
    shared = tuple(band for band in training.bands if band in test.bands)
    (control,) = run_controls(
        training.with_bands(shared),
        z_spec[known],
        test.with_bands(shared),
        names=(name,),
        z_grid=control_grid(float(z_spec[known].max())),
    )
    return control


def control_grid(z_max: float) -> NDArray[np.float64]:
    """Up to 3, or as far as the training set reaches, in steps of 0.01."""
    return np.linspace(0.0, last := max(3.0, math.ceil(10 * z_max + 1e-9) / 10), round(100 * last) + 1)


def _write(path: Path, control: Control) -> None:
    ancil: dict[str, Any] = {"object_id": control.object_id}
    write_interp(path, control.pz.z_grid, [(control.pz.pdf, ancil)], n_rows=control.pz.n_obj)


def _record(challenge: Challenge, name: str, error: PZCenterError) -> None:
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    refusal = Refusal(name, CONTROL_AUTHOR, name, moment, {}, error.code, str(error))
    Journal(challenge.refused_path).append(asdict(refusal))
