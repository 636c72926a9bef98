"""Figures of a finished run: against known redshifts, of the whole sample, or of single objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pzcenter.catalogs import open_catalog, read_provenance
from pzcenter.catalogs.densities import ENCODING, codes_of, grid_of
from pzcenter.catalogs.storage import atomic_path
from pzcenter.errors import NotFoundError
from pzcenter.pipelines.prepare import REPORT_FOLDER
from pzcenter.pipelines.run import is_finished
from pzcenter.pipelines.truth import read_redshifts
from pzcenter.pipelines.validate import validate_run
from pzcenter.schema import PZFlag
from pzcenter.science.packing import get_encoding
from pzcenter.validation import save_plots
from pzcenter.validation.plots.style import BLUE, GREY, SKY, VERMILION, annotate, dress, legend, new_figure

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from pzcenter.pipelines.truth import KnownRedshifts

__all__ = ["ObjectPdf", "plot_objects", "plot_run", "read_objects", "skinny_of"]

NZ_STEP = 0.05
"""Cells of the histogram of point estimates."""


@dataclass(frozen=True, eq=False)
class ObjectPdf:
    """What a run says of one object.

    Parameters
    ----------
    object_id : int
    z_grid, pdf : ndarray, (n_z,)
    row : dict of str to object
        Of the core table.
    """

    object_id: int
    z_grid: NDArray[np.float64]
    pdf: NDArray[np.float32]
    row: dict[str, Any]


def plot_run(
    run: str | os.PathLike[str],
    destination: str | os.PathLike[str] | None = None,
    *,
    truth: str | os.PathLike[str] | None = None,
) -> dict[str, Path]:
    """Draw what a finished run found.

    Parameters
    ----------
    run : path
        Directory of a finished run.
    destination : path, optional
        Directory for the figures; ``report`` in the run's by default.
    truth : path, optional
        Table of object ids and redshifts; by default those in the skinny table, if there are any.

    Returns
    -------
    dict of str to Path
        Files by name. ``overview`` always; the figures of a validation where redshifts are known.

    Raises
    ------
    NotFoundError
        There is no finished run.
    """
    root, folder = _finished_run(run), Path(destination or Path(run) / REPORT_FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"overview": _save(plot_overview(root), folder / "overview.png")}
    skinny = skinny_of(root)
    known = None if truth is None else read_redshifts(truth)
    if skinny is not None and (known is not None or "z_spec" in open_catalog(skinny).column_names):
        sample, metrics = validate_run(root, skinny, truth=known)
        paths |= save_plots(sample, metrics, folder)
    return paths


def plot_objects(
    run: str | os.PathLike[str],
    object_id: Sequence[int],
    destination: str | os.PathLike[str] | None = None,
    *,
    truth: str | os.PathLike[str] | None = None,
) -> dict[str, Path]:
    """Draw p(z) of single objects, each into a file of its own.

    Parameters
    ----------
    run, destination, truth
        As in :func:`plot_run`.
    object_id : sequence of int

    Returns
    -------
    dict of str to Path
        Files by name, ``pz_`` and the id.

    Raises
    ------
    NotFoundError
        There is no finished run, or an object is not in it; then nothing is drawn.
    """
    root, folder = _finished_run(run), Path(destination or Path(run) / REPORT_FOLDER)
    found = read_objects(root, object_id)
    known = _redshifts(root, truth)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for item in found:
        z_spec = np.nan if known is None else float(known.of(np.array([item.object_id]))[0])
        name = f"pz_{item.object_id}"
        paths[name] = _save(plot_object(item, z_spec), folder / f"{name}.png")
    return paths


def read_objects(run: str | os.PathLike[str], object_id: Sequence[int]) -> list[ObjectPdf]:
    """Look up objects of a finished run.

    Parameters
    ----------
    run : path
    object_id : sequence of int

    Returns
    -------
    list of ObjectPdf
        In the order asked for.

    Raises
    ------
    NotFoundError
        An object is not there.
    """
    root = _finished_run(run)
    wanted = pa.array(sorted(set(object_id)), type=pa.int64())
    found: dict[int, ObjectPdf] = {}
    tables = {name: open_catalog(root / name) for name in ("pz", "pz_pdf")}
    z_grid, packing = grid_of(tables["pz_pdf"].schema), get_encoding(ENCODING)
    densities = {partition.name: partition for partition in tables["pz_pdf"].partitions}
    for partition in tables["pz"].partitions:
        rows = np.flatnonzero(pc.is_in(partition.read(["objectId"]).column("objectId"), wanted))
        if not rows.size:
            continue
        points = partition.read().take(rows).to_pylist()
        packed = densities[partition.name].read(["pdf_code", "pdf_max"]).take(rows)
        pdf = packing.unpack(
            codes_of(packed.column("pdf_code")), packed.column("pdf_max").to_numpy().astype(np.float32), z_grid
        )
        for row, density in zip(points, pdf, strict=True):
            found[row["objectId"]] = ObjectPdf(row["objectId"], z_grid, density, row)
    missing = [each for each in object_id if each not in found]
    if missing:
        raise NotFoundError(f"{root} has no objects {missing[:5]}, {len(missing)} of {len(object_id)} asked for")
    return [found[each] for each in object_id]


def plot_object(item: ObjectPdf, z_spec: float = np.nan) -> Figure:
    """p(z) of one object with its point estimate, intervals and, where known, true redshift."""
    figure = new_figure(6.0, 3.6)
    axes = figure.subplots()
    z, pdf, row = item.z_grid, item.pdf, item.row
    if np.isfinite(pdf).all():
        axes.fill_between(z, pdf, color=SKY, alpha=0.35, linewidth=0)
        axes.plot(z, pdf, color=BLUE, linewidth=1.6)
        for low, high, alpha, label in (
            ("z_err95_low", "z_err95_high", 0.12, "95 %"),
            ("z_err68_low", "z_err68_high", 0.25, "68 %"),
        ):
            axes.axvspan(row[low], row[high], color=GREY, alpha=alpha, linewidth=0, label=label)
        axes.axvline(row["z_best"], color=VERMILION, linewidth=1.8, linestyle="--", label="z_best")
        axes.set_ylim(0, 1.25 * float(pdf.max()))
        seen = z[pdf > 1e-3 * pdf.max()]
        ends = [value for value in (seen[0], seen[-1], z_spec) if np.isfinite(value)]
        margin = max(0.1, 0.15 * (max(ends) - min(ends)))
        axes.set_xlim(max(z[0], min(ends) - margin), min(max(z[-1], ends[-1]), max(ends) + margin))
    else:
        annotate(axes, "no estimate", place="upper left")
    if np.isfinite(z_spec):
        axes.axvline(z_spec, color="black", linewidth=1.8, label="known redshift")
    names = [str(flag.name) for flag in PZFlag if int(row["flags"]) & flag.value]
    dress(axes, xlabel="redshift", ylabel="p(z), per unit redshift", title=f"object {item.object_id}")
    legend(axes, loc="upper right")
    if names:
        annotate(axes, "\n".join(names), place="upper left", size=8)
    return figure


def plot_overview(run: Path) -> Figure:
    """Sum of all p(z) beside the point estimates, and how wide the p(z) are: needs no known redshifts."""
    catalog = open_catalog(run / "pz")
    pdfs = open_catalog(run / "pz_pdf")
    z_grid = grid_of(pdfs.schema)
    packing = get_encoding(ENCODING)
    edges = np.arange(z_grid[0], z_grid[-1] + NZ_STEP, NZ_STEP)
    width_edges = np.geomspace(1e-3, 1.0, 61)
    counts, cells = np.zeros(edges.size - 1), np.zeros((edges.size - 1, width_edges.size - 1))
    stacked, n_obj, n_none = np.zeros(z_grid.size), 0, 0
    for batch in catalog.batches(["z_best", "z_err68_low", "z_err68_high"]):
        z_best, low, high = (np.asarray(column, dtype=np.float64) for column in batch.columns)
        known = np.isfinite(z_best)
        n_obj, n_none = n_obj + known.size, n_none + int((~known).sum())
        counts += np.histogram(z_best[known], edges)[0]
        width = 0.5 * (high - low)[known] / (1 + z_best[known])
        cells += np.histogram2d(z_best[known], width, (edges, width_edges))[0]
    for batch in pdfs.batches(["pdf_code", "pdf_max"], 20_000):
        row_max = batch.column("pdf_max").to_numpy(zero_copy_only=False)
        pdf = packing.unpack(codes_of(batch.column("pdf_code")), row_max, z_grid)
        stacked += np.nansum(pdf, axis=0, dtype=np.float64)
    figure = new_figure(9.0, 3.8)
    left, right = figure.subplots(1, 2)
    left.stairs(counts / NZ_STEP, edges, color="0.75", fill=True, label="point estimates (z_best)")
    left.plot(z_grid, stacked, color=BLUE, linewidth=1.6, label="sum of p(z)")
    left.set_xlim(z_grid[0], z_grid[-1])
    left.set_ylim(0, 1.3 * max(float(stacked.max()), float((counts / NZ_STEP).max()), 1e-9))
    dress(left, xlabel="redshift", ylabel="objects per unit redshift", title="n(z)")
    legend(left, loc="upper right")
    without = f"\n{n_none:,} without an estimate" if n_none else ""
    annotate(left, f"{n_obj:,} objects{without}", place="upper left")
    shown = np.ma.masked_equal(cells.T, 0)
    mesh = right.pcolormesh(edges, width_edges, shown, cmap="cividis", norm="log")
    right.set_yscale("log")
    dress(
        right, xlabel="z_best", ylabel="half of the 68 % interval / (1 + z)", title="How well it is known", grid=False
    )
    figure.colorbar(mesh, ax=right, label="objects")
    return figure


def _save(figure: Figure, path: Path) -> Path:
    with atomic_path(path) as unfinished:
        figure.savefig(unfinished, format="png", metadata={"Software": None})
    return path


def _finished_run(run: str | os.PathLike[str]) -> Path:
    root = Path(run)
    if not is_finished(root):
        inside = root / "run"
        hint = f"; did you mean {inside}?" if is_finished(inside) else "; 'pz estimate' makes one"
        raise NotFoundError(f"{root} is not the directory of a finished run{hint}")
    return root


def skinny_of(run: Path) -> Path | None:
    """Input of a run: in its own directory, or where its provenance says, if that is still there."""
    if (run / "skinny").is_dir():
        return run / "skinny"
    try:
        source = Path(read_provenance(run)["inputs"][0]["path"])
    except (NotFoundError, KeyError, IndexError):
        return None
    return source if (source / "manifest.json").is_file() else None


def _redshifts(run: Path, truth: str | os.PathLike[str] | None) -> KnownRedshifts | None:
    if truth is not None:
        return read_redshifts(truth)
    skinny = skinny_of(run)
    if skinny is None or "z_spec" not in open_catalog(skinny).column_names:
        return None
    return read_redshifts(skinny)
