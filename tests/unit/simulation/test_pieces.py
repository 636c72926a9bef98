"""The pieces of a simulated sky against known answers."""

import numpy as np
import pandas as pd
import photerr
import pytest
from astropy.cosmology import FlatLambdaCDM
from scipy.special import gamma, gammaincc
from scipy.stats import kstest

from pzcenter.errors import BandError, ConfigError
from pzcenter.schema import BANDS
from pzcenter.science.cosmology import tabulate_distances
from pzcenter.science.filters import load_filter
from pzcenter.science.sed import Sed, TemplateSet
from pzcenter.simulation.galaxies import DUST_NODES, build_flux_grid, half_light_arcsec
from pzcenter.simulation.noise import (
    GAAP_SIGMA_ARCSEC,
    gaap_area_ratio,
    gaap_flux_fraction,
    lsst_noise,
    profile_area_ratio,
)
from pzcenter.simulation.population import GALAXY_CLASSES, LOG_LUMINOSITY, build_population, count_brighter
from pzcenter.simulation.sky import draw_dust_field, gather_groups, lay_footprint, patch_number
from pzcenter.simulation.spectroscopy import ColourCut, SpecSurvey, observe_redshifts
from pzcenter.simulation.stars import draw_stars, stellar_colours

BANDS = tuple(BANDS)


def rng(seed=1):
    return np.random.Generator(np.random.Philox(seed))


# Cosmology


def test_distances_are_those_of_astropy():
    distances = tabulate_distances(z_max=6.0)
    cosmology = FlatLambdaCDM(H0=70, Om0=0.3, Tcmb0=0)
    z = np.array([0.01, 0.3, 1.0, 2.5, 6.0])
    np.testing.assert_allclose(distances.comoving(z), cosmology.comoving_distance(z).value, rtol=1e-6)
    np.testing.assert_allclose(distances.modulus(z), cosmology.distmod(z).value, atol=1e-5)
    per_arcmin2 = cosmology.differential_comoving_volume(z).to_value("Mpc3 / arcmin2")
    np.testing.assert_allclose(distances.volume_per_arcmin2(z), per_arcmin2, rtol=1e-5)


# Noise


@pytest.mark.parametrize("years", [1, 10])
def test_flux_errors_are_those_of_photerr(years):
    mag = np.random.default_rng(0).uniform(17, 29, (500, 6))
    model = photerr.LsstErrorModel(nYrObs=years, decorrelate=False, outputType="maggy")
    # The errors of photerr are magnitudes of 1 + N/S, or fluxes made from them: N/S is what both start from.
    nsr = model._get_nsr_from_mags(mag, None, None, list(BANDS))
    flux = 10 ** (0.4 * (31.4 - mag))
    np.testing.assert_allclose(lsst_noise(BANDS, years=years).flux_err(flux), nsr * flux, rtol=1e-9)


def test_scatter_of_fluxes_is_that_of_photerr():
    mag = np.full((20_000, 6), 26.5)
    observed = photerr.LsstErrorModel(nYrObs=10, outputType="maggy")(pd.DataFrame(mag, columns=list(BANDS)), 42)
    scatter = observed[list(BANDS)].to_numpy().std(axis=0) * 10 ** (0.4 * 31.4)
    ours = lsst_noise(BANDS).flux_err(10 ** (0.4 * (31.4 - mag[:1])))[0]
    np.testing.assert_allclose(ours, scatter, rtol=0.02)


def test_depth_is_that_of_photerr():
    limits = photerr.LsstErrorModel(nYrObs=10, sigmaSys=0.0).getLimitingMags(nSigma=5)
    ours = 31.4 - 2.5 * np.log10(lsst_noise(BANDS).flux_limit)
    np.testing.assert_allclose(ours, [limits[band] for band in BANDS], atol=1e-9)


def test_negative_flux_has_the_error_of_the_sky():
    noise = lsst_noise(BANDS)
    np.testing.assert_array_equal(noise.flux_err(np.full((1, 6), -50.0)), noise.flux_err(np.zeros((1, 6))))


def test_unknown_band_is_refused():
    with pytest.raises(BandError, match="J"):
        lsst_noise(("i", "J"))


def test_area_ratio_of_a_star_is_one():
    np.testing.assert_array_equal(profile_area_ratio(np.zeros(2), np.array([0.4, 0.5])), np.ones((2, 2)))


