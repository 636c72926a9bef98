"""What density networks do with objects unlike those they were trained on, on the DC2 training half.

Usage::

    python degrade_densities.py

Three training sets lack something: faint objects, a range of redshifts, the u band. Each model is used twice: as it is,
and *untreated*, with its networks believed everywhere. The decision record on learned densities holds the result.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
from compare_densities import halves

from pzcenter.estimators.density_network import DensityNetworkEstimator
from pzcenter.schema import PZFlag
from pzcenter.science import metrics
from pzcenter.science.photometry import flux_to_mag

CONFIG = {"filters": "dc2", "n_samples_seen": 300_000, "n_member": 3, "n_layer": 2}
HUGE = np.float32(1e6)


def untreated(model: DensityNetworkEstimator) -> DensityNetworkEstimator:
    """Give the same networks, with everything inside their domain."""
    numbers = model.model
    domain = numbers.domain._replace(radius=numbers.domain.radius * HUGE)
    return DensityNetworkEstimator(
        config=model.config, bands=model.bands, z_grid=model.z_grid, training=model.training, held_out={},
        model=replace(numbers, domain=domain),
    )  # fmt: skip


def show(title: str, model: DensityNetworkEstimator, photometry, z_spec) -> None:
    """Write one line for the model and one for the untreated."""
    for name, each in (("treated", model), ("untreated", untreated(model))):
        pz = each.estimate(photometry)
        pit = metrics.pit(pz.pdf, pz.z_grid, z_spec)
        crps = np.mean(metrics.crps(pz.pdf, pz.z_grid, z_spec))
        sys.stdout.write(
            f"{title:36}{name:10}{z_spec.size:6}  in 95 % interval {np.mean((pit > 0.025) & (pit < 0.975)):.3f}"
            f"  PIT outliers {metrics.pit_outlier_rate(pit):.4f}  CRPS {crps:.4f}"
            f"  flagged {np.mean((pz.flags & np.uint32(PZFlag.outside_domain)) != 0):.3f}\n"
        )
        sys.stdout.flush()


def main() -> None:
    """Train on each degraded set and write what comes out."""
    train, z_train, test, z_test = halves()
    i_train, i_test = (flux_to_mag(photometry.flux[:, 3].astype(float)) for photometry in (train, test))

    def trained(rows) -> DensityNetworkEstimator:
        return DensityNetworkEstimator.train(train.select(np.flatnonzero(rows)), z_train[rows], config=CONFIG)

    model = trained(i_train < 23.5)
    for low, high in ((0.0, 23.5), (23.5, 24.3), (24.3, 99.0)):
        rows = (i_test >= low) & (i_test < high)
        show(f"i < 23.5 on {low:g} < i < {high:g}", model, test.select(np.flatnonzero(rows)), z_test[rows])
    model = trained((z_train < 0.5) | (z_train > 0.8))
    for name, rows in (("in the gap", (z_test > 0.5) & (z_test < 0.8)), ("others", (z_test < 0.5) | (z_test > 0.8))):
        show(f"without 0.5 < z < 0.8, {name}", model, test.select(np.flatnonzero(rows)), z_test[rows])
    no_u = np.where(np.arange(6) == 0, np.nan, train.flux)
    model = DensityNetworkEstimator.train(replace(train, flux=no_u), z_train, config=CONFIG)
    show("without u", model, test, z_test)


if __name__ == "__main__":
    main()
