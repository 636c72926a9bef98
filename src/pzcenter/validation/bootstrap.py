"""Standard errors of many statistics of one sample, from one set of resamples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

__all__ = ["Bootstrap", "Statistic"]


@dataclass(frozen=True, eq=False)
class Statistic:
    """One number made of the columns of a sample.

    Parameters
    ----------
    metric, point : str
        What it is called and what it is made from.
    columns : tuple of ndarray, (n_obj,)
        Arguments of ``function``; statistics may share them.
    function : callable
        Of the columns.
    is_mean : bool
        Whether it is the mean of its one column, whose error has a formula.
    error_power : float
        The error grows as this power of the number of rows: -0.5 but for statistics that are sums over rows.
    """

    metric: str
    point: str
    columns: tuple[NDArray[np.float64], ...]
    function: Callable[..., float]
    is_mean: bool = False
    error_power: float = -0.5

    @property
    def value(self) -> float:
        """The statistic of the whole sample."""
        return float(self.function(*self.columns))


class Bootstrap:
    """Resampling with a fixed seed.

    A large sample is resampled in part: ``m`` rows are drawn of ``n``, and the scatter scaled to ``n``.

    Parameters
    ----------
    n_resample : int
        Fewer than 2 give NaN errors where there is no formula.
    seed : int

    References
    ----------
    Efron 1979, Ann. Statist. 7, 1; Bickel, Götze & van Zwet 1997, Statistica Sinica 7, 1.
    """

    def __init__(self, n_resample: int, *, seed: int = 0) -> None:
        self.n_resample = n_resample
        self._rng = np.random.default_rng(seed)

    def errors(self, statistics: Sequence[Statistic], *, max_rows: int) -> list[float]:
        """One standard error for each statistic.

        Parameters
        ----------
        statistics : sequence of Statistic
            Of one sample.
        max_rows : int
            Rows of one resample at most.

        Returns
        -------
        list of float
        """
        resampled = [statistic for statistic in statistics if not statistic.is_mean]
        scatter = iter(self._scatter(resampled, max_rows))
        return [
            _error_of_mean(statistic.columns[0]) if statistic.is_mean else next(scatter) for statistic in statistics
        ]

    def _scatter(self, statistics: Sequence[Statistic], max_rows: int) -> list[float]:
        if self.n_resample < 2 or not statistics:
            return [np.nan] * len(statistics)
        n_obj = statistics[0].columns[0].size
        n_rows = min(n_obj, max_rows)
        values = np.empty((self.n_resample, len(statistics)))
        for resample in range(self.n_resample):
            rows = self._rng.integers(n_obj, size=n_rows)
            # Statistics share columns: take the rows of each column once.
            taken = {id(column): column[rows] for statistic in statistics for column in statistic.columns}
            values[resample] = [
                statistic.function(*(taken[id(column)] for column in statistic.columns)) for statistic in statistics
            ]
        powers = np.array([statistic.error_power for statistic in statistics])
        scaled: list[float] = (np.std(values, axis=0, ddof=1) * (n_obj / n_rows) ** powers).tolist()
        return scaled


def _error_of_mean(column: NDArray[np.float64]) -> float:
    return float(np.std(column, ddof=1) / np.sqrt(column.size)) if column.size > 1 else np.nan