def test_gaap_formulae_are_those_of_weights_on_pixels():
    step = 0.05
    x = np.arange(-6, 6, step)
    r2 = x[:, None] ** 2 + x[None, :] ** 2
    seeing, half_light = 0.42, 0.6
    own = half_light / np.sqrt(2 * np.log(2))
    weight_var = GAAP_SIGMA_ARCSEC**2 - seeing**2
    weight = np.exp(-r2 / (2 * weight_var)) * GAAP_SIGMA_ARCSEC**2 / weight_var
    image_var = seeing**2 + own**2
    image = np.exp(-r2 / (2 * image_var)) / (2 * np.pi * image_var)
    counted = (weight * image).sum() * step**2
    assert gaap_flux_fraction(np.array([half_light]))[0] == pytest.approx(counted, rel=1e-4)
    # White noise of unit variance per arcsec2; the best weight for a point has the variance 4 pi P^2.
    variance = (weight**2).sum() * step**2
    assert gaap_area_ratio(np.array([seeing]))[0] == pytest.approx(variance / (4 * np.pi * seeing**2), rel=1e-4)


# Galaxies


def test_counts_of_a_schechter_function():
    alpha = -0.53
    expected = gamma(alpha + 1) * gammaincc(alpha + 1, 10.0**LOG_LUMINOSITY)
    np.testing.assert_allclose(count_brighter(alpha)[:900], expected[:900], rtol=1e-3)


def test_star_forming_density_is_the_published_one():
    star_forming = GALAXY_CLASSES[1]
    assert star_forming.characteristic_magnitude(np.array(0.5)) == pytest.approx(-21.00)
    assert star_forming.characteristic_magnitude(np.array(0.9)) == pytest.approx(-21.00 - 1.03 * 0.4)
    quiescent = GALAXY_CLASSES[0]
    assert quiescent.characteristic_density(np.array(0.5)) == pytest.approx(10**-2.76)


@pytest.mark.parametrize("each", GALAXY_CLASSES, ids=lambda each: each.name)
def test_evolution_has_no_step(each):
    z = np.linspace(0.99, 1.01, 201)
    assert np.abs(np.diff(each.characteristic_magnitude(z))).max() < 2e-3
    assert np.abs(np.diff(np.log(each.characteristic_density(z)))).max() < 2e-3


@pytest.fixture(scope="module")
def population():
    z = np.linspace(0.01, 3.0, 300)
    return build_population(
        GALAXY_CLASSES,
        distances=tabulate_distances(z_max=3.0),
        z_max=3.0,
        faintest_magnitude=np.full((2, z.size), -19.0),
        z_of_faintest=z,
    )


def test_draws_follow_the_tables(population):
    kind, z, over_star = population.draw(rng(), 40_000)
    share = population.density.sum(axis=1) / population.density.sum()
    assert (kind == 0).mean() == pytest.approx(share[0], abs=4 * np.sqrt(share[0] / 40_000))
    cells = population.density.sum(axis=0)
    cdf = np.concatenate([[0], np.cumsum(cells)]) / cells.sum()
    assert kstest(z, lambda at: np.interp(at, population.z_edge, cdf)).pvalue > 1e-3
    magnitude = over_star + np.where(
        kind == 0, GALAXY_CLASSES[0].characteristic_magnitude(z), GALAXY_CLASSES[1].characteristic_magnitude(z)
    )
    assert magnitude.max() < -19.0 + 0.02  # within a redshift cell M* moves a little
    assert magnitude.min() < -23.0


def test_luminosities_follow_the_schechter_function(population):
    kind, z, over_star = population.draw(rng(2), 60_000)
    alike = (kind == 1) & (z > 0.495) & (z < 0.755) & (over_star < 1.5)
    alpha = GALAXY_CLASSES[1].alpha
    low = 10 ** (-0.4 * 1.5)
    count = count_brighter(alpha)
    total = np.interp(np.log10(low), LOG_LUMINOSITY, count)
    fainter = lambda log_x: 1 - np.interp(log_x, LOG_LUMINOSITY, count) / total  # noqa: E731 (a formula)
    assert kstest(-0.4 * over_star[alike], fainter).pvalue > 1e-3


