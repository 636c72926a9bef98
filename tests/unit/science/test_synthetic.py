from pathlib import Path

import numpy as np
import pytest

from pzcenter.errors import GridError, ShapeError
from pzcenter.science.filters import SPEED_OF_LIGHT, FilterCurve, load_filter
from pzcenter.science.igm import inoue2014_transmission, madau1995_transmission
from pzcenter.science.sed import Sed, load_template_set
from pzcenter.science.synthetic import synthetic_flux

BPZ = np.load(Path(__file__).parent / "data" / "bpz_ab_fluxes.npz")
DC2 = [load_filter(f"dc2_{band}") for band in "ugrizy"]
LSST = [load_filter(f"lsst_{band}") for band in "ugrizy"]


def flat_nu(n=20001):
    """Constant f_nu of 1 nJy."""
    wavelength = np.linspace(500.0, 40000.0, n)
    return Sed("flat", wavelength, 1e-32 * SPEED_OF_LIGHT / wavelength**2)


def to_scale_of(theirs, ours):
    """BPZ's fluxes per SED on our scale: one constant per SED, by least squares over bands and redshifts."""
    scale = (theirs * ours).sum(axis=(1, 2)) / (theirs * theirs).sum(axis=(1, 2))
    return theirs * scale[:, None, None]


def test_constant_f_nu_has_the_same_flux_in_every_band():
    flux = synthetic_flux([flat_nu()], LSST, [0.0])
    np.testing.assert_allclose(flux, 1.0, rtol=2e-6)


def test_redshift_of_a_power_law_is_a_factor():
    # f_lambda ~ lambda^-2 gives f_lambda(lambda/(1+z)) = (1+z)^2 f_lambda(lambda).
    flux = synthetic_flux([flat_nu()], LSST, [0.0, 1.0, 2.0])[0]
    np.testing.assert_allclose(flux, np.tile([1.0, 4.0, 9.0], (6, 1)), rtol=1e-4)


def test_a_line_gives_its_photons():
    # A narrow line at lambda_0 in a box filter [a, b]: f = F lambda_0 / (c ln(b/a)).
    box = FilterCurve("box", np.linspace(4000, 5000, 1001), np.ones(1001))
    centre, half = 4500.3, 3.0
    line = Sed("line", np.array([1000, centre - half, centre, centre + half, 9000]), np.array([0, 0, 1 / half, 0, 0]))
    flux = synthetic_flux([line], [box], [0.0], max_step=0.05)[0, 0, 0]
    assert flux == pytest.approx(1e32 * centre / (SPEED_OF_LIGHT * np.log(5000 / 4000)), rel=1e-3)


@pytest.mark.parametrize("name", ["cwwsb4", "cosmos31"])
def test_agrees_with_bpz(name):
    # Both integrate by the trapezoidal rule on the points of the filter; fluxes of BPZ are tabulated to seven digits.
    templates = load_template_set(name)
    assert templates.names == tuple(BPZ[f"{name}_names"])
    ours = synthetic_flux(templates, DC2, BPZ["z"])
    theirs = to_scale_of(BPZ[name], ours)
    seen = ours > 1e-4 * ours.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(ours[seen], theirs[seen], rtol=2e-6)


def test_agrees_with_bpz_with_the_lyman_forest():
    # BPZ gives every point bluewards of the deepest one in the band that depth, also within the forest, where Madau's
    # optical depth is smaller: up to 0.4 % of flux below z = 3, and 0.2 % of the peak flux for the bluest SED.
    names = tuple(BPZ["madau_names"])
    templates = {sed.name: sed for name in ("cwwsb4", "cosmos31") for sed in load_template_set(name).seds}
    seds = [templates[name] for name in names]
    bare = synthetic_flux(seds, DC2, BPZ["z"])
    ours = synthetic_flux(seds, DC2, BPZ["z"], igm=madau1995_transmission)
    raw = {n: f for key in ("cwwsb4", "cosmos31") for n, f in zip(BPZ[f"{key}_names"], BPZ[key], strict=True)}
    reference = np.array([raw[name] for name in names])
    scale = (reference * bare).sum(axis=(1, 2)) / (reference**2).sum(axis=(1, 2))
    theirs = BPZ["madau"] * scale[:, None, None]
    seen = ours > 1e-4 * ours.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(ours[seen], theirs[seen], rtol=6e-3)


def test_forest_only_takes_flux_away():
    templates = load_template_set("cwwsb4")
    z = np.array([0.0, 1.0, 2.5, 4.0, 6.0])
    bare = synthetic_flux(templates, LSST, z)
    for igm in (madau1995_transmission, inoue2014_transmission):
        absorbed = synthetic_flux(templates, LSST, z, igm=igm)
        assert np.all(absorbed <= bare * (1 + 1e-12))
        np.testing.assert_allclose(absorbed[:, :, 0], bare[:, :, 0], rtol=1e-3)  # no forest in front of z = 0


def test_u_band_drops_out_at_redshift_4():
    youngest = load_template_set("cwwsb4").seds[-1:]
    for igm in (madau1995_transmission, inoue2014_transmission):
        u, r = synthetic_flux(youngest, [DC2[0], DC2[2]], [4.0], igm=igm)[0, :, 0]
        assert u < 0.02 * r


def test_finer_steps_change_little():
    templates = load_template_set("cosmos31")
    z = np.linspace(0, 2, 5)
    coarse, fine = (synthetic_flux(templates, LSST, z, max_step=step) for step in (1.0, 0.25))
    np.testing.assert_allclose(coarse, fine, rtol=5e-4)


def test_seds_on_different_grids_are_independent():
    cww = load_template_set("cwwsb4")
    z = np.array([0.3])
    together = synthetic_flux(cww, LSST, z)
    alone = np.concatenate([synthetic_flux([sed], LSST, z) for sed in cww.seds])
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_nothing_where_the_sed_does_not_reach():
    short = Sed("short", np.array([1000.0, 2000.0]), np.array([1.0, 1.0]))
    flux = synthetic_flux([short], LSST[:2], [0.0, 1.0])
    assert np.all(flux[:, :, 0] == 0)
    assert flux[0, 0, 1] > 0  # 2000-4000 angstrom reaches u


def test_shape_and_type():
    flux = synthetic_flux([flat_nu(101)], LSST[:2], np.linspace(0, 1, 4))
    assert flux.shape == (1, 2, 4)
    assert flux.dtype == np.float64


@pytest.mark.parametrize("z", [[-0.1], [np.nan], [[0.0]]])
def test_bad_redshifts(z):
    with pytest.raises(GridError):
        synthetic_flux([flat_nu(11)], LSST, z)


def test_nothing_to_do():
    with pytest.raises(ShapeError):
        synthetic_flux([], LSST, [0.0])
    with pytest.raises(ShapeError):
        synthetic_flux([flat_nu(11)], [], [0.0])
