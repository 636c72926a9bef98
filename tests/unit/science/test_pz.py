"""The algebra of p(z) obeys its laws."""

from __future__ import annotations

import numpy as np

from pzcenter.science.pz import point_estimates

Z = np.linspace(0.0, 3.0, 301)


def test_a_gaussian_is_summarised_by_its_parameters():
    pdf = np.exp(-0.5 * ((Z - 0.8) / 0.05) ** 2)[None, :].astype(np.float32)
    e = point_estimates(pdf, Z)
    for name in ("z_best", "z_mode", "z_mean", "z_median"):
        np.testing.assert_allclose(getattr(e, name), 0.8, atol=0.0025, err_msg=name)
    np.testing.assert_allclose(e.z_std, 0.05, rtol=0.01)