@pytest.fixture(scope="module")
def grid():
    wavelength = np.geomspace(300, 30_000, 600)
    flat = Sed("flat in f_nu", wavelength, 1e-9 / wavelength**2)
    steep = Sed("flat in f_lambda", wavelength, np.full(wavelength.size, 1e-17))
    templates = TemplateSet("two", (flat, steep), np.array([0, 2]))
    return build_flux_grid(templates, [load_filter(f"lsst_{band}") for band in BANDS], z_max=2.0, z_step=0.1)


def test_flat_spectrum_has_the_k_correction_of_bandwidth_alone(grid):
    z = np.array([0.0, 0.05, 1.0, 1.73])
    flux = grid.interpolate(np.zeros(4), np.zeros(4), z)
    # M_B = 0: at 10 pc AB 0 in every band, and 1+z brighter per frequency by redshift (Hogg et al. 2002, eq. 2).
    expected = 10 ** (0.4 * 31.4) * (1 + z[:, None]) * np.ones(6)
    np.testing.assert_allclose(flux, expected, rtol=2e-3)


def test_interpolation_mixes_linearly(grid):
    z = np.full(3, 0.4)
    ends = grid.interpolate(np.array([0.0, 1.0, 0.25]), np.zeros(3), z)
    np.testing.assert_allclose(ends[2], 0.75 * ends[0] + 0.25 * ends[1], rtol=1e-6)
    node = grid.interpolate(np.zeros(1), DUST_NODES[[2]], np.array([0.4]))[0]
    np.testing.assert_allclose(node, grid.flux[0, 2, 4], rtol=1e-6)


def test_dust_reddens_and_keeps_the_b_magnitude(grid):
    clean, dusty = grid.interpolate(np.zeros(2), np.array([0.0, 0.3]), np.zeros(2))
    assert np.all(np.diff(dusty / clean) > 0)
    assert dusty[0] < clean[0]
    assert dusty[2] > clean[2]


def test_tilt_turns_about_4400_angstrom(grid):
    factor = grid.tilt(np.array([0.0, 1.0]), np.zeros(2))
    np.testing.assert_array_equal(factor[0], np.ones(6))
    np.testing.assert_allclose(factor[1], grid.wavelength / 4400.0)


def test_a_bright_galaxy_at_redshift_one_is_smaller_than_the_seeing():
    radius = half_light_arcsec(np.zeros(1), np.ones(1), np.array([3300.0]), np.zeros(1))
    assert 0.2 < radius[0] < 0.5


# Stars


def test_stellar_colours_redden_along_the_locus():
    colours = stellar_colours(np.linspace(0, 2.5, 50))
    assert np.all(np.diff(colours[:, 1]) > 0)
    assert np.all(np.diff(colours[:, 5]) < 0)
    turn_off = stellar_colours(np.array([0.1]))[0]
    assert turn_off[1] - turn_off[2] == pytest.approx(0.28, abs=0.05)  # g-r


def test_stars_keep_their_limits():
    mag, r_i = draw_stars(rng(), 5_000, faintest_i=26.0)
    assert mag[:, 3].max() < 26.0 + 0.2
    assert mag[:, 3].min() > 16.0 - 0.2
    assert 0.2 < (r_i > 0.6).mean() < 0.8


# The sky


@pytest.mark.parametrize("dec", [-90.0, -30.0, 5.0, 89.0])
@pytest.mark.parametrize("area", [0.1, 100.0, 15_000.0])
def test_footprint_has_its_area(dec, area):
    footprint = lay_footprint(ra=359.9, dec=dec, area_deg2=area, n_tract=7)
    assert footprint.area_deg2 == pytest.approx(area)
    assert footprint.n_tract >= 7
    ra, dec_at = footprint.coordinates(rng().random((1000, 2)))
    assert np.all((ra >= 0) & (ra < 360))
    assert np.all(np.abs(dec_at) <= 90)


def test_tracts_tile_the_footprint():
    footprint = lay_footprint(ra=10, dec=-20, area_deg2=4, n_tract=6)
    corners = np.array([[0.0, 0.0], [1.0, 1.0]])
    places = np.stack([footprint.place(tract, corners) for tract in range(footprint.n_tract)])
    areas = np.prod(places[:, 1] - places[:, 0], axis=1)
    np.testing.assert_allclose(areas, 1 / footprint.n_tract)
    assert places.min() == 0
    assert places.max() == 1
    width, height = footprint.degrees_across(0)
    assert width * height * footprint.n_tract == pytest.approx(4, rel=1e-3)


