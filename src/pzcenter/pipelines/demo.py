"""The whole main line on a sky of its own: for a first look, and as a check of an installation.

simulated sky -> skinny table -> calibrated template model -> p(z) -> PZ table -> metrics, figures and report. Each step
leaves its product in a folder of its own, and a demo that was stopped goes on with the first step that is not done.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import yaml

import pzcenter
from pzcenter.catalogs import make_skinny, write_partition
from pzcenter.catalogs.storage import write_text_atomically
from pzcenter.errors import ConfigError, OutputExistsError
from pzcenter.estimators import load_model
from pzcenter.pipelines.main_line import estimate_catalog
from pzcenter.pipelines.sky import simulate_sky
from pzcenter.pipelines.train import train_model
from pzcenter.pipelines.truth import KnownRedshifts, read_redshifts
from pzcenter.simulation import SimulationConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pzcenter.validation import MetricTable

__all__ = ["MIN_OBJECTS", "DemoReport", "run_demo"]

METHOD = "template"
MIN_OBJECTS = 1000
"""Fewer leave too few redshifts to calibrate on and to test with."""
N_REDSHIFTS = 1800
"""Representative redshifts to aim for; half of them go into the calibration."""
Z_GRID = (0.0, 6.0, 601)
"""Of the densities: a ten-year sky has galaxies up to the simulation's limit of 6."""
ROWS_PER_TRACT = 50_000
ROWS_PER_PARTITION = 20_000
GOLD_MAG = 25.3
"""Limit in the i band of the sample that LSST's cosmology is designed on (LSST Science Book, section 3.7.2)."""

TITLE = f"Photometric redshifts of a simulated sky, i < {GOLD_MAG:g}"

RECORD_NAME = "demo.json"
TRAINING_NAME = "training_redshifts.parquet"
SKY, MODEL, RUN = "sky", "model", "run"


@dataclass(frozen=True)
class DemoReport:
    """What the demo made.

    Parameters
    ----------
    destination : Path
    counts : dict of str to int
        Objects at each step.
    metrics : MetricTable
        Of the galaxies that the model was not calibrated on, against their true redshifts.
    paths : dict of str to Path
        Every product, by name.
    rates : dict of str to float
        ``wall_s`` of this call, and ``objects_per_cpu_s`` of the estimate.
    resumed : tuple of str
        Steps that an earlier call had finished.
    """

    destination: Path
    counts: dict[str, int]
    metrics: MetricTable
    paths: dict[str, Path]
    rates: dict[str, float] = field(default_factory=dict)
    resumed: tuple[str, ...] = ()


def run_demo(
    destination: str | os.PathLike[str],
    *,
    n_obj: int = 100_000,
    seed: int = 1,
    years: float = 10.0,
    workers: int | None = None,
    overwrite: bool = False,
    config: Mapping[str, Any] | None = None,
    command: Sequence[str] | None = None,
    progress: Callable[[str, float, str], None] | None = None,
) -> DemoReport:
    """Make a sky, estimate the redshifts of its objects, and hold them against the truth.

    The model is the template fit, calibrated on half of the sky's representative redshift sample. The other half and
    all other galaxies, whose redshifts only the simulation knows, are the test. Call it from a script below
    ``if __name__ == "__main__":``, because the workers are new processes.

    Parameters
    ----------
    destination : path
        Directory to make.
    n_obj : int
        Objects, stars included.
    seed : int
        Of the sky; the same seed gives the same sky and the same PZ table.
    years : float
        Of survey, which set the depth.
    workers : int, optional
        Processes; one per processor by default.
    overwrite : bool
        Replace a demo that is there.
    config : mapping, optional
        Settings of the template fit in place of its defaults.
    command : sequence of str, optional
        For the provenance; this process's by default.
    progress : callable, optional
        Called with the step (``simulate``, ``skinny``, ``train``, ``estimate``, ``validate``), the fraction of it
        that is done, and words.

    Returns
    -------
    DemoReport

    Raises
    ------
    ConfigError
        Fewer objects than ``MIN_OBJECTS``, or a setting that is not accepted.
    OutputExistsError
        The destination holds a finished demo, one of other settings, or something else.
    StorageError
        The disk refused.
    """
    begin = time.monotonic()
    if n_obj < MIN_OBJECTS:
        raise ConfigError(f"a demo needs at least {MIN_OBJECTS} objects, to calibrate and to test; got {n_obj}")
    root = Path(destination)
    n_worker = workers or os.cpu_count() or 1
    tell = progress or (lambda _step, _fraction, _text: None)
    settings = {
        "n_obj": n_obj, "seed": seed, "years": years, "config": dict(config or {}), "pzcenter": pzcenter.__version__,
    }  # fmt: skip
    _open(root, settings, overwrite=overwrite)
    sky, model, run = (root / name for name in (SKY, MODEL, RUN))
    resumed = tuple(folder.name for folder in (sky, model) if folder.is_dir())

    if not sky.is_dir():
        share = min(1.0, max(SimulationConfig().representative_fraction, N_REDSHIFTS / n_obj))
        tell("simulate", 0.0, "drawing galaxies")
        simulate_sky(
            sky,
            n_obj=n_obj,
            seed=seed,
            workers=n_worker,
            config=SimulationConfig(years=years, representative_fraction=share, rows_per_tract=ROWS_PER_TRACT),
            progress=lambda done, text: tell("simulate", done, text),
        )
    # The run's own skinny table, made before it, because the calibration needs it too.
    skinny = run / "skinny"
    tell("skinny", 0.0, "reading")
    cut = make_skinny(
        sky / "object",
        skinny,
        rows_per_partition=ROWS_PER_PARTITION,
        resume=True,
        command=command,
        progress=lambda done, text: tell("skinny", done, text),
    )
    training = write_training_half(sky / "specz_representative.parquet", root / TRAINING_NAME)
    if not model.is_dir():
        tell("train", 0.0, "reading")
        train_model(
            skinny,
            model,
            METHOD,
            redshifts=root / TRAINING_NAME,
            config=config,
            z_grid=np.linspace(*Z_GRID),
            progress=lambda done, text: tell("train", done, text),
        )
    made = estimate_catalog(
        sky / "object",
        run,
        rows_per_partition=ROWS_PER_PARTITION,
        model=model,
        truth=sky / "truth",
        training_ids=training.object_id,
        mag_max=GOLD_MAG,
        workers=n_worker,
        title=TITLE,
        command=command,
        progress=lambda step, done, text: None if step == "skinny" else tell(step, done, text),
    )
    assert made.metrics is not None
    record = yaml.safe_load((sky / "simulation.yaml").read_text(encoding="utf-8"))
    facts = load_model(model).training
    counts = {
        "objects simulated": record["n_obj"],
        "of these stars": record["n_star"],
        **{f"removed by the cut '{name}'": n for name, n in cut.n_cut.items()},
        "objects with p(z)": made.run.n_obj,
        "redshifts for calibration": 0 if facts is None else facts.n_obj,
        f"galaxies for the test, i < {GOLD_MAG:g}": made.metrics.row("bias", point="z_best").n_obj,
    }
    report = DemoReport(
        destination=root,
        counts=counts,
        metrics=made.metrics,
        paths=_paths(root, made.paths),
        rates={
            "wall_s": time.monotonic() - begin,
            "objects_per_cpu_s": made.run.n_obj / max(made.run.cpu_s, 1e-9),
        },
        resumed=resumed,
    )
    _write_record(root, {**settings, "finished": True})
    return report


