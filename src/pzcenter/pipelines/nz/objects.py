"""The objects of a finished run, block by block: point estimates, densities and fluxes, never all at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pzcenter.catalogs import open_catalog
from pzcenter.catalogs.densities import ENCODING, codes_of, grid_of
from pzcenter.errors import ColumnError, ConfigError, NotFoundError
from pzcenter.pipelines.figures import skinny_of
from pzcenter.pipelines.run import is_finished
from pzcenter.schema import PZFlag
from pzcenter.science.packing import get_encoding

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from pzcenter.catalogs import Partition

__all__ = ["POINTS", "ObjectBlock", "RunObjects", "exclusion_bits"]

POINTS = ("z_best", "z_mode", "z_median", "z_mean")
"""Point estimates by which objects can be put into bins."""
_BLOCK = 16_384
"""Objects whose densities are unpacked at a time: 20 MB on 301 points."""


@dataclass(frozen=True, eq=False)
class ObjectBlock:
    """Some objects that take part.

    Parameters
    ----------
    object_id : ndarray of int64, (n_obj,)
    point : ndarray of float64, (n_obj,)
    pdf : ndarray of float32, (n_obj, n_z), or None
    healpix : ndarray of int64, (n_obj,), or None
        NESTED cell of order 29.
    photometry : pa.Table or None
        Columns of the skinny table.
    """

    object_id: NDArray[np.int64]
    point: NDArray[np.floating[Any]]
    pdf: NDArray[np.float32] | None = None
    healpix: NDArray[np.int64] | None = None
    photometry: pa.Table | None = None


@dataclass(eq=False)
class RunObjects:
    """A finished run to be read as often as needed.

    Parameters
    ----------
    root : Path
        Of the run.
    point : str
        Point estimate, one of ``POINTS``.
    excluded : int
        Bits of :class:`pzcenter.schema.PZFlag`: objects with any of them are left out.
    counts : dict of str to int
        Objects of the last pass: read, left out and why.
    """

    root: Path
    point: str
    excluded: int
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def open(cls, run: str | os.PathLike[str], *, point: str = "z_best", exclude: Sequence[str] = ()) -> RunObjects:
        """Check a run and what is asked of it.

        Raises
        ------
        NotFoundError
            It is not the directory of a finished run.
        ConfigError
            No such point estimate or flag.
        """
        root = Path(run)
        if not is_finished(root):
            hint = f"; did you mean {root.parent}?" if is_finished(root.parent) else "; 'pz estimate' makes one"
            raise NotFoundError(f"{root} is not the directory of a finished PZ table{hint}")
        if point not in POINTS:
            raise ConfigError(f"objects can be put into bins by {', '.join(POINTS)}; got {point!r}")
        return cls(root, point, exclusion_bits(exclude))

    @property
    def z_grid(self) -> NDArray[np.float64]:
        """Grid of the densities, (n_z,)."""
        return grid_of(open_catalog(self.root / "pz_pdf").schema)

    @property
    def n_rows(self) -> int:
        """Rows of the table."""
        return sum(partition.n_rows or 0 for partition in open_catalog(self.root / "pz").partitions)

    @property
    def has_positions(self) -> bool:
        """Whether the table says where its objects are."""
        return "_healpix_29" in open_catalog(self.root / "pz").column_names

    @property
    def skinny(self) -> Path:
        """Table of the fluxes.

        Raises
        ------
        NotFoundError
            It is not there any more.
        """
        found = skinny_of(self.root)
        if found is None:
            raise NotFoundError(f"the skinny table of {self.root} is needed for its fluxes, and is not there")
        return found

    def blocks(self, *, with_pdf: bool = False, flux_columns: Sequence[str] = ()) -> Iterator[ObjectBlock]:
        """Objects that take part.

        Parameters
        ----------
        with_pdf : bool
            Read the densities.
        flux_columns : sequence of str
            Columns of the skinny table to read.

        Yields
        ------
        ObjectBlock

        Raises
        ------
        ColumnError
            The skinny table is not that of the run: other rows.
        """
        self.counts = {"rows": 0, "without_estimate": 0, "excluded_by_flag": 0}
        parts = {name: _partitions(self.root / name) for name in ("pz", "pz_pdf")}
        fluxes = _partitions(self.skinny) if flux_columns else {}
        positions = ["_healpix_29"] if self.has_positions else []
        z_grid = self.z_grid
        for name, partition in parts["pz"].items():
            pz = partition.read(["objectId", self.point, "flags", *positions])
            pdf = parts["pz_pdf"][name].read(["pdf_code", "pdf_max"]) if with_pdf else None
            skinny = None
            if flux_columns:
                skinny = fluxes[name].read(["objectId", *flux_columns]) if name in fluxes else None
                if skinny is None or not skinny.column("objectId").equals(pz.column("objectId")):
                    raise ColumnError(f"partition {name} of {self.skinny} does not hold the rows of {self.root}")
            rows = self._kept(pz)
            for start in range(0, rows.size, _BLOCK):
                chosen = rows[start : start + _BLOCK]
                part = pz.take(pa.array(chosen))
                yield ObjectBlock(
                    object_id=part.column("objectId").to_numpy(),
                    point=part.column(self.point).to_numpy(),
                    pdf=None if pdf is None else _unpacked(pdf.take(pa.array(chosen)), z_grid),
                    healpix=part.column("_healpix_29").to_numpy() if positions else None,
                    photometry=None if skinny is None else skinny.take(pa.array(chosen)),
                )

    def _kept(self, pz: pa.Table) -> NDArray[np.int64]:
        flags = pz.column("flags").to_numpy().astype(np.int64)
        point = pz.column(self.point).to_numpy()
        has = (flags & int(PZFlag.no_estimate) == 0) & np.isfinite(point)
        wanted = flags & self.excluded == 0
        self.counts["rows"] += pz.num_rows
        self.counts["without_estimate"] += int(np.count_nonzero(~has))
        self.counts["excluded_by_flag"] += int(np.count_nonzero(has & ~wanted))
        return np.flatnonzero(has & wanted)


def exclusion_bits(names: Sequence[str]) -> int:
    """Bits of flags by their names.

    Raises
    ------
    ConfigError
        No such flag.
    """
    known = {flag.name: int(flag) for flag in PZFlag}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"no flags {unknown}; there are {', '.join(str(name) for name in known)}")
    return int(np.bitwise_or.reduce([known[name] for name in names])) if names else 0


def _partitions(path: Path) -> dict[str, Partition]:
    return {partition.name: partition for partition in open_catalog(path).partitions}


def _unpacked(pdf: pa.Table, z_grid: NDArray[np.float64]) -> NDArray[np.float32]:
    row_max = pdf.column("pdf_max").to_numpy().astype(np.float32)
    return get_encoding(ENCODING).unpack(codes_of(pdf.column("pdf_code")), row_max, z_grid)
