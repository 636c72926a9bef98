"""What every photo-z method must do, as tests that a plug-in inherits.

A plug-in's test file needs three lines::

    from pzcenter.testing import EstimatorSuite

    class TestMine(EstimatorSuite):
        estimator_class = MyEstimator

The suite says nothing of accuracy: that is measured by ``pzcenter.validation`` on a real sample.
"""

from __future__ import annotations

import errno
import os
import tracemalloc
from dataclasses import fields, replace
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from pzcenter.errors import (
    BandError,
    ChecksumError,
    ConfigError,
    EmptyTableError,
    GridError,
    ModelError,
    NotFoundError,
    OutputExistsError,
    ShapeError,
    StorageError,
)
from pzcenter.estimators.protocol import Declaration, Estimator, EstimatorConfig
from pzcenter.estimators.storage import ARRAYS_FILE, MANIFEST_FILE, read_manifest
from pzcenter.schema import PZ, Photometry, PZFlag
from pzcenter.testing.strategies import photometries
from pzcenter.testing.synthetic import SYNTHETIC_BANDS, SyntheticSky, synthetic_sky

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["EstimatorSuite", "assert_densities", "assert_same"]

_DTYPES = {
    "chi2": np.float32,
    "template_id": np.int16,
    "in_train_domain": np.float32,
    "p_star": np.float32,
    "p_agn": np.float32,
}
_OPTIONAL_FIELDS = tuple(_DTYPES)
_DATA_SUFFIXES = {".safetensors", ".parquet", ".yaml"}


