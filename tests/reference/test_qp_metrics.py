"""Our p(z) algebra and metrics beside those of qp, the ensemble package of the RAIL ecosystem.

Where the two must differ, the test computes qp's number from our convention and its known deviation, so that a change
on either side is seen:

- the cumulative of qp's ``interp`` is linear between grid points though its density is; it leaves the true one by up to
  ``h abs(dp)/8``;
- it counts half of the first cell's left value twice, so that densities that are not zero at the first grid point come
  out with a wrong norm;
- its CDE loss takes p at the grid point nearest to the truth, and its default grid ends at 2.5;
- its PIT outlier rate is read off 100 quantiles of the PIT values, not counted;
- PIT values that are NaN become 0.
"""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.science import metrics
from pzcenter.science import pz as algebra

qp = pytest.importorskip("qp")
pytestmark = [pytest.mark.reference, pytest.mark.filterwarnings("ignore")]

Z = np.linspace(0.0, 3.0, 301)
STEP = Z[1] - Z[0]
N_OBJ = 2000


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(21)
    centre = rng.uniform(0.5, 2.3, N_OBJ)
    sigma = rng.uniform(0.03, 0.12, N_OBJ)
    second = np.clip(centre + rng.normal(size=N_OBJ), 0.5, 2.3)
    shape = lambda c: np.exp(-0.5 * ((Z - c[:, None]) / sigma[:, None]) ** 2)  # noqa: E731 - a formula
    pdf = shape(centre) + rng.uniform(0.0, 0.5, N_OBJ)[:, None] * shape(second)
    pdf[:, 0] = 0.0  # see the module's docstring
    pdf = algebra.normalise(pdf, Z).astype(np.float64)
    pdf /= np.trapezoid(pdf, Z, axis=1)[:, None]
    z_spec = centre + 1.2 * sigma * rng.normal(size=N_OBJ)
    return pdf, z_spec, qp.Ensemble(qp.interp, data={"xvals": Z, "yvals": pdf})


def test_density_and_cumulative(sample):
    pdf, z_spec, ensemble = sample
    column = z_spec[:, None]
    np.testing.assert_allclose(algebra.density_at(pdf, Z, z_spec), np.squeeze(ensemble.pdf(column)), atol=1e-5)
    np.testing.assert_allclose(algebra.cdf(pdf, Z), ensemble.cdf(Z), atol=2e-6)
    within_cell = STEP * np.abs(np.diff(pdf, axis=1)).max(axis=1) / 8.0
    ours, theirs = metrics.pit(pdf, Z, z_spec), np.squeeze(ensemble.cdf(column))
    assert np.all(np.abs(ours - theirs) <= within_cell + 2e-6)


def test_quantiles(sample):
    pdf, _, ensemble = sample
    q = np.array([0.025, 0.16, 0.5, 0.84, 0.975])
    # the two cumulatives differ inside a cell only
    np.testing.assert_allclose(algebra.quantiles(pdf, Z, q), ensemble.ppf(q), atol=STEP)
    assert np.median(np.abs(algebra.quantiles(pdf, Z, q) - ensemble.ppf(q))) < 0.02 * STEP


def test_point_estimates(sample):
    pdf, _, ensemble = sample
    e = algebra.point_estimates(pdf, Z)
    np.testing.assert_allclose(e.z_mode, np.squeeze(ensemble.mode(Z)), atol=1e-6)
    np.testing.assert_allclose(e.z_mean, (pdf * Z).sum(axis=1) / pdf.sum(axis=1), atol=1e-5)


@pytest.mark.slow
def test_best_is_qps_risk_based_point(sample):
    """qp minimises the same risk with a general optimiser in the continuum; ours is on the grid."""
    from qp.metrics.metrics import calculate_rbpe

    pdf, _, ensemble = sample
    some = np.arange(2)  # qp takes seconds for each
    theirs = calculate_rbpe(ensemble[some], limits=(0.0, 3.0))
    ours = algebra.point_estimates(pdf[some], Z)
    risk_theirs = np.array([algebra.risk(pdf[g : g + 1], Z, [z])[0, 0] for g, z in zip(some, theirs, strict=True)])
    assert np.all(ours.z_risk <= risk_theirs + 1e-3)  # half a grid step of a risk with R'' < 90: 1.1e-3
    np.testing.assert_allclose(ours.z_best, theirs, atol=STEP)


