"""Packed densities come back as close as the acceptance criteria demand."""

from __future__ import annotations

import numpy as np
import pytest

from pzcenter.errors import NotFoundError, ShapeError, UsageError
from pzcenter.science import packing
from pzcenter.science import pz as algebra

Z = np.linspace(0.0, 3.0, 301)
STEP = Z[1] - Z[0]


def sample(n_obj, seed, *, narrowest_steps=2.0):
    """p(z) of many kinds, and redshifts drawn from them.

    One to three peaks of Gaussian or Lorentzian or box shape, log-normal widths from ``narrowest_steps`` grid steps to
    most of the grid, some with a pedestal, all with exact zeros where p is below 1e-6 of the peak.
    """
    rng = np.random.default_rng(seed)
    pdf = np.zeros((n_obj, Z.size), dtype=np.float32)
    for peak in range(3):
        centre = np.minimum(rng.gamma(2.2, 0.45, n_obj) + 0.02, 2.95)[:, None]
        sigma = np.maximum(rng.lognormal(np.log(0.05), 0.8, n_obj)[:, None] * (1.0 + centre), narrowest_steps * STEP)
        weight = rng.uniform(size=n_obj)[:, None] * (peak == 0 or rng.uniform(size=n_obj)[:, None] < 0.3)
        x = (Z - centre) / sigma
        kind = rng.integers(0, 10, n_obj)[:, None]
        shape = np.where(kind < 7, np.exp(-0.5 * x**2), np.where(kind < 9, 1.0 / (1.0 + x**2), np.abs(x) < 2.0))
        pdf += weight * shape / sigma
    pdf += (rng.uniform(size=n_obj) < 0.1)[:, None] * np.float32(0.05)
    pdf[pdf < 1e-6 * pdf.max(axis=1, keepdims=True)] = 0.0
    pdf = algebra.normalise(pdf, Z)
    u = rng.uniform(size=n_obj)
    cumulative = algebra.cdf(pdf, Z)
    z_true = np.array([np.interp(x, c, Z) for x, c in zip(u, cumulative, strict=True)])
    return pdf, z_true


def round_trip(name, pdf):
    encoding = packing.get_encoding(name)
    return encoding.unpack(*encoding.pack(pdf), Z)


def within_limits(figures):
    return {name: figures[name] <= limit for name, limit in packing.FIDELITY_LIMITS.items()}


def test_u8sqrt_is_accepted_on_a_small_sample():
    pdf, z_true = sample(5000, 1)
    figures = packing.fidelity(pdf, round_trip("u8sqrt", pdf), Z, z_true)
    assert all(within_limits(figures).values()), figures
    assert figures["n_used"] == 5000
    assert figures["n_lost"] == 0


@pytest.mark.slow
def test_u8sqrt_is_accepted_on_a_hundred_thousand():
    parts = [sample(10_000, seed) for seed in range(10)]
    pdf, z_true = np.concatenate([p for p, _ in parts]), np.concatenate([z for _, z in parts])
    figures = packing.fidelity(pdf, round_trip("u8sqrt", pdf), Z, z_true)
    assert all(within_limits(figures).values()), figures


def test_eight_linear_bits_would_not_be_accepted():
    """The measure can tell: linear bytes fail on the same objects."""
    pdf, z_true = sample(5000, 1)
    top = pdf.max(axis=1, keepdims=True)
    linear = algebra.normalise(np.rint(pdf / top * 255.0) * top, Z)
    assert not all(within_limits(packing.fidelity(pdf, linear, Z, z_true)).values())


def test_rounding_keeps_the_cumulative_better_than_to_nearest():
    pdf, z_true = sample(5000, 2)
    root = np.rint(255.0 * np.sqrt(pdf / pdf.max(axis=1, keepdims=True)))
    plain = packing.fidelity(pdf, algebra.normalise(root**2, Z), Z, z_true)
    ours = packing.fidelity(pdf, round_trip("u8sqrt", pdf), Z, z_true)
    assert ours["max_delta_pit"] < 0.5 * plain["max_delta_pit"]


