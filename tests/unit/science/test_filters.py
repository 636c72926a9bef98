import numpy as np
import pytest

from pzcenter.errors import FileFormatError, NotFoundError, ShapeError, UnitError
from pzcenter.science.filters import (
    FilterCurve,
    effective_wavelength,
    filter_names,
    load_filter,
    pivot_wavelength,
)


def box(low=4000.0, high=5000.0, n=1001):
    return FilterCurve("box", np.linspace(low, high, n), np.ones(n))


def test_the_package_has_both_lsst_sets():
    expected = {f"{family}_{band}" for family in ("lsst", "dc2") for band in "ugrizy"}
    assert expected <= set(filter_names())


@pytest.mark.parametrize("name", filter_names())
def test_every_filter_loads(name):
    curve = load_filter(name)
    assert curve.name == name
    assert 0 < curve.throughput.max() < 1
    assert not curve.wavelength.flags.writeable


def test_lsst_effective_wavelengths():
    # speclite's lsst2023 curves, made without the detectors as built, differ by less than 1 %.
    for band in "ugrizy":
        ours, theirs = load_filter(f"lsst_{band}"), load_filter(f"lsst2023-{band}")
        assert effective_wavelength(ours) == pytest.approx(effective_wavelength(theirs), rel=0.012)


def test_pivot_of_a_box_is_known():
    # R = 1 on [a, b]: pivot^2 = (b^2 - a^2) / (2 ln(b / a)).
    a, b = 4000.0, 5000.0
    assert pivot_wavelength(box(a, b)) == pytest.approx(np.sqrt((b**2 - a**2) / (2 * np.log(b / a))), rel=1e-6)
    assert effective_wavelength(box(a, b)) == pytest.approx((b - a) / np.log(b / a), rel=1e-6)


def test_scale_of_throughput_does_not_matter():
    curve = load_filter("lsst_r")
    tenth = FilterCurve("tenth", curve.wavelength, 0.1 * curve.throughput)
    assert pivot_wavelength(tenth) == pytest.approx(pivot_wavelength(curve))


@pytest.mark.parametrize(("band", "published"), [("g", 4686), ("r", 6166), ("i", 7480)])
def test_published_wavelengths_of_sdss(band, published):
    # SDSS DR7, effective wavelengths of the survey; the curves of 2010 (Doi et al.) lie within 0.4 %.
    assert effective_wavelength(load_filter(f"sdss2010-{band}")) == pytest.approx(published, rel=4e-3)


@pytest.mark.parametrize("name", ["nothing", "nothing-u", "../set", "missing/file.dat"])
def test_unknown_names(name):
    with pytest.raises(NotFoundError, match="no filter"):
        load_filter(name)


@pytest.mark.parametrize(("suffix", "text"), [
    (".dat", "400 0.0\n450 0.5\n500 0\n"),
    (".res", "# a comment\n400, 0.0\n450, 0.5\n500, 0\n"),
    (".txt", "# wavelength_unit: nm\n400 0.0 9\n450 0.5 9\n500 0 9\n"),
    (".par", "typedef struct {\n double lambda;\n double pass;\n} KC;\n\nKC 400 0.0\nKC 450 0.5\nKC 500 0\n"),
    (
        ".ecsv",
        (
            "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: wave, datatype: float64, unit: nm}\n"
            "# - {name: thr, datatype: float64}\nwave thr\n400 0.0\n450 0.5\n500 0\n"
        ),
    ),
])  # fmt: skip
def test_formats(tmp_path, suffix, text):
    path = tmp_path / f"mine{suffix}"
    path.write_text(text)
    curve = load_filter(path, wavelength_unit="nm")
    np.testing.assert_allclose(curve.wavelength, [4000, 4500, 5000])
    np.testing.assert_allclose(curve.throughput, [0, 0.5, 0])
    assert curve.name == "mine"
    assert load_filter(str(path), wavelength_unit="nm").name == "mine"


def test_the_unit_is_never_guessed(tmp_path):
    path = tmp_path / "a.dat"
    path.write_text("4000 0.1\n5000 0.2\n")
    with pytest.raises(UnitError, match="does not state"):
        load_filter(path)
    with pytest.raises(UnitError, match="parsec"):
        load_filter(path, wavelength_unit="parsec")


def test_the_stated_unit_must_not_be_contradicted(tmp_path):
    path = tmp_path / "a.dat"
    path.write_text("# wavelength_unit: angstrom\n4000 0.1\n5000 0.2\n")
    assert load_filter(path).wavelength[0] == 4000
    with pytest.raises(UnitError, match="states"):
        load_filter(path, wavelength_unit="nm")


def test_nm_declared_as_angstrom_is_refused(tmp_path):
    path = tmp_path / "a.dat"
    path.write_text("400 0.1\n500 0.2\n")
    with pytest.raises(UnitError, match="in nm or micron"):
        load_filter(path, wavelength_unit="angstrom")


@pytest.mark.parametrize("text", ["", "# only a comment\n", "a b\nc d\n", "4000\n5000\n"])
def test_files_that_are_not_curves(tmp_path, text):
    path = tmp_path / "a.dat"
    path.write_text(text)
    with pytest.raises(FileFormatError):
        load_filter(path, wavelength_unit="angstrom")


def test_binary_and_broken_files(tmp_path):
    (tmp_path / "a.dat").write_bytes(b"\xff\xfe\x00\x01" * 10)
    (tmp_path / "a.ecsv").write_text("no header\n1 2\n")
    (tmp_path / "a.par").write_text("4000 0.1\n5000 0.2\n")
    for name in ("a.dat", "a.ecsv", "a.par"):
        with pytest.raises(FileFormatError):
            load_filter(tmp_path / name, wavelength_unit="angstrom")


@pytest.mark.parametrize(("wavelength", "throughput", "error"), [
    ([4000.0, 5000.0], [1.0], ShapeError),
    ([4000.0], [1.0], ShapeError),
    ([5000.0, 4000.0], [1.0, 1.0], ShapeError),
    ([4000.0, 4000.0], [1.0, 1.0], ShapeError),
    ([400.0, 500.0], [1.0, 1.0], UnitError),
    ([4000.0, 5000.0], [0.0, 0.0], UnitError),
    ([4000.0, 5000.0], [1.0, np.nan], UnitError),
    ([4000.0, 5000.0], [1.0, -0.5], UnitError),
])  # fmt: skip
def test_bad_curves(wavelength, throughput, error):
    with pytest.raises(error):
        FilterCurve("bad", np.array(wavelength), np.array(throughput))


def test_noise_below_zero_becomes_zero():
    curve = FilterCurve("noisy", np.array([4000.0, 4500.0, 5000.0]), np.array([-0.01, 1.0, -0.02]))
    np.testing.assert_array_equal(curve.throughput, [0, 1, 0])
