"""The main line: object catalogue -> skinny table -> p(z) -> PZ table -> quality numbers, figures and report."""

from __future__ import annotations

import math
import os
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import pzcenter
from pzcenter.catalogs import is_skinny, make_skinny, open_catalog
from pzcenter.catalogs.provenance import provenance_record, write_provenance
from pzcenter.catalogs.storage import write_text_atomically
from pzcenter.estimators import load_model, model_digest
from pzcenter.pipelines.extra_columns import CLASS_COLUMNS, ExtraSettings
from pzcenter.pipelines.prepare import (
    REPORT_FOLDER,
    check_bands,
    check_model,
    prepare_model,
    prepare_physical_model,
    refuse_unusable,
    remove_outputs,
    survey_settings,
)
from pzcenter.pipelines.run import RunReport, run_estimate
from pzcenter.pipelines.truth import read_redshifts
from pzcenter.schema import PZFlag

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from pzcenter.catalogs.skinny import SkinnyReport
    from pzcenter.validation import MetricTable

__all__ = ["MainLineReport", "Progress", "estimate_catalog"]

Progress = "Callable[[str, float, str], None]"
"""Called with the step (``skinny``, ``estimate``, ``validate``), the fraction of it that is done, and words."""


@dataclass(frozen=True)
class MainLineReport:
    """What the main line made.

    Parameters
    ----------
    destination : Path
    run : RunReport
    skinny : SkinnyReport or None
        None where the input was a skinny table already.
    metrics : MetricTable or None
        None without known redshifts.
    paths : dict of str to Path
        What there is to look at, by name.
    n_train_in_reach : int
        Objects that the model was trained on and that nobody named to be kept out of the validation.
    n_flagged : dict of str to int
        Objects of the PZ table by flag, where there are any.
    notes : tuple of str
    """

    destination: Path
    run: RunReport
    skinny: SkinnyReport | None
    metrics: MetricTable | None
    paths: dict[str, Path] = field(default_factory=dict)
    n_train_in_reach: int = 0
    n_flagged: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def estimate_catalog(
    source: str | os.PathLike[str],
    destination: str | os.PathLike[str],
    *,
    model: str | os.PathLike[str] = "template",
    mapping: str | None = None,
    config: Mapping[str, Any] | None = None,
    z_grid: NDArray[np.float64] | None = None,
    cuts: Sequence[str] | None = None,
    row_numbers: bool = False,
    ebv_map: Any = None,
    truth: str | os.PathLike[str] | None = None,
    training_ids: NDArray[np.int64] | None = None,
    physical: bool = False,
    classes: str | os.PathLike[str] | None = None,
    mag_max: float = math.inf,
    workers: int | None = None,
    rows_per_partition: int = 150_000,
    overwrite: bool = False,
    report: bool = True,
    title: str = "Photometric redshift quality report",
    command: Sequence[str] | None = None,
    progress: Callable[[str, float, str], None] | None = None,
) -> MainLineReport:
    """Photo-z of a catalogue, from the file to the report.

    Called again after an interrupt it continues where it was. After an error in the input or the arguments nothing
    is left of what this call made, and what ``overwrite`` would replace is still there.

    Parameters
    ----------
    source : path
        Catalogue of any known format, or a skinny table.
    destination : path
        Directory to make; see :mod:`pzcenter.pipelines.run` for what is in it.
    model : path or str
        Directory of a trained model, or the name of a method that needs no training.
    mapping : str, optional
        Of the catalogue's columns; detected by default.
    config : mapping, optional
        Settings of the method, where ``model`` is a name.
    z_grid : ndarray, optional
        Of the densities, where ``model`` is a name.
    cuts : sequence of str, optional
        In place of the mapping's.
    row_numbers : bool
        Number the rows in place of an id column.
    ebv_map : object, optional
        Dust map, for catalogues without E(B-V).
    truth : path, optional
        Table of object ids and known redshifts; by default those in the catalogue itself, if there are any.
    training_ids : ndarray of int64, optional
        Objects that the model was trained on: they are kept out of the validation.
    physical : bool
        Add the best template at ``z_best``, its chi-squared and absolute magnitudes: of the model where it is a
        template fit, else of the template fit that comes with the package.
    classes : path, optional
        Table of object ids with ``p_star``, ``p_agn`` or both, to be joined.
    mag_max : float
        Magnitude in the i band, AB, up to which the quality is measured.
    workers : int, optional
        Processes; one per processor by default.
    rows_per_partition : int
    overwrite : bool
    report : bool
        Make figures and report, where redshifts are known.
    title : str
        Of the report.
    command : sequence of str, optional
        For the provenance; this process's by default.
    progress : callable, optional
        Called with the step, the fraction of it that is done, and words, which begin with ``DONE of TOTAL`` where
        objects are counted.

    Returns
    -------
    MainLineReport

    Raises
    ------
    OutputExistsError
        The destination holds a finished main line, one of other input, or something else.
    PZCenterError
        See :func:`pzcenter.catalogs.make_skinny` and :func:`pzcenter.pipelines.run_estimate`.
    """
    started = datetime.now(UTC)
    source, destination = Path(source), Path(destination)
    tell = progress or (lambda _step, _fraction, _text: None)
    refuse_unusable(destination, overwrite=overwrite)
    is_new = not destination.exists()
    known = None if truth is None else read_redshifts(truth)
    trained = check_model(model, config=config, z_grid=z_grid)
    check_bands(source, None if trained is None else trained.bands, mapping=mapping)
    if trained is None:
        config = survey_settings(source, str(model), config, mapping=mapping)
    if overwrite:
        remove_outputs(destination)
    try:
        model_path = prepare_model(model, destination, config=config, z_grid=z_grid)
        check_bands(source, load_model(model_path).bands, mapping=mapping)
        extras = ExtraSettings(
            prepare_physical_model(source, destination, mapping=mapping) if physical else None,
            None if classes is None else Path(classes),
        )
        extras.load()
        skinny, cut = source, None
        if not is_skinny(source):
            skinny = destination / "skinny"
            tell("skinny", 0.0, "reading")
            cut = make_skinny(
                source,
                skinny,
                mapping,
                cuts=cuts,
                row_numbers=row_numbers,
                ebv_map=ebv_map,
                rows_per_partition=rows_per_partition,
                resume=True,
                command=command,
                progress=lambda done, text: tell("skinny", done, text),
            )
    except Exception:
        if is_new:
            shutil.rmtree(destination, ignore_errors=True)
        raise
    run = run_estimate(
        skinny,
        destination,
        model_path,
        workers=workers or os.cpu_count() or 1,
        resume_finished=True,
        extras=extras,
        progress=lambda done, total: tell("estimate", done / max(total, 1), f"{done} of {total} objects"),
    )
    paths = {name: destination / name for name in ("pz", "pz_pdf", "model")}
    known_classes = _class_counts(destination)
    counts = _counts(cut, run) | {f"objects with {name}": n for name, n in known_classes.items()}
    record = provenance_record(
        "estimate",
        started=started,
        inputs=[source, *(path for path in (truth, classes) if path is not None)],
        model=model_path,
        configuration={
            "mapping": cut.mapping if cut else "the skinny table's own",
            "cuts": list(cut.n_cut) if cut else [],
            "rows_per_partition": rows_per_partition,
        },
        counts=counts,
        command=command,
    )
    metrics = None
    if report and (known is not None or _has_redshifts(skinny)):
        from pzcenter.pipelines.validate import validate_run
        from pzcenter.validation import RunFacts, make_report, save_plots

        tell("validate", 0.0, "measuring")
        if training_ids is not None:
            known = (known or read_redshifts(skinny)).without(training_ids)
        sample, metrics = validate_run(destination, skinny, truth=known, mag_max=mag_max)
        tell("validate", 0.5, "drawing")
        folder = destination / REPORT_FOLDER
        facts = RunFacts(
            title=title,
            model=_model_facts(model_path),
            counts=counts,
            rates=_rates(run),
            inputs=tuple(record["inputs"]),
            config=record["configuration"],
            versions={"pzcenter": pzcenter.__version__, "python": record["python"], **record["packages"]},
            command=" ".join(record["command"]),
        )
        paths |= save_plots(sample, metrics, folder)
        paths["metrics"] = folder / "metrics.json"
        write_text_atomically(paths["metrics"], metrics.to_json())
        paths["report"] = make_report(folder / "report.html", sample, metrics, facts=facts)
        tell("validate", 1.0, "done")
    # Last, so that a main line with a provenance record is complete.
    paths["provenance"] = write_provenance(destination, record)
    training = load_model(model_path).training
    in_reach = training is not None and training_ids is None and metrics is not None
    joined = {} if classes is None else known_classes
    told = tuple(f"{n:,} of {run.n_obj:,} objects have {name} of {classes}" for name, n in joined.items())
    return MainLineReport(
        destination, run, cut, metrics, paths, training.n_obj if training and in_reach else 0,
        _flags_of(paths["pz"]), told,
    )  # fmt: skip