def test_f32_changes_nothing():
    pdf, z_true = sample(500, 3)
    pdf[7] = np.nan
    np.testing.assert_array_equal(round_trip("f32", pdf), pdf)
    figures = packing.fidelity(pdf, round_trip("f32", pdf), Z, z_true)
    assert figures["max_delta_pit"] == 0.0
    assert figures["n_used"] == 499


def test_zero_stays_zero_and_the_peak_is_255():
    pdf, _ = sample(2000, 4)
    code, row_max = packing.pack_u8sqrt(pdf)
    assert code.dtype == np.uint8
    assert row_max.dtype == np.float32
    assert np.all(code[pdf == 0.0] == 0)
    np.testing.assert_array_equal(row_max, pdf.max(axis=1))
    assert np.all(code[np.arange(2000), pdf.argmax(axis=1)] >= 254)
    assert np.all(packing.unpack_u8sqrt(code, row_max, Z)[pdf == 0.0] == 0.0)


def test_values_below_half_a_code_become_zero():
    row = np.array([[1.0, 3.7e-6, 4.0e-6, 0.0]])
    code, _ = packing.pack_u8sqrt(row)
    np.testing.assert_array_equal(code, [[255, 0, 1, 0]])


def test_every_code_survives_unpacking_and_packing():
    code = np.arange(256, dtype=np.uint8)[None, :]
    pdf = packing.unpack_u8sqrt(code, np.array([3.0], dtype=np.float32))
    assert pdf.max() == pytest.approx(3.0)
    again, row_max = packing.pack_u8sqrt(pdf)
    np.testing.assert_array_equal(again, code)
    assert row_max[0] == pytest.approx(3.0)


def test_unpacked_rows_have_unit_integral():
    pdf, _ = sample(300, 5)
    np.testing.assert_allclose(algebra.integral(round_trip("u8sqrt", pdf), Z), 1.0, atol=2e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize("name", packing.encoding_names())
def test_rows_without_density_come_back_as_nan(name, bad):
    pdf, _ = sample(3, 6)
    pdf[1] = bad
    code, row_max = packing.get_encoding(name).pack(pdf)
    assert np.isnan(row_max[1])
    assert not code[1].any()
    back = packing.get_encoding(name).unpack(code, row_max, Z)
    np.testing.assert_array_equal(np.isnan(back).all(axis=1), [False, True, False])


@pytest.mark.parametrize("name", packing.encoding_names())
def test_every_encoding_keeps_its_promises(name):
    encoding = packing.get_encoding(name)
    assert isinstance(encoding, packing.Encoding)
    assert encoding.name == name
    pdf, _ = sample(20, 7)
    before = pdf.copy()
    code, row_max = encoding.pack(pdf)
    np.testing.assert_array_equal(pdf, before)
    assert code.shape == (20, encoding.code_length(Z.size))
    assert code.dtype == encoding.dtype
    assert row_max.shape == (20,)
    back = encoding.unpack(code, row_max, Z)
    assert back.dtype == np.float32
    assert back.shape == pdf.shape
    assert encoding.pack(pdf[:0])[0].shape == (0, Z.size)


def test_encodings_can_be_added_once():
    class Other(packing.SquareRootBytes):
        name = "u8sqrt"

    with pytest.raises(UsageError, match="already"):
        packing.register_encoding(Other())
    packing.register_encoding(packing.get_encoding("u8sqrt"))
    with pytest.raises(NotFoundError, match="f32"):
        packing.get_encoding("u4")


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError):
        packing.pack_u8sqrt(np.ones(3))
    with pytest.raises(ShapeError):
        packing.unpack_u8sqrt(np.zeros((2, 3), np.uint8), np.ones(3, np.float32))
    with pytest.raises(ShapeError):
        packing.unpack_u8sqrt(np.zeros((2, 3), np.uint8), np.ones(2, np.float32), Z)