def test_patches_are_a_hundred():
    patch = patch_number(rng().random((5000, 2)))
    assert set(patch) == set(range(100))


def test_sky_larger_than_the_sphere_is_refused():
    with pytest.raises(ConfigError, match="does not fit"):
        lay_footprint(ra=0, dec=0, area_deg2=40_000, n_tract=1)


def test_dust_field_is_smooth_and_positive():
    field = draw_dust_field(rng(), mean=0.05)
    dec = np.linspace(-30, -29.99, 100)
    ebv = field.ebv(np.full(100, 40.0), dec)
    assert np.all(ebv > 0)
    assert np.ptp(ebv) < 0.01
    wide = field.ebv(rng(3).uniform(0, 360, 2000), np.rad2deg(np.arcsin(rng(4).uniform(-1, 1, 2000))))
    assert np.median(wide) == pytest.approx(0.05, rel=0.2)


def test_groups_bring_galaxies_of_one_redshift_together():
    n_obj = 4000
    xy, z = rng(5).random((n_obj, 2)), rng(6).uniform(0.2, 1.5, n_obj)
    z[:100] = np.nan
    distances = tabulate_distances(z_max=2.0)
    gathered = gather_groups(rng(7), xy, z, fraction=1.0, distances=distances, degrees_across=(1.0, 1.0))
    np.testing.assert_array_equal(gathered[:100], xy[:100])
    assert gathered.min() >= 0
    assert gathered.max() <= 1
    order = np.argsort(z)[: n_obj - 100]
    step = np.linalg.norm(np.diff(gathered[order], axis=0), axis=1)
    assert np.median(step) < 0.1  # at random it would be 0.5


# Redshift surveys


@pytest.fixture
def targets():
    n_obj = 20_000
    z = rng(8).uniform(0, 3, n_obj)
    z[:1000] = np.nan
    mag = rng(9).uniform(18, 26, (n_obj, 6))
    return {"mag": mag, "bands": BANDS, "z": z, "place": rng(10).random((n_obj, 2))}


def test_survey_selects_what_it_says(targets):
    cuts = (ColourCut(first="i", high=23.0), ColourCut(first="g", second="r", low=0.5, high=1.5))
    survey = SpecSurvey(name="s", area=0.25, cuts=cuts, sampling=0.5, success=1.0, wrong=0.0)
    row, z_spec, z_spec_err, quality = observe_redshifts(rng(), survey, **targets)
    mag, place = targets["mag"][row], targets["place"][row]
    assert row.size > 50
    assert mag[:, 3].max() < 23
    g_r = mag[:, 1] - mag[:, 2]
    assert g_r.min() >= 0.5
    assert g_r.max() < 1.5
    assert np.abs(place - 0.5).max() <= 0.25
    pull = (z_spec - targets["z"][row]) / z_spec_err
    assert pull.std() == pytest.approx(1, abs=0.1)
    assert set(quality) == {4}


def test_success_falls_with_magnitude_and_in_the_desert(targets):
    survey = SpecSurvey(name="s", success=1.0, mag_half=23.0, z_high=1.5, desert=0.1, wrong=0.0)
    row, _, _, _ = observe_redshifts(rng(), survey, **targets)
    found = np.zeros(targets["z"].size, dtype=bool)
    found[row] = True
    i, z = targets["mag"][:, 3], targets["z"]
    assert found[(i < 21) & (z < 1.5)].mean() > 0.99
    assert found[(i < 21) & (z > 1.5)].mean() == pytest.approx(0.1, abs=0.03)
    assert found[(np.abs(i - 23) < 0.2) & (z < 1.5)].mean() == pytest.approx(0.5, abs=0.1)
    assert found[(i > 25) & (z < 1.5)].mean() < 0.01
    assert not found[np.isnan(z)].any()


def test_a_small_share_is_wrong(targets):
    survey = SpecSurvey(name="s", success=1.0, wrong=0.05)
    row, z_spec, z_spec_err, _ = observe_redshifts(rng(), survey, **targets)
    wrong = np.abs(z_spec - targets["z"][row]) > 10 * z_spec_err
    assert wrong.mean() == pytest.approx(0.05, abs=0.01)
    assert z_spec.min() >= 0