class EstimatorSuite:
    """Inherit, set ``estimator_class``, and pytest does the rest.

    Attributes
    ----------
    estimator_class : type
        The method.
    config : mapping, optional
        Settings that make it fast enough for a test.
    n_train, n_test : int
        Sizes of the synthetic training and test sets.
    n_memory : int
        Objects of the memory test.
    """

    estimator_class: ClassVar[type[Estimator]]
    config: ClassVar[Mapping[str, Any]] = {}
    n_train: ClassVar[int] = 300
    n_test: ClassVar[int] = 60
    n_memory: ClassVar[int] = 2000

    @pytest.fixture
    def sky(self) -> SyntheticSky:
        """Galaxies to estimate."""
        return _test_sky(self.n_test)

    @pytest.fixture
    def model(self) -> Estimator:
        """Give a model trained on other galaxies."""
        return _trained(type(self))

    # What the class says of itself

    def test_follows_the_protocol(self, model: Estimator) -> None:
        """All parts are there and of the right type."""
        assert isinstance(model, Estimator)
        assert isinstance(model.name, str)
        assert isinstance(model.needs_training, bool)
        assert isinstance(model.declaration, Declaration)
        assert isinstance(model.config, self.estimator_class.Config)
        assert set(model.declaration.fills) <= set(_OPTIONAL_FIELDS)

    def test_settings_are_described(self) -> None:
        """Every setting is frozen, titled and described, and unknown ones are refused."""
        config_class = self.estimator_class.Config
        assert config_class.model_config.get("frozen") is True
        assert config_class.model_config.get("extra") == "forbid"
        undescribed = [
            name for name, field in config_class.model_fields.items() if not (field.title and field.description)
        ]
        assert undescribed == []

    def test_refuses_the_settings_of_another_method(self, sky: SyntheticSky) -> None:
        """Settings of another class are an error, not a surprise."""
        with pytest.raises(ConfigError):
            self.estimator_class.train(sky.photometry, sky.z_spec, config=_OtherConfig())

    def test_default_model(self, sky: SyntheticSky) -> None:
        """A method that needs training says so; one that does not gives a model that works."""
        config = _config_of(type(self))
        if self.estimator_class.needs_training:
            with pytest.raises(ModelError):
                self.estimator_class.default(config=config)
            return
        model = self.estimator_class.default(config=config)
        assert model.training is None
        assert_densities(model.estimate(sky.photometry), sky.photometry)

    # What an estimate gives

    def test_gives_densities(self, model: Estimator, sky: SyntheticSky) -> None:
        """Rows are densities on the model's grid, and good objects all get one."""
        pz = model.estimate(sky.photometry)
        assert_densities(pz, sky.photometry)
        np.testing.assert_array_equal(pz.z_grid, model.z_grid)
        assert not np.any(pz.flags & np.uint32(PZFlag.no_estimate))

    def test_fills_what_it_declares(self, model: Estimator, sky: SyntheticSky) -> None:
        """Optional outputs are there when declared, absent when not, and of their type."""
        pz = model.estimate(sky.photometry)
        for name in _OPTIONAL_FIELDS:
            value = getattr(pz, name)
            assert (value is not None) == (name in model.declaration.fills), name
            if value is not None:
                assert value.dtype == _DTYPES[name]
        if pz.in_train_domain is not None:
            assert np.all((pz.in_train_domain >= 0) & (pz.in_train_domain <= 1))

    def test_is_deterministic(self, model: Estimator, sky: SyntheticSky) -> None:
        """Twice the same objects, twice the same bits."""
        assert_same(model.estimate(sky.photometry), model.estimate(sky.photometry))

    @pytest.mark.parametrize("size", [1, 7, 33])
    def test_split_changes_nothing(self, model: Estimator, sky: SyntheticSky, size: int) -> None:
        """Any split into calls gives the same bits."""
        whole = model.estimate(sky.photometry)
        for start in range(0, self.n_test, size):
            rows = slice(start, start + size)
            assert_same(model.estimate(sky.photometry.select(rows)), _rows(whole, rows))

    def test_order_of_objects_changes_nothing(self, model: Estimator, sky: SyntheticSky) -> None:
        """Shuffled objects get the same bits."""
        order = np.random.default_rng(3).permutation(self.n_test)
        whole = model.estimate(sky.photometry)
        assert_same(model.estimate(sky.photometry.select(order)), _rows(whole, order))

    def test_order_of_bands_changes_nothing(self, model: Estimator, sky: SyntheticSky) -> None:
        """Bands are known by name, not by place; one that the model does not know is left alone."""
        whole = model.estimate(sky.photometry)
        assert_same(model.estimate(sky.photometry.with_bands(sky.photometry.bands[::-1])), whole)
        one = np.ones((self.n_test, 1), dtype=np.float32)
        wider = replace(
            sky.photometry,
            flux=np.hstack([one, sky.photometry.flux]),
            flux_err=np.hstack([one, sky.photometry.flux_err]),
            bands=("H", *sky.photometry.bands),
        )
        assert_same(model.estimate(wider), whole)

    def test_float64_is_float32(self, model: Estimator, sky: SyntheticSky) -> None:
        """Fluxes of either precision are taken, and the densities are float32."""
        flux, flux_err = sky.photometry.flux.astype(np.float64), sky.photometry.flux_err.astype(np.float64)
        pz = model.estimate(replace(sky.photometry, flux=flux, flux_err=flux_err))
        assert pz.pdf.dtype == np.float32
        assert_same(pz, model.estimate(sky.photometry))

    def test_takes_no_objects(self, model: Estimator, sky: SyntheticSky) -> None:
        """An empty partition gives an empty result."""
        pz = model.estimate(sky.photometry.select(slice(0, 0)))
        assert pz.pdf.shape == (0, model.z_grid.size)

    def test_changes_no_input(self, model: Estimator, sky: SyntheticSky) -> None:
        """Arrays that cannot be written to are enough, and nothing in them changes."""
        photometry = replace(sky.photometry, flux=sky.photometry.flux.copy(), flux_err=sky.photometry.flux_err.copy())
        assert photometry.flags is not None
        before = photometry.flux.tobytes(), photometry.flux_err.tobytes(), photometry.flags.tobytes()
        for array in (photometry.flux, photometry.flux_err, photometry.flags):
            array.setflags(write=False)
        model.estimate(photometry)
        assert before == (photometry.flux.tobytes(), photometry.flux_err.tobytes(), photometry.flags.tobytes())

    def test_needs_no_memory_beside_the_result(self, model: Estimator) -> None:
        """Nothing of the size n_obj x n_z x (templates, neighbours) is ever made."""
        photometry = synthetic_sky(self.n_memory, seed=5).photometry
        model.estimate(photometry.select(slice(0, 2)))
        tracemalloc.start()
        try:
            pz = model.estimate(photometry)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * pz.pdf.nbytes + (32 << 20)

    # Objects that lack something

    def test_keeps_flags(self, model: Estimator, sky: SyntheticSky) -> None:
        """What was known of an object before is still known after."""
        flags = np.full(self.n_test, np.uint32(PZFlag.blended))
        pz = model.estimate(replace(sky.photometry, flags=flags))
        assert np.all(pz.flags & np.uint32(PZFlag.blended))

    def test_flags_fluxes_with_extinction(self, model: Estimator, sky: SyntheticSky) -> None:
        """Fluxes that were not dereddened are flagged by methods that need it."""
        pz = model.estimate(replace(sky.photometry, dereddened=False))
        flagged = (pz.flags & np.uint32(PZFlag.not_dereddened)) != 0
        assert np.all(flagged == model.declaration.needs_dereddened)

    @pytest.mark.parametrize("n_missing", [1, 3, 5])
    def test_missing_bands(self, model: Estimator, sky: SyntheticSky, n_missing: int) -> None:
        """An object with a band left gets a density, or says that it has none."""
        for first in range(len(SYNTHETIC_BANDS)):
            lost = [(first + k) % len(SYNTHETIC_BANDS) for k in range(n_missing)]
            photometry = _without(sky.photometry, np.arange(self.n_test), lost)
            pz = model.estimate(photometry)
            assert_densities(pz, photometry)
            few = (pz.flags & np.uint32(PZFlag.few_bands)) != 0
            assert np.all(few == (len(SYNTHETIC_BANDS) - n_missing < 4))

    def test_objects_without_photometry(self, model: Estimator, sky: SyntheticSky) -> None:
        """They get no density and the flag, and the others what they would have got anyway."""
        empty = np.arange(0, self.n_test, 5)
        photometry = _without(sky.photometry, empty, range(len(SYNTHETIC_BANDS)))
        pz = model.estimate(photometry)
        assert np.all(np.isnan(pz.pdf[empty]))
        assert np.all(pz.flags[empty] & np.uint32(PZFlag.no_estimate))
        rest = np.setdiff1d(np.arange(self.n_test), empty)
        assert_same(_rows(pz, rest), _rows(model.estimate(sky.photometry), rest))

    @pytest.mark.parametrize("value", [0.0, -1.0, np.inf, np.nan])
    def test_bad_errors_are_missing_bands(self, model: Estimator, sky: SyntheticSky, value: float) -> None:
        """A flux whose error says nothing is not used, and that is flagged."""
        flux_err = sky.photometry.flux_err.copy()
        flux_err[::2, 0] = value
        pz = model.estimate(replace(sky.photometry, flux_err=flux_err))
        wanted = model.estimate(_without(sky.photometry, np.arange(0, self.n_test, 2), [0]))
        np.testing.assert_array_equal(pz.pdf, wanted.pdf)
        flagged = (pz.flags & np.uint32(PZFlag.bad_error)) != 0
        assert np.all(flagged[::2])
        assert not np.any(flagged[1::2])

    def test_infinite_fluxes_are_missing_bands(self, model: Estimator, sky: SyntheticSky) -> None:
        """An infinite flux is not used, and that is flagged."""
        flux = sky.photometry.flux.copy()
        flux[::2, 0] = np.inf
        pz = model.estimate(replace(sky.photometry, flux=flux))
        wanted = model.estimate(_without(sky.photometry, np.arange(0, self.n_test, 2), [0]))
        np.testing.assert_array_equal(pz.pdf, wanted.pdf)
        np.testing.assert_array_equal((pz.flags & np.uint32(PZFlag.bad_error)) != 0, np.arange(self.n_test) % 2 == 0)

    def test_negative_fluxes_are_data(self, model: Estimator, sky: SyntheticSky) -> None:
        """A noisy flux below zero is measured, not missing."""
        flux = sky.photometry.flux.copy()
        flux[:, 0] = -0.5 * sky.photometry.flux_err[:, 0]
        photometry = replace(sky.photometry, flux=flux)
        pz = model.estimate(photometry)
        assert_densities(pz, photometry)
        assert not np.any(pz.flags & np.uint32(PZFlag.no_estimate | PZFlag.bad_error))

    def test_any_photometry(self) -> None:
        """Whatever comes gives a density or a flag, never an exception or a warning."""
        model = _trained(type(self))

        @settings(
            max_examples=25,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(photometry=photometries())
        def holds(photometry: Photometry) -> None:
            assert_densities(model.estimate(photometry), photometry)

        holds()

    def test_refuses_other_bands(self, model: Estimator, sky: SyntheticSky) -> None:
        """A band of the model that is not there is named in the error."""
        with pytest.raises(BandError, match=r"'u'|'y'"):
            model.estimate(sky.photometry.with_bands(("g", "r", "i", "z")))

    # Training

    def test_training_is_remembered(self, model: Estimator) -> None:
        """The facts of the training sample go with the model."""
        z_spec = _train_sky(self.n_train).z_spec
        assert model.training is not None
        assert model.training.n_obj == self.n_train
        assert (model.training.z_min, model.training.z_max) == (z_spec.min(), z_spec.max())

    def test_order_of_training_objects_changes_nothing(self, model: Estimator, sky: SyntheticSky) -> None:
        """A model depends on which objects there are, not on their order."""
        train = _train_sky(self.n_train)
        order = np.random.default_rng(4).permutation(self.n_train)
        again = self.estimator_class.train(
            train.photometry.select(order), train.z_spec[order], config=_config_of(type(self))
        )
        assert again.training == model.training
        assert_same(again.estimate(sky.photometry), model.estimate(sky.photometry))

    @pytest.mark.parametrize("grid", ["wide", "uneven"])
    def test_takes_any_grid(self, sky: SyntheticSky, grid: str) -> None:
        """The grid of the caller is the grid of the densities."""
        z_grid = np.linspace(0, 6, 601) if grid == "wide" else np.geomspace(1.0, 4.5, 160) - 1.0
        train = _train_sky(self.n_train)
        model = self.estimator_class.train(train.photometry, train.z_spec, config=_config_of(type(self)), z_grid=z_grid)
        pz = model.estimate(sky.photometry)
        np.testing.assert_array_equal(pz.z_grid, z_grid)
        assert_densities(pz, sky.photometry)

    def test_reports_progress(self) -> None:
        """Fractions between 0 and 1 that do not go back, with a word of what is done."""
        train = _train_sky(self.n_train)
        told: list[tuple[float, str]] = []
        self.estimator_class.train(
            train.photometry,
            train.z_spec,
            config=_config_of(type(self)),
            progress=lambda fraction, text: told.append((fraction, text)),
        )
        fractions = [fraction for fraction, _ in told]
        assert fractions == sorted(fractions)
        assert all(0 <= fraction <= 1 for fraction in fractions)
        assert all(text for _, text in told)

    def test_refuses_bad_training_sets(self) -> None:
        """Each mistake is one clear error."""
        train = _train_sky(self.n_train)
        config = _config_of(type(self))

        def refused(kind: type[Exception], photometry: Photometry, z_spec: NDArray[Any], **kwargs: Any) -> None:
            with pytest.raises(kind):
                self.estimator_class.train(photometry, z_spec, config=config, **kwargs)

        some_nan = np.where(np.arange(self.n_train) == 3, np.nan, train.z_spec)
        refused(ModelError, train.photometry, some_nan)
        refused(ShapeError, train.photometry, train.z_spec[:-1])
        refused(EmptyTableError, train.photometry.select(slice(0, 0)), train.z_spec[:0])
        refused(ModelError, train.photometry.select(slice(0, 1)), train.z_spec[:1])
        refused(GridError, train.photometry, train.z_spec, z_grid=np.linspace(0, 0.3, 31))
        refused(GridError, train.photometry, train.z_spec, z_grid=np.linspace(3, 0, 301))
        nothing = _without(train.photometry, np.arange(self.n_train), range(len(SYNTHETIC_BANDS)))
        refused(ModelError, nothing, train.z_spec)

    # Models on disk

    def test_round_trip(self, model: Estimator, sky: SyntheticSky, tmp_path: Path) -> None:
        """A loaded model gives the same bits, says the same of itself, and is written again byte by byte."""
        model.save(tmp_path / "a")
        loaded = self.estimator_class.load(tmp_path / "a")
        assert_same(loaded.estimate(sky.photometry), model.estimate(sky.photometry))
        assert (loaded.config, loaded.bands, loaded.training) == (model.config, model.bands, model.training)
        loaded.save(tmp_path / "b")
        names = sorted(path.name for path in (tmp_path / "a").iterdir())
        assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
        for name in names:
            assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name

    def test_holds_data_only(self, model: Estimator, tmp_path: Path) -> None:
        """No pickle and nothing else that can run; the manifest names the method."""
        model.save(tmp_path / "model")
        for path in (tmp_path / "model").iterdir():
            assert path.suffix in _DATA_SUFFIXES
            assert not path.read_bytes().startswith((b"\x80", b"PK", b"\x93NUMPY", b"#!"))
        assert read_manifest(tmp_path / "model").estimator == self.estimator_class.name

    def test_is_written_whole_or_not_at_all(
        self, model: Estimator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A full disk leaves nothing behind."""

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(StorageError):
            model.save(tmp_path / "model")
        assert list(tmp_path.iterdir()) == []

    def test_overwrites_nothing(self, model: Estimator, tmp_path: Path) -> None:
        """A directory that holds something is refused."""
        model.save(tmp_path / "model")
        with pytest.raises(OutputExistsError):
            model.save(tmp_path / "model")

    @pytest.mark.parametrize("name", [ARRAYS_FILE, MANIFEST_FILE])
    def test_refuses_changed_files(self, model: Estimator, tmp_path: Path, name: str) -> None:
        """One changed byte is enough."""
        model.save(tmp_path / "model")
        path = tmp_path / "model" / name
        content = bytearray(path.read_bytes())
        at = content.index(b"n_obj: ") + 7 if name == MANIFEST_FILE else len(content) - 1
        content[at] = ord("1") if content[at] != ord("1") else ord("2")
        path.write_bytes(content)
        with pytest.raises(ChecksumError):
            self.estimator_class.load(tmp_path / "model")

    def test_refuses_foreign_files(self, model: Estimator, tmp_path: Path) -> None:
        """Files that the manifest does not name, links, and other methods' models."""
        model.save(tmp_path / "extra")
        (tmp_path / "extra" / "model.pkl").write_bytes(b"\x80\x04.")
        with pytest.raises(ModelError):
            self.estimator_class.load(tmp_path / "extra")
        model.save(tmp_path / "link")
        (tmp_path / "link" / ARRAYS_FILE).rename(tmp_path / "elsewhere")
        (tmp_path / "link" / ARRAYS_FILE).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(ModelError):
            self.estimator_class.load(tmp_path / "link")
        with pytest.raises(NotFoundError):
            self.estimator_class.load(tmp_path / "absent")


class _OtherConfig(EstimatorConfig):
    """Settings that no method has."""


def assert_densities(pz: PZ, photometry: Photometry) -> None:
    """Assert that each row is a density, or NaN with the flag ``no_estimate``.

    Parameters
    ----------
    pz : PZ
        Result.
    photometry : Photometry
        What it was made from.
    """
    assert pz.pdf.dtype == np.float32
    assert pz.flags.dtype == np.uint32
    assert pz.pdf.shape == (photometry.n_obj, pz.z_grid.size)
    flagged = (pz.flags & np.uint32(PZFlag.no_estimate)) != 0
    np.testing.assert_array_equal(np.isnan(pz.pdf).all(axis=1), flagged)
    rows = pz.pdf[~flagged].astype(np.float64)
    assert np.all(np.isfinite(rows))
    assert np.all(rows >= 0)
    np.testing.assert_allclose(np.trapezoid(rows, pz.z_grid, axis=1), 1.0, atol=1e-4)


def assert_same(left: PZ, right: PZ) -> None:
    """Assert that two results agree in every bit (NaN equal to NaN).

    Parameters
    ----------
    left, right : PZ
        Results.
    """
    for field in fields(PZ):
        a, b = getattr(left, field.name), getattr(right, field.name)
        assert (a is None) == (b is None), field.name
        if a is not None:
            np.testing.assert_array_equal(a, b, err_msg=field.name)


@cache
def _train_sky(n_obj: int) -> SyntheticSky:
    return synthetic_sky(n_obj, seed=1)


@cache
def _test_sky(n_obj: int) -> SyntheticSky:
    return synthetic_sky(n_obj, seed=2)


_MODELS: dict[type[EstimatorSuite], Estimator] = {}
"""One model for all tests of a suite: training is the slow part."""


def _trained(suite: type[EstimatorSuite]) -> Estimator:
    if suite not in _MODELS:
        train = _train_sky(suite.n_train)
        _MODELS[suite] = suite.estimator_class.train(train.photometry, train.z_spec, config=_config_of(suite))
    return _MODELS[suite]


def _config_of(suite: type[EstimatorSuite]) -> EstimatorConfig:
    return suite.estimator_class.Config.model_validate(dict(suite.config))


def _rows(pz: PZ, rows: Any) -> PZ:
    optional = {name: getattr(pz, name) for name in _OPTIONAL_FIELDS}
    return PZ(
        pdf=pz.pdf[rows],
        z_grid=pz.z_grid,
        flags=pz.flags[rows],
        **{name: None if value is None else value[rows] for name, value in optional.items()},
    )


def _without(photometry: Photometry, rows: NDArray[np.int64], columns: Any) -> Photometry:
    """Take bands away from objects."""
    flux, flux_err = photometry.flux.copy(), photometry.flux_err.copy()
    for column in columns:
        flux[rows, column] = np.nan
        flux_err[rows, column] = np.nan
    return replace(photometry, flux=flux, flux_err=flux_err)
