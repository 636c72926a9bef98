"""Stress tests: one test set, and training sets that lack something: scenarios of a challenge, or for one method."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from pzcenter.catalogs import photometry_of, write_partition
from pzcenter.catalogs.columns import float_column
from pzcenter.catalogs.storage import storage_errors, write_text_atomically
from pzcenter.errors import ConfigError, OutputExistsError, PZCenterError
from pzcenter.training.degradations import degrade
from pzcenter.validation.challenges.controls import control_grid
from pzcenter.validation.challenges.settings import ScenarioSettings
from pzcenter.validation.challenges.sources import read_sources
from pzcenter.validation.control import run_controls
from pzcenter.validation.metric_suite import overall_rows
from pzcenter.validation.streamed_metrics import score_chunks

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    import pyarrow as pa

    from pzcenter.training.degradations import Degradation

__all__ = ["STRESS_METRICS", "StressResult", "read_stress_sources", "run_stress_tests", "write_stress_challenge"]

STRESS_METRICS = ("bias", "sigma_nmad", "outlier_fraction", "pit_ks", "cde_loss", "crps")
"""Those that are printed; all are in the file."""


@dataclass(frozen=True)
class StressResult:
    """What a method gives after one degradation.

    Parameters
    ----------
    name, meaning : str
        Of the degradation.
    n_train : int
        Rows of the training set.
    n_test : int
        Objects that were scored.
    values : dict of str to (float, float)
        Value and error of every metric of z_best and p(z).
    failure : str
        Why there are none.
    """

    name: str
    meaning: str
    n_train: int
    n_test: int
    values: dict[str, tuple[float, float]]
    failure: str = ""


def read_stress_sources(source: str | os.PathLike[str], test: str | os.PathLike[str] | None = None) -> dict[str, Any]:
    """Training and test table.

    Parameters
    ----------
    source : path
        Standard set, training set that is split, or, with ``test``, a table of training objects.
    test : path, optional

    Returns
    -------
    dict of str to pa.Table
        ``training``, ``test``, and ``validation`` where there is one.

    Raises
    ------
    NotFoundError
        There is no such file.
    """
    if test is None:
        scenario = ScenarioSettings(name="stress", set=str(source))
    else:
        scenario = ScenarioSettings(name="stress", training=str(source), test=str(test))
    return read_sources(scenario, Path())


def write_stress_challenge(
    sources: dict[str, pa.Table],
    degradations: Sequence[Degradation],
    directory: str | os.PathLike[str],
    *,
    name: str = "stress",
) -> Path:
    """Write the degraded sets, and settings with which ``pz challenge create`` makes scenarios of them.

    Parameters
    ----------
    sources : dict of str to pa.Table
        ``training`` and ``test``.
    degradations : sequence of Degradation
    directory : path
        New. It holds true redshifts, so that only its owner can read it.
    name : str
        Of the challenge.

    Returns
    -------
    Path
        ``challenge.yaml``.

    Raises
    ------
    OutputExistsError
        The directory has something in it.
    EmptyTableError, BandError, ColumnError
        A degradation cannot be made.
    """
    root = Path(directory)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputExistsError(f"{root} has something in it; name a new directory")
    made = {each.name: degrade(sources["training"], each) for each in degradations}
    with storage_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o700)
    write_partition(sources["test"], root, "test.parquet")
    for variant, table in made.items():
        write_partition(table, root, f"{variant}.parquet")
    (root / ".tmp").rmdir()
    scenarios = [
        {"name": each.name, "title": each.meaning, "training": f"{each.name}.parquet", "test": "test.parquet"}
        for each in degradations
    ]
    path = root / "challenge.yaml"
    settings = {"name": name, "title": "Degraded training sets", "scenarios": scenarios}
    write_text_atomically(path, yaml.safe_dump(settings, sort_keys=False))
    return path


def run_stress_tests(
    sources: dict[str, pa.Table],
    degradations: Sequence[Degradation],
    method: str,
    *,
    path: str | os.PathLike[str] | None = None,
    n_bootstrap: int = 100,
    seed: int = 0,
) -> tuple[StressResult, ...]:
    """Train a method on each degraded set and score it on the test set.

    Parameters
    ----------
    sources : dict of str to pa.Table
        ``training`` and ``test``.
    degradations : sequence of Degradation
    method : str
        Name of an estimator.
    path : path, optional
        JSON file to write the results to.
    n_bootstrap : int
        Resamples for the errors.
    seed : int

    Returns
    -------
    tuple of StressResult
        In the order of the degradations; one that fails does not stop the others.

    Raises
    ------
    NotFoundError
        No such method.
    ConfigError
        The test set has no redshifts.
    """
    from pzcenter.estimators import get_estimator

    get_estimator(method)
    if not np.isfinite(float_column(sources["test"].column("z_spec"))).any():
        raise ConfigError("the test set has no redshifts to score with")
    results = tuple(_result(sources, each, method, n_bootstrap, seed) for each in degradations)
    if path is not None:
        content = {"method": method, "results": [asdict(result) for result in results]}
        text = json.dumps(_plain(content), indent=1, allow_nan=False, ensure_ascii=False)
        write_text_atomically(Path(path), text + "\n")
    return results


def _result(
    sources: dict[str, pa.Table], degradation: Degradation, method: str, n_bootstrap: int, seed: int
) -> StressResult:
    n_train = 0
    try:
        table = degrade(sources["training"], degradation)
        n_train = table.num_rows
        n_test, values = _scored(table, sources["test"], method, n_bootstrap, seed)
    except PZCenterError as error:
        return StressResult(degradation.name, degradation.meaning, n_train, 0, {}, str(error))
    return StressResult(degradation.name, degradation.meaning, n_train, n_test, values)


def _scored(
    table: pa.Table, test: pa.Table, method: str, n_bootstrap: int, seed: int
) -> tuple[int, dict[str, tuple[float, float]]]:
    z_train = float_column(table.column("z_spec"))
    known = np.flatnonzero(np.isfinite(z_train))
    training, objects = photometry_of(table).select(known), photometry_of(test)
    shared = tuple(band for band in training.bands if band in objects.bands)
    (control,) = run_controls(
        training.with_bands(shared),
        z_train[known],
        objects.with_bands(shared),
        names=(method,),
        z_grid=control_grid(float(z_train[known].max())),
    )
    scores = score_chunks([control.chunk(float_column(test.column("z_spec")))])
    rows = overall_rows(scores, n_bootstrap=n_bootstrap, seed=seed)
    return scores.n_obj, {row.metric: (row.value, row.error) for row in rows if row.point in ("z_best", "pdf")}


def _plain(content: Any) -> Any:
    if isinstance(content, float):
        return content if np.isfinite(content) else None
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return content