def write_training_half(source: Path, destination: Path) -> KnownRedshifts:
    """Choose every second object of a redshift sample, by a scrambled id, and write the choice.

    Parameters
    ----------
    source : Path
        Table of object ids and redshifts.
    destination : Path
        Parquet file to write, with ``objectId`` and ``z_spec``.

    Returns
    -------
    KnownRedshifts
        The half that was chosen: the same for the same ids, whatever their order.
    """
    known = read_redshifts(source)
    order = np.random.default_rng(0).permutation(known.object_id.size)
    chosen = np.sort(order[: (order.size + 1) // 2])
    half = KnownRedshifts(known.object_id[chosen], known.z[chosen])
    table = pa.table({"objectId": half.object_id, "z_spec": half.z})
    write_partition(table, destination.parent, destination.name)
    return half


def _open(root: Path, settings: Mapping[str, Any], *, overwrite: bool) -> None:
    """Make the directory ready for a new demo, or for the one that was begun there."""
    if root.is_file():
        raise OutputExistsError(f"{root} is a file; a directory is needed")
    record = root / RECORD_NAME
    if root.is_dir() and any(root.iterdir()) and not record.is_file():
        raise OutputExistsError(f"{root} is a directory with other content; name another place")
    if record.is_file() and overwrite:
        for name in (SKY, MODEL, RUN):
            shutil.rmtree(root / name, ignore_errors=True)
        (root / TRAINING_NAME).unlink(missing_ok=True)
        record.unlink()
    if record.is_file():
        stored = json.loads(record.read_text(encoding="utf-8"))
        if stored.pop("finished", False):
            report = root / RUN / "report" / "report.html"
            raise OutputExistsError(
                f"{root} holds a finished demo, see {report}; --overwrite makes it again, or name another place"
            )
        if stored != dict(settings):
            changed = [name for name, value in settings.items() if stored.get(name) != value]
            raise OutputExistsError(
                f"{root} holds a demo that was begun with other settings ({', '.join(changed)}): "
                "--overwrite begins again, or name another place"
            )
        # A sky or a model that was being made when the process was killed is made again from its beginning.
        for unfinished in (*root.glob(f".{SKY}.*"), *root.glob(f".{MODEL}.*")):
            shutil.rmtree(unfinished, ignore_errors=True)
    else:
        _write_record(root, settings)


def _write_record(root: Path, content: Mapping[str, Any]) -> None:
    write_text_atomically(root / RECORD_NAME, json.dumps(dict(content), indent=1) + "\n")


def _paths(root: Path, made: Mapping[str, Path]) -> dict[str, Path]:
    return {
        "simulated sky": root / SKY,
        "model": root / MODEL,
        "skinny table": root / RUN / "skinny",
        "PZ table": made["pz"],
        "PDFs": made["pz_pdf"],
        **{f"figure {name}": path for name, path in made.items() if path.suffix == ".png"},
        "metrics": made["metrics"],
        "provenance": made["provenance"],
        "report": made["report"],
    }
