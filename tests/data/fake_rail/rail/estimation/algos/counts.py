# ruff: noqa: T201 -- methods of RAIL print
"""The share of redshifts near the object's own magnitude."""

import numpy as np
from ceci.config import StageParameter
from rail.estimation.estimator import CatEstimator, Ensemble
from rail.estimation.informer import CatInformer

OPTIONS = {
    "width": StageParameter(float, 0.3, msg="width of the bumps"),
    "n_near": StageParameter(int, 20, msg="number of objects"),
    "flavour": StageParameter(str, "plain", msg="a word"),
    "table_of_things": StageParameter(dict, {"depth": 3}, msg="a mapping"),
    "grid_of_things": StageParameter(list, [1, 2], msg="a list"),
    "strange": StageParameter(object, object(), msg="cannot be written down"),
}


class CountsInformer(CatInformer):
    """Keep what was seen."""

    config_options = CatInformer.with_options(**OPTIONS, only_informer=StageParameter(bool, False, msg="a switch"))

    def run(self):
        print("this line must not disturb the answers")
        self.add_data("model", {"table": {k: v.tolist() for k, v in self.table.items()}, "given": self.given})


class CountsEstimator(CatEstimator):
    """Counts of the redshifts near in magnitude."""

    config_options = CatEstimator.with_options(**OPTIONS)

    def densities(self, table):
        c = self.options
        z_grid = np.linspace(c.zmin, c.zmax, c.nzbins)
        trained = {name: np.array(column) for name, column in self.model["table"].items()}
        mag = table[c.ref_band]
        mag[mag > 90] = c.mag_limits[c.ref_band]  # methods of RAIL write to what they are given
        pdf = []
        for value in mag:
            near = np.argsort(abs(trained[c.ref_band] - value), kind="stable")[: c.n_near]
            z = trained[c.redshift_col][near]
            pdf.append(np.exp(-0.5 * ((z_grid[:, None] - z) / c.width) ** 2).sum(axis=1))
        return Ensemble(z_grid, np.array(pdf))
