"""The regions to observe next: cells of the target's map in which most objects are without training objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pzcenter.training.coverage_report import Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pzcenter.training.coverage_tally import TargetTally

__all__ = ["regions_to_observe"]

_RANGE = (5.0, 95.0)
"""Percentiles between which a region is said to lie."""


def regions_to_observe(tally: TargetTally, cell_sample: NDArray[np.int32], *, n_regions: int) -> tuple[Region, ...]:
    """Cells in the order of the target objects that are not covered in them: share of the target times lack.

    Parameters
    ----------
    tally : TargetTally
        The target, counted.
    cell_sample : ndarray of int32, (n,)
        Cell of each object of the space's sample: these describe the region.
    n_regions : int
        At most so many.

    Returns
    -------
    tuple of Region
        Without cells in which everything is covered.
    """
    lacking = tally.cell_target - tally.cell_covered
    worst = np.argsort(-lacking, kind="stable")[:n_regions]
    return tuple(_region(tally, cell_sample, int(cell)) for cell in worst if lacking[cell] > 0)


def _region(tally: TargetTally, cell_sample: NDArray[np.int32], cell: int) -> Region:
    n_target, space = int(tally.cell_target[cell]), tally.net.space
    mag = space.mag_sample[cell_sample == cell]
    if not len(mag):
        mag = tally.net.cell_mag[[cell]]
    low, high = np.percentile(np.column_stack([mag[:, :-1] - mag[:, 1:], mag[:, space.mag_index]]), _RANGE, axis=0)
    ranges = {name: (float(a), float(b)) for name, a, b in zip(space.feature_names, low, high, strict=True)}
    return Region(
        cell=divmod(cell, tally.net.shape[1]),
        target_share=n_target / int(tally.cell_target.sum()),
        lack=1.0 - int(tally.cell_covered[cell]) / n_target,
        n_target=n_target,
        n_training=int(tally.cell_training[cell]),
        magnitude={space.mag_band: ranges.pop(space.mag_band)},
        colours=ranges,
        z_phot_median=tally.z_phot_median(cell),
        examples=tally.examples(cell),
    )
