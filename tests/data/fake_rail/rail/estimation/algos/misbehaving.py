# ruff: noqa: T201 -- methods of RAIL print
"""Methods that go wrong, each in its own way."""

import os
import signal
import sys
import time

import numpy as np
from rail.estimation.estimator import CatEstimator, Ensemble, PzEstimator
from rail.estimation.informer import CatInformer, PzInformer


class _Informer(CatInformer):
    def run(self):
        self.add_data("model", {})


class _Estimator(CatEstimator):
    def densities(self, table):
        z_grid = np.linspace(0, 3, 31)
        return Ensemble(z_grid, np.ones((table["mag_i_lsst"].size, 31)))


class RaisingInformer(_Informer):
    def run(self):
        print("\x1b[31mabout to go wrong", file=sys.stderr)
        raise ValueError("the training set is not to my liking")


class RaisingEstimator(_Estimator):
    pass


class DyingInformer(_Informer):
    pass


class DyingEstimator(_Estimator):
    def densities(self, table):
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


class LeavingInformer(_Informer):
    def run(self):
        sys.exit(3)


class LeavingEstimator(_Estimator):
    pass


class SleepingInformer(_Informer):
    pass


class SleepingEstimator(_Estimator):
    def densities(self, table):
        child = os.fork()
        if child:
            print(f"child {child}", flush=True)
        time.sleep(120)


class GreedyInformer(_Informer):
    def run(self):
        self.add_data("model", {"rows": np.ones(3 << 27).sum()})


class GreedyEstimator(_Estimator):
    pass


class HolesInformer(_Informer):
    pass


class HolesEstimator(_Estimator):
    """NaN, zero and negative densities among good ones."""

    def densities(self, table):
        found = super().densities(table)
        found.values[0::4] = np.nan
        found.values[1::4] = 0
        found.values[2::4, :10] = -1
        return found


class LonelyEstimator(_Estimator):
    """Has no informer."""


class OfDensitiesInformer(PzInformer):
    pass


class OfDensitiesEstimator(PzEstimator):
    pass
