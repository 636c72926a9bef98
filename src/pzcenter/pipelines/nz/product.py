"""The product: n(z), its samples and covariance as Parquet and as qp ensembles, and a manifest."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.catalogs.storage import atomic_path, file_sha256, write_text_atomically
from pzcenter.errors import ChecksumError, FileFormatError, NotFoundError, OutputExistsError
from pzcenter.schema import arrow_schema, check_table
from pzcenter.science.nz import NzEstimate, SampleBins
from pzcenter.validation.submissions.nz_challenge import write_nz_estimate
from pzcenter.validation.table import plain_json

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

__all__ = ["MANIFEST_NAME", "NzProduct", "prepare_directory", "read_nz", "write_nz"]

MANIFEST_NAME = "nz.json"
FORMAT, VERSION = "pzcenter-nz", 1
_LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class NzProduct:
    """n(z) of a PZ table.

    Parameters
    ----------
    directory : Path
    method : str
    label : str
        What the method gives, in a sentence.
    bins : SampleBins
    estimate : NzEstimate
    share_without : ndarray of float64, (n_bin,)
        Share of each bin's objects of which the estimate says nothing.
    counts : dict
        Objects at each step.
    diagnostics : dict
    notes : tuple of str
        What a reader must know.
    settings : dict
    record : dict
        Provenance.
    cells : pa.Table or None
        Cells of the map, for the reweighting.
    """

    directory: Path
    method: str
    label: str
    bins: SampleBins
    estimate: NzEstimate
    share_without: NDArray[np.float64]
    counts: dict[str, int]
    diagnostics: dict[str, Any]
    notes: tuple[str, ...]
    settings: dict[str, Any]
    record: dict[str, Any] = field(default_factory=dict)
    cells: pa.Table | None = None

    def bin_rows(self) -> list[dict[str, Any]]:
        """Number, mean and width of each bin with their errors."""
        found = self.estimate
        return [
            {
                "bin": index,
                "point_low": self.bins.low[index],
                "point_high": self.bins.high[index],
                "n_obj": int(found.n_obj[index]),
                "mean": float(found.mean[index]),
                "mean_err": float(found.mean_error[index]),
                "width": float(found.width[index]),
                "width_err": float(found.width_error[index]),
                "share_without_redshifts": float(self.share_without[index]),
            }
            for index in range(self.bins.n_bin)
        ]

    def plain(self) -> dict[str, Any]:
        """Everything but the histograms as plain values."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "method": self.method,
            "label": self.label,
            "point": self.settings.get("point"),
            "edges": self.estimate.edges.tolist(),
            "n_sample": self.estimate.n_sample,
            "bins": self.bin_rows(),
            "covariance_of_means": self.estimate.mean_covariance().tolist(),
            "counts": self.counts,
            "diagnostics": self.diagnostics,
            "notes": list(self.notes),
            "settings": self.settings,
        }


