import numpy as np
import pytest

from pzcenter.errors import NotFoundError, ShapeError, UnitError
from pzcenter.science.filters import SPEED_OF_LIGHT, load_filter
from pzcenter.science.sed import Sed, TemplateSet, interpolate_templates, load_template_set, template_set_names
from pzcenter.science.synthetic import synthetic_flux

COUNTS = {"cwwsb4": (1, 2, 5), "cosmos31": (10, 5, 16)}


@pytest.mark.parametrize("name", template_set_names())
def test_every_set_loads(name):
    templates = load_template_set(name)
    assert templates.name == name
    assert len(set(templates.names)) == len(templates)
    assert np.all(np.diff(templates.types) >= 0)
    for sed in templates.seds:
        f_nu = np.interp(5500, sed.wavelength, sed.flux) * 5500**2 / SPEED_OF_LIGHT
        assert f_nu == pytest.approx(1e-32)  # 1 nJy


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_broad_types_of_the_known_sets(name, counts):
    np.testing.assert_array_equal(np.bincount(load_template_set(name).types), counts)


def test_order_of_the_lists_is_kept():
    assert load_template_set("cwwsb4").names[:3] == ("El_B2004a", "Sbc_B2004a", "Scd_B2004a")
    assert load_template_set("cosmos31").names[-1] == "SB11_A_0"


def test_unknown_set():
    with pytest.raises(NotFoundError, match="cosmos31"):
        load_template_set("cosmos32")


def two():
    wavelength = np.array([1000.0, 5500.0, 9000.0])
    return TemplateSet(
        "two",
        (Sed("a", wavelength, np.array([1.0, 1.0, 1.0])), Sed("b", wavelength + 1.0, np.array([0.0, 3.0, 3.0]))),
        np.array([0, 1]),
    )


def test_interpolation_mixes_neighbours():
    mixed = interpolate_templates(two(), 3)
    assert len(mixed) == 5
    np.testing.assert_array_equal(mixed.types, [0, 0, 0, 1, 1])
    middle = mixed.seds[2]
    assert np.interp(7000, middle.wavelength, middle.flux) == pytest.approx(2.0)
    assert mixed.names[0] == "a"
    assert mixed.names[-1] == "b"


def test_interpolating_nothing_changes_nothing():
    same = interpolate_templates(two(), 0)
    assert same.names == ("a", "b")


def test_mixing_seds_is_mixing_fluxes():
    templates = load_template_set("cwwsb4")
    filters = [load_filter("dc2_g")]
    z = np.array([0.0, 0.7])
    flux = synthetic_flux(templates, filters, z)
    mixed = synthetic_flux(interpolate_templates(templates, 1), filters, z)
    np.testing.assert_allclose(mixed[::2], flux, rtol=1e-12)
    np.testing.assert_allclose(mixed[1::2], 0.5 * (flux[1:] + flux[:-1]), rtol=1e-9)


def test_negative_number_between():
    with pytest.raises(ShapeError, match="n_between"):
        interpolate_templates(two(), -1)


@pytest.mark.parametrize(("wavelength", "flux", "error"), [
    ([1.0, 2.0], [1.0], ShapeError),
    ([2.0, 1.0], [1.0, 1.0], ShapeError),
    ([0.0, 1.0], [1.0, 1.0], UnitError),
    ([1.0, 2.0], [1.0, -1.0], UnitError),
    ([1.0, 2.0], [1.0, np.inf], UnitError),
])  # fmt: skip
def test_bad_seds(wavelength, flux, error):
    with pytest.raises(error):
        Sed("bad", np.array(wavelength), np.array(flux))


def test_normalising_where_there_is_no_flux():
    with pytest.raises(UnitError, match="no flux"):
        Sed("short", np.array([1000.0, 2000.0]), np.array([1.0, 1.0])).normalised()


def test_one_type_per_sed():
    with pytest.raises(ShapeError, match="types"):
        TemplateSet("bad", two().seds, np.array([0]))