def test_pit_statistics(sample):
    from qp.metrics.pit import PIT

    pdf, z_spec, ensemble = sample
    theirs = PIT(ensemble, z_spec)
    pit = np.squeeze(ensemble.cdf(z_spec[:, None]))
    assert metrics.pit_ks(pit) == pytest.approx(theirs.evaluate_PIT_KS().statistic, rel=1e-9)
    assert metrics.pit_cvm(pit) == pytest.approx(theirs.evaluate_PIT_CvM().statistic, rel=1e-9)
    assert metrics.pit_ks(metrics.pit(pdf, Z, z_spec)) == pytest.approx(theirs.evaluate_PIT_KS().statistic, abs=1e-3)
    # theirs is read off a curve through 100 quantiles
    assert metrics.pit_outlier_rate(pit) == pytest.approx(theirs.evaluate_PIT_outlier_rate(), abs=0.01)


def test_cde_loss(sample):
    from qp.metrics.concrete_metric_classes import CDELossMetric

    pdf, z_spec, ensemble = sample
    nearest = Z[np.clip(np.rint((z_spec - Z[0]) / STEP).astype(int), 0, Z.size - 1)]
    theirs = CDELossMetric(Z).evaluate(ensemble, z_spec)
    assert metrics.cde_loss(pdf, Z, nearest) == pytest.approx(theirs, abs=2e-5)
    assert metrics.cde_loss(pdf, Z, z_spec) == pytest.approx(theirs, abs=0.02)


def test_brier_with_our_classes(sample):
    from qp.metrics.brier import Brier

    pdf, z_spec, _ = sample
    cell_probability = 0.5 * STEP * (pdf[:, 1:] + pdf[:, :-1])
    truth = np.zeros_like(cell_probability)
    truth[np.arange(N_OBJ), np.clip(np.searchsorted(Z, z_spec, side="right") - 1, 0, 299)] = 1
    assert metrics.brier(pdf, Z, z_spec) == pytest.approx(Brier(cell_probability, truth).evaluate(), abs=2e-6)


def test_qp_counts_the_first_value_twice():
    """Shows why densities that do not vanish at the first grid point are compared nowhere above."""
    flat = np.full((1, 301), 1.0 / 3.0)
    ensemble = qp.Ensemble(qp.interp, data={"xvals": Z, "yvals": flat})
    assert np.squeeze(ensemble.cdf(0.0)) == pytest.approx(0.5 * STEP / 3.0, rel=1e-6)
    assert metrics.pit(flat, Z, [0.0])[0] == 0.0


def test_point_metrics_are_those_of_rail(sample):
    """RAIL's classes, where the package is installed; its formulas otherwise."""
    _, z_spec, _ = sample
    z_phot = z_spec + 0.03 * (1 + z_spec) * np.random.default_rng(3).standard_t(2, z_spec.size)
    try:
        from rail.evaluation.metrics import pointestimates as rail
    except ImportError:
        ez = (z_phot - z_spec) / (1 + z_spec)
        width = np.subtract(*np.percentile(ez, [75.0, 25.0])) / 1.349
        expected = {
            "bias": np.median(ez),
            "sigma_iqr": width,
            "sigma_mad": 1.4826 * np.median(np.abs(ez - np.median(ez))),
            "outlier_fraction_3sigma": np.mean(np.abs(ez) > max(0.06, 3 * width)),
        }
    else:
        classes = {
            "bias": rail.PointBias,
            "sigma_iqr": rail.PointSigmaIQR,
            "sigma_mad": rail.PointSigmaMAD,
            "outlier_fraction_3sigma": rail.PointOutlierRate,
        }
        expected = {name: cls(z_phot, z_spec).evaluate() for name, cls in classes.items()}
    for name, value in expected.items():
        assert getattr(metrics, name)(z_phot, z_spec) == pytest.approx(value, rel=1e-12), name
