"""A method whose package is not installed."""

import a_package_that_nobody_has
from rail.estimation.estimator import CatEstimator
from rail.estimation.informer import CatInformer


class NeedyInformer(CatInformer):
    engine = a_package_that_nobody_has


class NeedyEstimator(CatEstimator):
    pass
