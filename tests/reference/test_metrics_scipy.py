"""Metrics of n(z) and bins beside scipy and scikit-learn, and RAIL's bin overlap by its formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pzcenter.science import metrics

pytestmark = pytest.mark.reference
Z = np.linspace(0.0, 3.0, 301)


@pytest.fixture(scope="module")
def bins():
    rng = np.random.default_rng(5)
    z_spec = rng.gamma(3.0, 0.3, 4000)
    z_phot = z_spec + 0.06 * (1 + z_spec) * rng.standard_t(3, z_spec.size)
    edges = np.array([0.0, 0.5, 0.8, 1.1, 6.0])
    return z_spec, metrics.assign_bins(z_spec, edges), metrics.assign_bins(z_phot, edges)


def test_wasserstein_of_two_histograms(bins):
    """scipy on grid points with weights, as the DESC n(z) challenge does it; half a step is what a histogram knows."""
    z_spec, _, _ = bins
    nz = np.exp(-0.5 * ((Z - 0.9) / 0.4) ** 2)
    edges = np.append(Z - 0.005, Z[-1] + 0.005)
    counts, _ = np.histogram(z_spec[z_spec < 3.0], bins=edges)
    theirs = stats.wasserstein_distance(Z, Z, u_weights=nz, v_weights=counts)
    assert metrics.nz_wasserstein(nz, Z, z_spec[z_spec < 3.0]) == pytest.approx(theirs, abs=0.005)


def test_information_of_two_histograms(bins):
    z_spec, _, _ = bins
    cells = np.arange(0.0, 3.01, 0.1)
    nz = np.exp(-0.5 * ((Z - 0.9) / 0.4) ** 2)
    counts, _ = np.histogram(z_spec, bins=cells)
    area = np.array([np.trapezoid(nz[i : i + 11], Z[i : i + 11]) for i in range(0, 300, 10)])
    theirs = stats.entropy(counts + 1e-12 * counts.sum(), area, base=2)
    assert metrics.nz_kl_bits(nz, Z, z_spec, cells) == pytest.approx(theirs, rel=1e-6)


def test_overlap_of_two_kernel_densities(bins):
    """RAIL's KDEBinOverlap: Gaussian kernels of each bin, overlap of their densities."""
    z_spec, _, assigned = bins
    grid = np.linspace(0.0, 3.0, 1000)
    one, two = (stats.gaussian_kde(z_spec[assigned == i]) for i in (1, 2))
    theirs = np.trapezoid(np.minimum(one(grid), two(grid)), grid)
    assert metrics.nz_overlap(one(grid), two(grid), grid) == pytest.approx(theirs, rel=0.01)


def test_agreement_of_bins(bins):
    sklearn = pytest.importorskip("sklearn.metrics")
    _, true, assigned = bins
    used = assigned >= 0
    table = metrics.confusion_table(true, assigned, 4)
    assert metrics.bin_accuracy(table) == pytest.approx(sklearn.accuracy_score(true[used], assigned[used]))
    assert metrics.balanced_accuracy(table) == pytest.approx(
        sklearn.balanced_accuracy_score(true[used], assigned[used])
    )
    assert metrics.bin_kappa(table) == pytest.approx(sklearn.cohen_kappa_score(true[used], assigned[used]))
    bits = sklearn.mutual_info_score(true[used], assigned[used]) / np.log(2)
    assert metrics.mutual_information(table, corrected=False) == pytest.approx(bits)


def test_information_of_a_continuous_redshift(bins):
    """scikit-learn's estimate from nearest neighbours, as in the DESC n(z) challenge; ours is from cells of 0.05."""
    selection = pytest.importorskip("sklearn.feature_selection")
    z_spec, _, assigned = bins
    used = assigned >= 0
    theirs = selection.mutual_info_classif(z_spec[used, None], assigned[used], random_state=1)[0] / np.log(2)
    cell = (z_spec[used] / 0.05).astype(int)
    table = np.zeros((cell.max() + 1, 4), dtype=int)
    np.add.at(table, (cell, assigned[used]), 1)
    assert metrics.mutual_information(table) == pytest.approx(theirs, abs=0.04)
