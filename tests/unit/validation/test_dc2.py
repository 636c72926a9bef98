"""Real results: p(z) of other codes on the DC2 sample give the numbers that were published for them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pzcenter.validation import PdfChunk, evaluate

DATA = Path(__file__).parents[3].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not (DATA / "rail_outputs").is_dir(), reason=f"the DC2 sample and the results of other codes are not in {DATA}"
)

# The published numbers are of all 20,449 objects; the files hold 5,000 of them, drawn at random. So a value may differ
# by the errors of both samples (5,000 of 20,449: sqrt(1 + 5000/20449) = 1.12 of our own error), here at 3.5 of them.
PUBLISHED = {
    "flexzboost": {
        "sigma_iqr": 0.0196, "outlier_fraction": 0.0274, "outlier_fraction_3sigma": 0.1044, "cde_loss": -7.04,
        "crps": 0.0393, "pit_ks": 0.041, "pit_outlier_rate": 0.0644,
    },
    "knearneigh": {"sigma_iqr": 0.0252, "outlier_fraction": 0.0316, "cde_loss": -6.07, "crps": 0.0449, "pit_ks": 0.071},
    "tpz": {"sigma_iqr": 0.0371, "outlier_fraction": 0.0409, "cde_loss": -4.07, "crps": 0.0598, "pit_ks": 0.061},
}  # fmt: skip


def published_sample(name):
    """p(z) and mode of another code, matched to the truth by object id: the rows are in another order."""
    with h5py.File(DATA / "dc2" / "test_dc2_validation_9816.hdf5") as file:
        truth = {key: file[f"photometry/{key}"][:] for key in ("id", "redshift", "mag_i_lsst")}
    with h5py.File(DATA / "rail_outputs" / f"{name}.hdf5") as file:
        pdf, z_grid = file["data/yvals"][:], file["meta/xvals"][0]
        object_id, z_mode = file["ancil/object_id"][:], file["ancil/zmode"][:]
    order = np.argsort(truth["id"])
    rows = order[np.searchsorted(truth["id"], object_id, sorter=order)]
    np.testing.assert_array_equal(truth["id"][rows], object_id)
    columns = {"object_id": object_id, "mag": truth["mag_i_lsst"][rows], "points": {"z_mode": z_mode}}
    return PdfChunk(pdf, z_grid, truth["redshift"][rows], **columns)


@pytest.mark.reference
@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_numbers(name):
    table = evaluate(published_sample(name), z_edges=(0, 4), mag_edges=(15, 30))
    for metric, expected in PUBLISHED[name].items():
        row = next(row for row in table.select(metric=metric, axis="all") if row.point in ("z_mode", "pdf"))
        assert row.n_obj == 5000
        assert abs(row.value - expected) < 3.5 * 1.12 * row.error, (metric, row.value, row.error, expected)


@pytest.mark.reference
def test_exact_numbers_of_flexzboost():
    """The same objects, by formulas written out here."""
    chunk = published_sample("flexzboost")
    table = evaluate(chunk, n_bootstrap=0)
    z, p, z_spec = chunk.z_grid, chunk.pdf, chunk.z_spec
    error = (chunk.points["z_mode"] - z_spec) / (1 + z_spec)
    q25, q75 = np.percentile(error, (25, 75))
    at_truth = np.array([np.interp(a, z, row, right=0.0) for a, row in zip(z_spec, p, strict=True)])
    assert table.value("bias", point="z_mode") == pytest.approx(np.median(error), abs=1e-7)
    assert table.value("sigma_iqr", point="z_mode") == pytest.approx((q75 - q25) / 1.349, rel=1e-3)
    assert table.value("outlier_fraction", point="z_mode") == np.mean(np.abs(error) > 0.15)
    assert table.value("cde_loss") == pytest.approx(np.mean(np.trapezoid(p**2, z, axis=1) - 2 * at_truth), rel=3e-3)
