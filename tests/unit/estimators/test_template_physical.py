from __future__ import annotations

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM

from pzcenter.errors import ConfigError, ShapeError
from pzcenter.estimators.template import TemplateConfig, TemplateEstimator
from pzcenter.estimators.template_physical import physical_quantities
from pzcenter.schema import Photometry
from pzcenter.science.filters import load_filter
from pzcenter.science.sed import load_template_set
from pzcenter.science.synthetic import synthetic_flux
from pzcenter.testing import synthetic_sky

GRID = np.linspace(0, 3, 301)
PLAIN = TemplateConfig(template_set="cwwsb4", n_between=0, igm="none", calibration="none")
BANDS = tuple("ugrizy")


@pytest.fixture(scope="module")
def model():
    return TemplateEstimator.default(config=PLAIN, z_grid=GRID)


def seen(template, z, mag_abs_i, *, rel_err=0.01):
    """Fluxes of a galaxy of this absolute magnitude, from the spectrum and astropy's distance alone."""
    templates = load_template_set("cwwsb4")
    curves = [load_filter(f"lsst_{band}") for band in BANDS]
    observed, rest = (synthetic_flux(templates, curves, np.array([at]))[template, :, 0] for at in (z, 0.0))
    distmod = FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0).distmod(z).value
    at_10_pc = rest * 10 ** (-0.4 * (mag_abs_i - 31.4)) / rest[3]
    # m = M + DM + K with K = -2.5 log10[F(z) / ((1 + z) F(0))], Hogg et al. 2002.
    flux = at_10_pc * 10 ** (-0.4 * distmod) * observed / ((1 + z) * rest)
    mag_abs = 31.4 - 2.5 * np.log10(at_10_pc)
    return Photometry(flux[None], rel_err * flux[None], BANDS), mag_abs


@pytest.mark.parametrize("template", [0, 3, 5])
@pytest.mark.parametrize("z", [0.05, 0.62, 1.8])
def test_absolute_magnitudes_are_those_of_the_spectrum(model, template, z):
    photometry, expected = seen(template, z, -21.5)
    found = physical_quantities(model, photometry, np.array([z]))
    assert found.template_id[0] == template and found.bands == BANDS
    np.testing.assert_allclose(found.mag_abs[0], expected, atol=2e-3)
    assert found.mag_abs[0, 3] == pytest.approx(-21.5, abs=2e-3)
    assert found.chi2[0] < 1e-3


def test_bands_that_were_not_measured_have_magnitudes(model):
    photometry, expected = seen(2, 0.5, -20.0)
    photometry.flux[0, 0] = np.nan
    found = physical_quantities(model, photometry, np.array([0.5]))
    np.testing.assert_allclose(found.mag_abs[0], expected, atol=2e-3)


def test_chi2_is_the_least_of_all_templates():
    """Against the sum written out, with errors of zero points."""
    config = PLAIN.model_copy(update={"zero_point_err": 0.03})
    model = TemplateEstimator.default(config=config, z_grid=GRID)
    sky = synthetic_sky(50, seed=1)
    z = np.round(sky.z_spec, 2)
    found = physical_quantities(model, sky.photometry, z)
    for row in range(50):
        flux, err = (values[row].astype(float) for values in (sky.photometry.flux, sky.photometry.flux_err))
        variance = err**2 + (0.03 * flux) ** 2
        at = round(z[row] / 0.01)
        sums = []
        for one in model.model.model_flux[:, :, at].astype(float):
            amplitude = max((flux * one / variance).sum() / (one**2 / variance).sum(), 0.0)
            sums.append(((flux - amplitude * one) ** 2 / variance).sum())
        assert found.chi2[row] == pytest.approx(min(sums), rel=1e-3)
        assert found.template_id[row] == int(np.argmin(sums))


def test_what_has_no_redshift_or_no_flux_has_no_quantities(model):
    photometry, _ = seen(1, 0.5, -20.0)
    many = Photometry(np.repeat(photometry.flux, 4, axis=0), np.repeat(photometry.flux_err, 4, axis=0), BANDS)
    many.flux[3] = np.nan
    found = physical_quantities(model, many, np.array([np.nan, 5.0, 0.005, 0.5]))
    assert found.template_id.tolist()[:2] == [-1, -1] and found.template_id[3] == -1
    assert np.isnan(found.mag_abs).all()
    assert np.isfinite(found.chi2).tolist() == [False, False, True, False]


def test_what_cannot_be_computed_is_refused(model):
    photometry, _ = seen(1, 0.5, -20.0)
    with pytest.raises(ShapeError):
        physical_quantities(model, photometry, np.array([0.5, 0.6]))
    late = TemplateEstimator.default(config=PLAIN, z_grid=np.linspace(0.1, 2, 20))
    with pytest.raises(ConfigError, match="begins at 0"):
        physical_quantities(late, photometry, np.array([0.5]))
