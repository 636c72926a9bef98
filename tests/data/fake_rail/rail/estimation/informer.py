# ruff: noqa: RUF012 -- as the stages of RAIL are written
"""A stage that trains: what a worker calls, and nothing more."""

import pickle
from pathlib import Path
from types import SimpleNamespace

from ceci.config import StageConfig, StageParameter


class Handle:
    def __init__(self, data, path=None):
        self.data, self.path = data, path

    def __call__(self):
        return self.data

    def write(self):
        Path(self.path).write_bytes(pickle.dumps(self.data))


class DataStore:
    allow_overwrite = False


class Stage:
    config_options = {"hdf5_groupname": "", "output_mode": "default"}

    def __init__(self, given):
        values = {name: option.default for name, option in StageConfig(**self.config_options).items()}
        self.given = {name: value for name, value in given.items() if name not in {"name", "model"}}
        self.config = values | given
        self.options = SimpleNamespace(**self.config)
        self.data_store = DataStore()

    @classmethod
    def make_stage(cls, **given):
        return cls(given)

    @classmethod
    def with_options(cls, **options):
        return {**cls.config_options, **options}


class CatInformer(Stage):
    config_options = {
        **Stage.config_options,
        "bands": StageParameter(list, [f"mag_{b}_lsst" for b in "ugrizy"], msg="columns"),
        "mag_limits": StageParameter(
            dict,
            dict(zip([f"mag_{b}_lsst" for b in "ugrizy"], [27.8, 29.0, 29.1, 28.6, 28.0, 27.1], strict=True)),
            msg="limits",
        ),
        "filter_list": StageParameter(list, [f"DC2LSST_{b}" for b in "ugrizy"], msg="filters"),
        "ref_band": StageParameter(str, "mag_i_lsst", msg="band"),
        "redshift_col": StageParameter(str, "redshift", msg="redshifts"),
        "nondetect_val": 99.0,
        "zmin": 0.0,
        "zmax": 3.0,
        "nzbins": 301,
    }

    def inform(self, table):
        self.table = table
        self.run()
        return self.get_handle("model")

    def add_data(self, _tag, model):
        self.model = Handle(model, self.config["model"])

    def get_handle(self, _tag):
        return self.model


class PzInformer:
    """Trained on p(z)."""