def _flags_of(pz: Path) -> dict[str, int]:
    """Objects of the PZ table with each flag, where there are any."""
    flagged = dict.fromkeys(PZFlag, 0)
    for batch in open_catalog(pz).batches(["flags"]):
        flags = batch.column("flags").to_numpy()
        for flag in flagged:
            flagged[flag] += int(np.count_nonzero(flags & int(flag)))
    return {flag.name or "": n for flag, n in flagged.items() if n}


def _has_redshifts(skinny: Path) -> bool:
    return "z_spec" in open_catalog(skinny).column_names


def _counts(cut: SkinnyReport | None, run: RunReport) -> dict[str, int]:
    counts: dict[str, int] = {}
    if cut is not None:
        counts["objects read"] = cut.n_in
        counts |= {f"removed by {name}": n for name, n in cut.n_cut.items()}
    counts["objects estimated"] = run.n_obj
    return counts


def _class_counts(destination: Path) -> dict[str, int]:
    """Objects whose probability of each class is known, where the table has any."""
    catalog = open_catalog(destination / "pz")
    names = [name for name in CLASS_COLUMNS if name in catalog.column_names]
    counts = dict.fromkeys(names, 0)
    for batch in catalog.batches(names) if names else ():
        for name in names:
            values = batch.column(name).to_numpy(zero_copy_only=False)
            counts[name] += int((values == values).sum())  # noqa: PLR0124 - NaN differs from itself
    return counts


def _rates(run: RunReport) -> dict[str, Any]:
    return {
        "processor time": f"{run.cpu_s:.1f} s",
        "objects per processor second": f"{run.n_obj / max(run.cpu_s, 1e-9):,.0f}",
        "elapsed": f"{run.wall_s:.1f} s",
        "peak memory of a process": f"{run.peak_bytes / 2**20:.0f} MB",
    }


def _model_facts(model: Path) -> dict[str, Any]:
    estimator = load_model(model)
    facts: dict[str, Any] = {"method": estimator.name, "bands": ", ".join(estimator.bands)}
    facts["redshift grid"] = f"{estimator.z_grid[0]:g} to {estimator.z_grid[-1]:g}, {estimator.z_grid.size} points"
    if estimator.training is not None:
        facts["trained on"] = f"{estimator.training.n_obj} objects"
    return facts | {"digest": model_digest(model)}