def prepare_directory(directory: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Check a directory for a product, and empty it of an earlier one where that is wanted.

    Raises
    ------
    OutputExistsError
        There is something else, or a product that is not to be replaced.
    """
    root = Path(directory)
    if root.is_file():
        raise OutputExistsError(f"{root} is a file; a directory is needed")
    if root.is_dir() and any(root.iterdir()):
        if not (root / MANIFEST_NAME).is_file():
            raise OutputExistsError(f"{root} holds other things; name another place")
        if not overwrite:
            raise OutputExistsError(f"{root} holds n(z) already; name another place, or overwrite it (--overwrite)")
        shutil.rmtree(root)
    return root


def write_nz(product: NzProduct) -> Path:
    """Write a product; the manifest, which has the checksums, comes last.

    Returns
    -------
    Path
        The manifest.

    Raises
    ------
    StorageError
        The file system refused.
    """
    root = product.directory
    root.mkdir(parents=True, exist_ok=True)
    tables = {"nz.parquet": _nz_table(product), "nz_bins.parquet": pa.Table.from_pylist(product.bin_rows())}
    tables["nz_samples.parquet"] = _samples_table(product)
    tables["nz_covariance.parquet"] = _covariance_table(product)
    if product.cells is not None:
        tables["cells.parquet"] = product.cells
    for name, table in tables.items():
        with atomic_path(root / name) as unfinished:
            pq.write_table(table, unfinished, compression="zstd")
    _write_qp(product)
    shutil.rmtree(root / ".tmp", ignore_errors=True)
    files = {
        path.name: {"sha256": file_sha256(path), "n_bytes": path.stat().st_size}
        for path in sorted(root.iterdir())
        if path.suffix in {".parquet", ".hdf5"}
    }
    content = plain_json({**product.plain(), "files": files, "provenance": product.record})
    write_text_atomically(root / MANIFEST_NAME, content + "\n")
    shutil.rmtree(root / ".tmp", ignore_errors=True)
    return root / MANIFEST_NAME


def read_nz(directory: str | os.PathLike[str]) -> NzProduct:
    """Read a product and verify its checksums.

    Raises
    ------
    NotFoundError
        There is none.
    FileFormatError
        It is not one, or of a newer version.
    ChecksumError
        A file is not what the manifest recorded.
    """
    root = Path(directory)
    if not (root / MANIFEST_NAME).is_file():
        raise NotFoundError(f"{root} has no {MANIFEST_NAME}: 'pz nz estimate' makes one")
    try:
        plain = json.loads((root / MANIFEST_NAME).read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileFormatError(f"{root / MANIFEST_NAME} is damaged: {error}") from None
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise FileFormatError(f"{root / MANIFEST_NAME} is not of format {FORMAT!r}")
    if plain.get("version") != VERSION:
        raise FileFormatError(f"{root} has version {plain.get('version')!r}; this program reads {VERSION}")
    for name, record in plain["files"].items():
        path = root / Path(name).name
        if not path.is_file() or file_sha256(path) != record["sha256"]:
            raise ChecksumError(f"{path} is not the file its manifest recorded")
    rows, edges = plain["bins"], np.array(plain["edges"])
    n_bin, n_cell, n_sample = len(rows), edges.size - 1, plain["n_sample"]
    table = pq.read_table(root / "nz_samples.parquet")
    samples = np.array(table.column("nz").to_pylist(), dtype=float).reshape(n_sample, n_bin, n_cell)
    means, widths = (table.column(name).to_numpy().reshape(n_sample, n_bin) for name in ("mean", "width"))

    def number(key: str) -> NDArray[np.float64]:
        return np.array([np.nan if row[key] is None else row[key] for row in rows], dtype=float)

    estimate = NzEstimate(
        edges=edges,
        nz=pq.read_table(root / "nz.parquet").column("nz").to_numpy().reshape(n_bin, n_cell),
        samples=samples,
        mean=number("mean"),
        width=number("width"),
        mean_samples=means,
        width_samples=widths,
        n_obj=number("n_obj").astype(np.int64),
    )
    return NzProduct(
        directory=root,
        method=plain["method"],
        label=plain["label"],
        bins=SampleBins(tuple(row["point_low"] for row in rows), tuple(row["point_high"] for row in rows)),
        estimate=estimate,
        share_without=number("share_without_redshifts"),
        counts=plain["counts"],
        diagnostics=plain["diagnostics"],
        notes=tuple(plain["notes"]),
        settings=plain["settings"],
        record=plain["provenance"],
        cells=pq.read_table(root / "cells.parquet") if "cells.parquet" in plain["files"] else None,
    )


def _nz_table(product: NzProduct) -> pa.Table:
    found = product.estimate
    low, high = found.band(_LEVEL)
    n_bin, n_cell = found.nz.shape
    table = pa.table(
        {
            "bin": np.repeat(np.arange(n_bin, dtype=np.int16), n_cell),
            "z_low": np.tile(found.edges[:-1], n_bin),
            "z_high": np.tile(found.edges[1:], n_bin),
            "nz": found.nz.ravel(),
            "nz_err": found.nz_error.ravel(),
            "nz_low95": low.ravel(),
            "nz_high95": high.ravel(),
        }
    ).cast(arrow_schema("pz_nz"))
    check_table(table, "pz_nz")
    return table


def _samples_table(product: NzProduct) -> pa.Table:
    found = product.estimate
    n_sample, n_bin, n_cell = found.samples.shape
    flat = pa.array(found.samples.reshape(-1), type=pa.float64())
    return pa.table(
        {
            "sample": np.repeat(np.arange(n_sample, dtype=np.int32), n_bin),
            "bin": np.tile(np.arange(n_bin, dtype=np.int16), n_sample),
            "mean": found.mean_samples.reshape(-1),
            "width": found.width_samples.reshape(-1),
            "nz": pa.FixedSizeListArray.from_arrays(flat, n_cell),
        }
    )


def _covariance_table(product: NzProduct) -> pa.Table:
    found = product.estimate
    n_bin, n_cell = found.nz.shape
    rows = np.concatenate([found.covariance(index) for index in range(n_bin)]).reshape(-1)
    return pa.table(
        {
            "bin": np.repeat(np.arange(n_bin, dtype=np.int16), n_cell),
            "cell": np.tile(np.arange(n_cell, dtype=np.int32), n_bin),
            "covariance": pa.FixedSizeListArray.from_arrays(pa.array(rows, type=pa.float64()), n_cell),
        }
    )


def _write_qp(product: NzProduct) -> None:
    """Densities at the middles of the cells, as ensembles of qp."""
    found = product.estimate
    middle = 0.5 * (found.edges[1:] + found.edges[:-1])
    filled = np.flatnonzero(np.isfinite(found.nz).all(axis=1))
    if middle.size < 2 or not filled.size:
        return
    write_nz_estimate(
        product.directory / "nz_qp.hdf5", found.nz[filled], middle, overwrite=True,
        n_objects=found.n_obj[filled], bin_idx=filled,
    )  # fmt: skip
    samples = found.samples[:, filled].reshape(-1, middle.size)
    good = np.isfinite(samples).all(axis=1)
    if good.any():
        number = np.repeat(np.arange(found.n_sample), filled.size)[good]
        write_nz_estimate(
            product.directory / "nz_samples_qp.hdf5", samples[good], middle, overwrite=True,
            bin_idx=np.tile(filled, found.n_sample)[good], i_realization=number,
        )  # fmt: skip
