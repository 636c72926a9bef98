"""Sums over a release that add up tract by tract: n(z), maps, and the errors where the redshift is known."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa

from pzcenter.errors import GridError, SchemaError
from pzcenter.science.metrics.point import MAD_TO_SIGMA

from .evaluation import TOMOGRAPHIC_EDGES
from .release_maps import MAP_ORDER, MapSums, median_of_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["BEST_EDGES", "ERROR_EDGES", "METRIC_NAMES", "N_PIT", "ReleaseSums"]

ERROR_EDGES = np.linspace(-1.0, 1.0, 4001)
"""Edges of the histogram of (z_best - z_spec)/(1 + z_spec); what is outside is counted in the end bins."""

BEST_EDGES = np.linspace(0.0, 6.0, 601)
"""Edges of the histogram of ``z_best``."""

METRIC_NAMES = ("bias", "sigma_nmad", "outlier_fraction", "crps")
N_PIT = 50
"""Bins of the histogram of the probability integral transform."""

_SCHEMA = pa.schema([("kind", pa.string()), ("row", pa.int64()), ("bin", pa.int32()), ("value", pa.float64())])
_ARRAYS = ("nz", "n_nz", "best_counts", "error_counts", "pit_counts", "totals")
_TOTALS = ("n_obj", "n_estimate", "n_flagged", "n_truth", "n_outlier", "crps")
_METRICS_KEY, _GRID_KEY, _ORDER_KEY = b"pz.tract_metrics", b"pz.z_grid", b"pz.map_order"


@dataclass
class ReleaseSums:
    """Sums of a tract or of several.

    Parameters
    ----------
    z_grid : ndarray, (n_z,)
    maps : MapSums
    nz : ndarray, (1 + n_bin, n_z)
        Sum of p(z) of all objects, and of those in each tomographic bin of ``z_best``.
    n_nz : ndarray, (1 + n_bin,)
        Objects in these sums.
    best_counts : ndarray, (n_best,)
        Histogram of ``z_best``; edges :data:`BEST_EDGES`, the last bin also counts what is above.
    error_counts : ndarray, (n_error,)
        Histogram of the redshift errors of objects with known redshift; edges :data:`ERROR_EDGES`.
    pit_counts : ndarray, (n_pit,)
        Histogram of their probability integral transform.
    totals : ndarray, (6,)
        ``n_obj, n_estimate, n_flagged, n_truth, n_outlier``, and the sum of the CRPS.
    tracts : list of dict
        Counts and metrics of each tract, exact.
    """

    z_grid: NDArray[np.float64]
    maps: MapSums
    nz: NDArray[np.float64]
    n_nz: NDArray[np.float64]
    best_counts: NDArray[np.float64]
    error_counts: NDArray[np.float64]
    pit_counts: NDArray[np.float64]
    totals: NDArray[np.float64]
    tracts: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def empty(cls, z_grid: NDArray[np.float64], map_order: int = MAP_ORDER) -> Self:
        """Sums of nothing."""
        return cls(
            z_grid=z_grid,
            maps=MapSums(map_order),
            nz=np.zeros((len(TOMOGRAPHIC_EDGES), z_grid.size)),
            n_nz=np.zeros(len(TOMOGRAPHIC_EDGES)),
            best_counts=np.zeros(BEST_EDGES.size - 1),
            error_counts=np.zeros(ERROR_EDGES.size - 1),
            pit_counts=np.zeros(N_PIT),
            totals=np.zeros(len(_TOTALS)),
        )

    def total(self, name: str) -> int:
        """Number of objects: ``n_obj``, ``n_estimate``, ``n_flagged``, ``n_truth`` or ``n_outlier``."""
        return int(self.totals[_TOTALS.index(name)])

    def add(self, other: ReleaseSums) -> None:
        """Add other tracts.

        Raises
        ------
        GridError
            Their p(z) are on another grid.
        UsageError
            Their maps are of another order.
        """
        if not np.array_equal(self.z_grid, other.z_grid):
            raise GridError(
                f"n(z) of a release needs one grid; there are {self.z_grid.size} points from {self.z_grid[0]:g} to "
                f"{self.z_grid[-1]:g} and {other.z_grid.size} from {other.z_grid[0]:g} to {other.z_grid[-1]:g}"
            )
        self.maps.add(other.maps)
        for name in _ARRAYS:
            getattr(self, name)[...] += getattr(other, name)
        self.tracts.extend(other.tracts)

    def medians(self) -> dict[str, float]:
        """Median ``z_best`` and ``z_std`` of all objects, from the histograms."""
        return {
            "median_z_best": float(median_of_counts(self.best_counts[None], BEST_EDGES)[0]),
            "median_z_std": self.maps.median_z_std(),
        }

    def release_metrics(self) -> dict[str, float]:
        """Metrics of all objects with known redshift; medians come from the histogram, whose bins are 0.0005 wide."""
        n_truth = self.total("n_truth")
        if not n_truth:
            return dict.fromkeys(METRIC_NAMES, float("nan"))
        bias = float(median_of_counts(self.error_counts[None], ERROR_EDGES)[0])
        centre = 0.5 * (ERROR_EDGES[1:] + ERROR_EDGES[:-1])
        width = ERROR_EDGES[1] - ERROR_EDGES[0]
        distance_edges = np.arange(0.0, 2.0 + width, width)
        distance, _ = np.histogram(np.abs(centre - bias), bins=distance_edges, weights=self.error_counts)
        mad = float(median_of_counts(distance[None].astype(np.float64), distance_edges)[0])
        return {
            "bias": bias,
            "sigma_nmad": MAD_TO_SIGMA * mad,
            "outlier_fraction": self.total("n_outlier") / n_truth,
            "crps": float(self.totals[_TOTALS.index("crps")] / n_truth),
        }

    def to_table(self) -> pa.Table:
        """All sums that are not zero, one a row: ``kind, row, bin, value``; grid and metrics in the metadata."""
        tables = [_sparse("maps", self.maps.pixel, self.maps.sums)]
        for name in _ARRAYS:
            values = np.atleast_2d(getattr(self, name))
            tables.append(_sparse(name, np.arange(len(values)), values))
        metadata = {
            _GRID_KEY: json.dumps(self.z_grid.tolist()),
            _ORDER_KEY: str(self.maps.order),
            _METRICS_KEY: json.dumps(self.tracts),
        }
        return pa.concat_tables(tables).replace_schema_metadata(metadata)

    @classmethod
    def from_table(cls, table: pa.Table) -> Self:
        """Sums of a table that :meth:`to_table` made.

        Raises
        ------
        SchemaError
            It is another table.
        """
        metadata = table.schema.metadata or {}
        try:
            sums = cls.empty(np.array(json.loads(metadata[_GRID_KEY])), int(metadata[_ORDER_KEY]))
            sums.tracts = json.loads(metadata[_METRICS_KEY])
        except (KeyError, ValueError) as error:
            raise SchemaError(f"this is no table of the sums of a tract: {error!r}") from None
        kinds = np.asarray(table.column("kind").to_numpy(zero_copy_only=False))
        row, bin_, value = (table.column(name).to_numpy() for name in ("row", "bin", "value"))
        for name in _ARRAYS:
            chosen = kinds == name
            np.atleast_2d(getattr(sums, name))[row[chosen], bin_[chosen]] = value[chosen]
        chosen = kinds == "maps"
        pixels, index = np.unique(row[chosen], return_inverse=True)
        cells = np.zeros((pixels.size, sums.maps.sums.shape[1]))
        cells[index, bin_[chosen]] = value[chosen]
        sums.maps.add_rows(pixels, cells)
        return sums


def _sparse(kind: str, rows: NDArray[np.int64], values: NDArray[np.float64]) -> pa.Table:
    """Values that are not zero, with the names of their rows."""
    n_row, n_bin = values.shape
    kept = np.flatnonzero(values.ravel())
    columns = {
        "kind": pa.array([kind] * kept.size, pa.string()),
        "row": np.repeat(rows, n_bin)[kept],
        "bin": np.tile(np.arange(n_bin, dtype=np.int32), n_row)[kept],
        "value": values.ravel()[kept],
    }
    return pa.table(columns, schema=_SCHEMA)
