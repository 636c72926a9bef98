"""A stage that estimates: what a worker calls, and nothing more."""

import pickle
from pathlib import Path

import numpy as np
from rail.estimation.informer import CatInformer, Handle


class Ensemble:
    """Densities between the points of a grid, zero outside."""

    def __init__(self, z_grid, pdf):
        self.z_grid, self.values = z_grid, pdf

    def pdf(self, z):
        return np.stack([np.interp(z, self.z_grid, row, left=0, right=0) for row in self.values])


class CatEstimator(CatInformer):
    def open_model(self, **given):
        self.model = pickle.loads(Path(given["model"]).read_bytes())
        return self.model

    def estimate(self, table):
        if hasattr(self, "output") and not self.data_store.allow_overwrite:
            raise ValueError("DataStore already has an item with key output_estimate")
        self.open_model(**self.config)
        self.output = True
        return Handle(self.densities(table))


class PzEstimator:
    """Takes p(z)."""
