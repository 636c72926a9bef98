"""Every engine of the template fit against the equations, on ordinary and on hostile input.

The suite runs on every engine that is present. What an engine may differ from the float64 oracle by:

* ``PDF_TOLERANCE`` of the maximum of p(z): float32 sums, and exp(-chi2/2) turns the error allowed to the screen of the
  numba engine, 2e-3 in chi2, into 1e-3.
* chi2 relative 1e-3 and absolute 0.01: residuals in float32 of bands at up to 1e5 standard deviations (the floor of the
  relative error) are good to 0.01 standard deviations.
* cells e-30 below the peak may be zero.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pzcenter.errors import GridError, NotFoundError, ShapeError, UsageError
from pzcenter.science.engines import TemplateProblem, engine_names, get_engine
from pzcenter.science.likelihood import flux_variance
from pzcenter.science.prior import HDFN_PRIOR, flat_prior, tabulate_prior

PDF_TOLERANCE = 1.5e-3
EVIDENCE_TOLERANCE = 2e-3
ORACLE = get_engine("numpy")

OPTIONS = {
    "plain": {},
    "template error": {"template_err": True},
    "marginal": {"marginalise_amplitude": True},
    "both": {"template_err": True, "marginalise_amplitude": True},
    "cut": {"p_min": 0.005},
}


@pytest.fixture(params=engine_names())
def engine(request):
    return get_engine(request.param)


def make_problem(*, n_template=5, n_band=6, n_z=101, z_max=3.0, seed=1, template_err=False, **options):
    """Smooth random templates, a third of them of each type, with the HDF-N prior."""
    rng = np.random.default_rng(seed)
    z_grid = np.linspace(0.0, z_max, n_z)
    model_flux = np.exp(np.cumsum(rng.normal(scale=0.15, size=(n_template, n_band, n_z)), axis=2))
    types = np.arange(n_template) % 3
    prior = tabulate_prior(z_grid, HDFN_PRIOR, types, mag_step=0.1)
    settings_ = {"relative_err": np.full(n_band, 0.02)} | options
    if template_err:
        settings_["template_err"] = 0.05 * (1 + 0.5 * np.sin(np.arange(n_band)[:, None] + 3 * z_grid))
    return TemplateProblem(
        model_flux, z_grid, prior.log_prior, prior.mag_min, prior.mag_step, template_type=types, **settings_
    )


def make_photometry(problem, *, n_obj=150, seed=2, snr=10.0):
    """Fluxes of random templates at random redshifts, with noise; some objects lack bands."""
    rng = np.random.default_rng(seed)
    t, k = rng.integers(0, problem.n_template, n_obj), rng.integers(0, problem.n_z, n_obj)
    truth = problem.model_flux[t, :, k] * 10 ** rng.uniform(1, 4, (n_obj, 1))
    flux_err = truth.mean(axis=1, keepdims=True) / snr * np.ones_like(truth)
    flux = truth + rng.normal(size=truth.shape) * flux_err
    if problem.n_band > 1:
        flux[rng.uniform(size=flux.shape) < 0.05] = np.nan
    return flux, flux_err, rng.uniform(17.0, 28.0, n_obj)


def assert_same(fit, oracle, problem):
    """Equal up to the tolerances at the head of this file."""
    found = ~np.isnan(oracle.pdf[:, 0])
    assert np.array_equal(~np.isnan(fit.pdf).any(axis=1), found)
    assert np.array_equal(fit.n_band_used, oracle.n_band_used)
    for name in ("chi2", "template_odds", "log_evidence"):
        assert np.array_equal(np.isfinite(getattr(fit, name)), found), name
    assert np.all(fit.template_id[~found] == -1)
    if not found.any():
        return
    peak = oracle.pdf[found].max(axis=1, keepdims=True)
    difference = np.abs(fit.pdf[found] - oracle.pdf[found]) / peak
    # A cell on the edge of the cut may fall on either side of it.
    on_the_edge = np.abs(np.minimum(fit.pdf[found], oracle.pdf[found])) == 0
    tolerance = np.where(on_the_edge, PDF_TOLERANCE + 1.1 * problem.p_min, PDF_TOLERANCE + 0.02 * (problem.p_min > 0))
    assert np.all(difference <= tolerance)
    assert fit.template_odds[found] == pytest.approx(oracle.template_odds[found], abs=2 * PDF_TOLERANCE)
    assert fit.log_evidence[found] == pytest.approx(oracle.log_evidence[found], abs=EVIDENCE_TOLERANCE, rel=1e-5)
    decided = found & (oracle.template_odds > 0.5 + PDF_TOLERANCE)
    assert np.array_equal(fit.template_id[decided], oracle.template_id[decided])
    # The best cell may be another one that is as good but for rounding; its chi2 with the prior then agrees, not alone.
    close = np.isclose(fit.chi2[found], oracle.chi2[found], rtol=1e-3, atol=0.01)
    assert close.mean() > 0.97 or found.sum() < 40


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("snr", [1.0, 10.0, 1000.0])
def test_engines_agree_with_the_equations(engine, options, snr):
    problem = make_problem(**options)
    photometry = make_photometry(problem, snr=snr)
    assert_same(engine.fit(problem, *photometry), ORACLE.fit(problem, *photometry), problem)


@pytest.mark.parametrize("n_band", [1, 4, 12])
def test_any_number_of_bands(engine, n_band):
    problem = make_problem(n_band=n_band, n_z=61)
    photometry = make_photometry(problem)
    assert_same(engine.fit(problem, *photometry), ORACLE.fit(problem, *photometry), problem)


@pytest.mark.parametrize(("n_template", "n_z"), [(1, 2), (3, 15), (2, 16), (31, 33), (4, 601)])
def test_any_grid(engine, n_template, n_z):
    problem = make_problem(n_template=n_template, n_z=n_z, z_max=6.0)
    photometry = make_photometry(problem, n_obj=40)
    assert_same(engine.fit(problem, *photometry), ORACLE.fit(problem, *photometry), problem)


def test_a_grid_without_even_steps(engine):
    problem = make_problem()
    problem = replace(problem, z_grid=np.expm1(np.linspace(0, np.log(4.0), problem.n_z)))
    photometry = make_photometry(problem)
    assert_same(engine.fit(problem, *photometry), ORACLE.fit(problem, *photometry), problem)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_densities_have_unit_integral(engine, options):
    problem = make_problem(**options)
    fit = engine.fit(problem, *make_photometry(problem))
    assert fit.pdf.dtype == np.float32
    assert np.all(fit.pdf >= 0)
    assert np.trapezoid(fit.pdf, problem.z_grid, axis=1) == pytest.approx(1.0, rel=1e-5)


def test_a_noiseless_object_is_found(engine):
    problem = make_problem()
    flux = 1000.0 * problem.model_flux[[1, 3], :, [20, 60]]
    fit = engine.fit(problem, flux, 0.001 * flux, np.array([np.nan, np.nan]))
    assert list(fit.template_id) == [1, 3]
    assert list(fit.pdf.argmax(axis=1)) == [20, 60]
    assert fit.chi2 == pytest.approx([0.0, 0.0], abs=1e-3)
    assert fit.template_odds == pytest.approx([1.0, 1.0])


def test_objects_without_an_estimate(engine):
    problem = make_problem()
    flux, flux_err, mag = make_photometry(problem, n_obj=6)
    flux[0] = np.nan  # nothing measured
    flux_err[1] = 0.0
    flux_err[2] = np.inf
    flux[3] = -np.abs(np.nan_to_num(flux[3], nan=1.0))  # only absorption
    flux[4] = 0.0
    fit = engine.fit(problem, flux, flux_err, mag)
    assert np.isnan(fit.pdf[:5]).all()
    assert not np.isnan(fit.pdf[5]).any()
    assert list(fit.n_band_used[:5]) == [0, 0, 0, 6, 6]
    assert np.isnan(fit.chi2[:5]).all()
    assert np.isnan(fit.log_evidence[:5]).all()
    assert list(fit.template_id[:5]) == [-1] * 5


def test_a_prior_of_zero_everywhere_gives_no_estimate(engine):
    problem = make_problem()
    problem = replace(problem, log_prior=np.full_like(problem.log_prior, -np.inf))
    flux, flux_err, mag = make_photometry(problem, n_obj=3)
    assert np.isnan(engine.fit(problem, flux, flux_err, mag).pdf).all()


def test_a_redshift_without_prior_has_no_density(engine):
    problem = make_problem()
    log_prior = problem.log_prior.copy()
    log_prior[:, :, 40:70] = -np.inf
    problem = replace(problem, log_prior=log_prior)
    fit = engine.fit(problem, *make_photometry(problem))
    assert np.all(fit.pdf[:, 40:70] == 0)


def test_templates_without_flux_have_no_likelihood(engine):
    problem = make_problem()
    model_flux = problem.model_flux.copy()
    model_flux[:, :, 50:] = 0.0
    model_flux[2] = 0.0
    problem = replace(problem, model_flux=model_flux)
    flux, flux_err, mag = make_photometry(make_problem())
    fit = engine.fit(problem, flux, flux_err, mag)
    found = ~np.isnan(fit.pdf[:, 0])
    assert np.all(fit.pdf[found][:, 50:] == 0)
    assert not np.any(fit.template_id[found] == 2)
    assert_same(fit, ORACLE.fit(problem, flux, flux_err, mag), problem)


def test_missing_bands_weigh_nothing(engine):
    problem = make_problem()
    flux, flux_err, mag = make_photometry(problem)
    flux[:, 1], flux_err[:, 4] = np.nan, -1.0
    kept = [0, 2, 3, 5]
    fewer = replace(problem, model_flux=problem.model_flux[:, kept], relative_err=problem.relative_err[kept])
    fit, same = engine.fit(problem, flux, flux_err, mag), engine.fit(fewer, flux[:, kept], flux_err[:, kept], mag)
    peak = np.nanmax(fit.pdf, axis=1, keepdims=True)
    assert np.allclose(fit.pdf / peak, same.pdf / peak, atol=PDF_TOLERANCE, equal_nan=True)


def test_the_unit_of_the_flux_is_free(engine):
    problem = make_problem()
    flux, flux_err, mag = make_photometry(problem)
    nanojansky, maggies = (
        engine.fit(problem, flux, flux_err, mag),
        engine.fit(problem, flux * 1e-12, flux_err * 1e-12, mag),
    )
    peak = np.nanmax(nanojansky.pdf, axis=1, keepdims=True)
    assert np.allclose(nanojansky.pdf / peak, maggies.pdf / peak, atol=1e-4, equal_nan=True)


def test_order_and_company_do_not_matter(engine):
    problem = make_problem()
    flux, flux_err, mag = make_photometry(problem)
    order = np.random.default_rng(3).permutation(len(mag))[:50]
    whole, part = (
        engine.fit(problem, flux, flux_err, mag),
        engine.fit(problem, flux[order], flux_err[order], mag[order]),
    )
    assert np.array_equal(whole.pdf[order], part.pdf, equal_nan=True)


def test_a_magnitude_outside_the_table_takes_its_end(engine):
    problem = make_problem()
    flux, flux_err, _ = make_photometry(problem, n_obj=4)
    inside = engine.fit(problem, flux, flux_err, np.array([20.0, 20.0, 32.0, 32.0]))
    outside = engine.fit(problem, flux, flux_err, np.array([-99.0, -np.inf, 99.0, np.inf]))
    assert np.array_equal(inside.pdf, outside.pdf, equal_nan=True)


def test_an_unknown_magnitude_means_no_prior(engine):
    problem = make_problem()
    flux, flux_err, mag = make_photometry(problem, n_obj=20)
    prior = flat_prior(problem.z_grid, problem.n_template)
    flat = replace(problem, log_prior=prior.log_prior, template_type=np.zeros(problem.n_template, dtype=int))
    unknown, without = (
        engine.fit(problem, flux, flux_err, np.full_like(mag, np.nan)),
        engine.fit(flat, flux, flux_err, mag),
    )
    assert np.allclose(unknown.pdf, without.pdf, rtol=1e-4, atol=1e-4, equal_nan=True)


def test_arguments_stay_as_they_are(engine):
    problem = make_problem(template_err=True)
    arguments = make_photometry(problem)
    arrays = [*arguments, problem.model_flux, problem.log_prior, problem.template_err]
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    engine.fit(problem, *arguments)
    for a, b in zip(arrays, before, strict=True):
        assert np.array_equal(a, b, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f4"])
def test_any_float_type_and_memory_order(engine, dtype):
    problem = make_problem()
    flux, flux_err, mag = make_photometry(problem)
    fit = engine.fit(problem, np.asfortranarray(flux.astype(dtype)), flux_err.astype(dtype)[::1], mag.astype(dtype))
    assert_same(fit, ORACLE.fit(problem, flux.astype(dtype), flux_err.astype(dtype), mag.astype(dtype)), problem)


def test_no_object_is_fine(engine):
    problem = make_problem()
    fit = engine.fit(problem, np.empty((0, 6)), np.empty((0, 6)), np.empty(0))
    assert fit.pdf.shape == (0, problem.n_z)


def test_threads_agree(engine):
    problem = make_problem()
    photometry = make_photometry(problem, n_obj=300)
    alone = engine.fit(problem, *photometry).pdf
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: engine.fit(problem, *photometry).pdf, range(8)))
    assert all(np.array_equal(alone, pdf, equal_nan=True) for pdf in together)


PROBLEMS = {name: make_problem(n_z=48, n_template=3, **options) for name, options in OPTIONS.items()}
NUMBER = st.one_of(
    st.floats(-1e9, 1e9, allow_subnormal=False),
    st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-9, 1e-4, -1e-4, 1e8, -99.0, 99.0]),
)


@settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(list(OPTIONS)),
    values=st.lists(st.tuples(NUMBER, NUMBER), min_size=6, max_size=6),
    mag=st.one_of(st.floats(10, 40), st.sampled_from([np.nan, np.inf, -np.inf])),
)
def test_hostile_photometry(engine, name, values, mag):
    problem = PROBLEMS[name]
    flux, flux_err = np.array(values).T[:, None]
    with np.errstate(all="ignore"):
        oracle = ORACLE.fit(problem, flux, flux_err, np.array([mag]))
    fit = engine.fit(problem, flux, flux_err, np.array([mag]))
    variance = flux_variance(flux, flux_err, problem.relative_err)[:, :, 0]
    null = np.sum(np.where(np.isfinite(variance), flux, 0.0) ** 2 / variance)
    finite = variance[np.isfinite(variance)]
    comparable = finite.size > 0 and finite.max() < 1e24 * finite.min()  # else beyond the range of float32
    assert_hostile(fit, oracle, problem, null=null, comparable=comparable)


def assert_hostile(fit, oracle, problem, *, null, comparable):
    """No number is made up: a density or NaN, in agreement where a density is not decided by rounding."""
    assert np.array_equal(fit.n_band_used, oracle.n_band_used)
    if np.isnan(fit.pdf).all():
        # The oracle may still see a positive amplitude where float32 sees none: then it is nil beside its error.
        assert not comparable or np.isnan(oracle.pdf).all() or oracle.chi2[0] >= (1 - 1e-5) * null - 1e-5
        return
    assert np.all(np.isfinite(fit.pdf))
    assert np.all(fit.pdf >= 0)
    assert np.trapezoid(fit.pdf[0], problem.z_grid) == pytest.approx(1.0, rel=1e-5)
    assert np.isfinite(fit.log_evidence[0])
    assert fit.chi2[0] >= 0
    assert 0 < fit.template_odds[0] <= 1 + 1e-6
    # A misfit of a million standard deviations is known to one part in 1e6 by float32: no density can agree then.
    if comparable and oracle.chi2[0] < 1e3:
        assert np.abs(fit.pdf - oracle.pdf).max() <= (0.02 + 1.1 * problem.p_min) * oracle.pdf.max()


def test_names():
    assert engine_names()[0] == "numba"
    assert "numpy" in engine_names()
    assert get_engine() is get_engine("auto")
    assert get_engine("auto").name == engine_names()[0]
    assert all(get_engine(name).name == name for name in engine_names())


def test_an_unknown_engine_is_refused():
    with pytest.raises(NotFoundError, match="numpy"):
        get_engine("abacus")


def test_photometry_of_another_shape_is_refused(engine):
    problem = make_problem()
    with pytest.raises(ShapeError, match="6"):
        engine.fit(problem, np.ones((3, 5)), np.ones((3, 5)), np.ones(3))
    with pytest.raises(ShapeError):
        engine.fit(problem, np.ones((3, 6)), np.ones((3, 6)), np.ones(4))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model_flux": np.ones((5, 6))}, ShapeError),
        ({"z_grid": np.linspace(0, 3, 100)}, ShapeError),
        ({"z_grid": np.zeros(101)}, GridError),
        ({"log_prior": np.zeros((3, 101))}, ShapeError),
        ({"log_prior": np.full((1, 3, 101), np.nan)}, UsageError),
        ({"template_type": np.array([0, 1, 2, 3, 0])}, ShapeError),
        ({"relative_err": np.zeros(5)}, ShapeError),
        ({"relative_err": np.full(6, -0.1)}, UsageError),
        ({"template_err": np.zeros((6, 100))}, ShapeError),
        ({"model_flux": np.full((5, 6, 101), -1.0)}, UsageError),
        ({"model_flux": np.full((5, 6, 101), np.nan)}, UsageError),
        ({"prior_mag_step": 0.0}, UsageError),
        ({"p_min": 1.0}, UsageError),
    ],
)
def test_impossible_problems_are_refused(changes, error):
    with pytest.raises(error):
        replace(make_problem(), **changes)
