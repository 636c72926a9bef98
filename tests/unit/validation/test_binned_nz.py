"""Tomographic bins: an estimate on an edge, but for rounding, is in one bin for the sums and for the counts."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.validation.binned_nz import TomographicBins, nz_rows
from pzcenter.validation.streamed_metrics import MetricChunk, score_chunks


@pytest.mark.parametrize("edge", [0.6, 0.7, 0.8, 1.2])
@pytest.mark.parametrize("rounding", [-1e-7, 0.0, 1e-7])
def test_estimates_on_an_edge(edge, rounding):
    rng = np.random.default_rng(1)
    grid = np.linspace(0, 3, 301)
    z_spec = rng.uniform(0.3, 1.8, 60)
    pdf = np.tile(np.exp(-0.5 * ((grid - 1.0) / 0.3) ** 2), (60, 1))
    chunk = MetricChunk(pdf, grid, z_spec, points={"z_best": np.full(60, edge + rounding)})
    bins = TomographicBins("two", "two", (0.4, edge, 1.4))
    rows = nz_rows(score_chunks([chunk]), bins, n_bootstrap=5)
    assert {row.n_obj for row in rows if row.bin_low == edge} == {60}
    assert all(np.isfinite(row.value) for row in rows if row.bin_low == edge)
    assert {row.n_obj for row in rows if row.bin_low == 0.4} == {0}
