"""The models of one method for one release: one for each set of bands, from which every tract takes the largest it can.

Parts of a sky lack bands: the same method then needs a model in six bands and another in four. They travel together, in
one directory with a model directory for each, the one with most bands first:

    00_ugrizy/model.yaml, arrays.safetensors
    01_griz/model.yaml, arrays.safetensors
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from pzcenter.errors import BandError, GridError, ModelError, NotFoundError, OutputExistsError
from pzcenter.estimators.protocol import checked_config
from pzcenter.estimators.registry import get_estimator, load_model
from pzcenter.estimators.storage import MANIFEST_FILE, parse_manifest, read_files, write_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from pzcenter.estimators.protocol import Estimator, EstimatorConfig
    from pzcenter.estimators.storage import Manifest

__all__ = ["ModelSet", "default_model_set"]

MAX_MODELS = 100


@dataclass(frozen=True, eq=False)
class ModelSet:
    """Models of one method that differ in their bands, on one redshift grid.

    The files of each model are kept beside it, so that a set that is read, moved and written again has the same bytes
    and the same digests, whatever versions did it.

    Parameters
    ----------
    models : tuple of Estimator
        At least one; put into order, most bands first.
    files : tuple of mapping of str to bytes, optional
        Files of each model by name; made when not given.

    Raises
    ------
    ModelError
        No models, of several methods, or two with the same bands.
    GridError
        The redshift grids differ.
    """

    models: tuple[Estimator, ...]
    files: tuple[Mapping[str, bytes], ...] = field(default=(), repr=False)
    manifests: tuple[Manifest, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        models = tuple(self.models)
        _require_alike(models)
        files = tuple(self.files) or tuple(_files_of(model) for model in models)
        order = sorted(range(len(models)), key=lambda place: (-len(models[place].bands), models[place].bands))
        object.__setattr__(self, "models", tuple(models[place] for place in order))
        object.__setattr__(self, "files", tuple(files[place] for place in order))
        manifests = tuple(parse_manifest(content[MANIFEST_FILE]) for content in self.files)
        object.__setattr__(self, "manifests", manifests)

    def __len__(self) -> int:
        return len(self.models)

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.models[0].name

    @property
    def band_sets(self) -> tuple[tuple[str, ...], ...]:
        """Bands of each model."""
        return tuple(model.bands for model in self.models)

    @property
    def z_grid(self) -> NDArray[np.float64]:
        """Redshift grid of all models, (n_z,)."""
        return self.models[0].z_grid

    @property
    def names(self) -> tuple[str, ...]:
        """Name of each model: method and bands, such as ``template-ugrizy``."""
        return tuple(f"{model.name}-{_joined(model.bands)}" for model in self.models)

    @property
    def digests(self) -> tuple[str, ...]:
        """Digest of each model, as :func:`pzcenter.estimators.model_digest` gives it for its directory."""
        return tuple(manifest.digest for manifest in self.manifests)

    @property
    def digest(self) -> str:
        """Digest of the set, 64 hexadecimal digits."""
        return hashlib.sha256(json.dumps(self.digests).encode()).hexdigest()

    def choose(self, bands: Iterable[str]) -> tuple[int, Estimator]:
        """Largest model that does with these bands.

        Parameters
        ----------
        bands : iterable of str
            Bands that are there.

        Returns
        -------
        index : int
            0 for the model with most bands.
        model : Estimator

        Raises
        ------
        BandError
            Every model needs a band that is not there.
        """
        there = tuple(bands)
        for index, model in enumerate(self.models):
            if set(model.bands) <= set(there):
                return index, model
        needed = " or ".join(str(list(band_set)) for band_set in self.band_sets)
        raise BandError(f"the bands {list(there)} are there; the models of {self.method} need {needed}")

    def save(self, directory: Path | str) -> None:
        """Write the set as a directory with one model directory for each model.

        Parameters
        ----------
        directory : Path or str
            Must not exist, or be empty.

        Raises
        ------
        OutputExistsError
            ``directory`` is a file or holds something.
        StorageError
            The disk refused.
        """
        target = Path(directory)
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise OutputExistsError(f"{target} exists and is not an empty directory; give another name or remove it")
        for place, (model, content) in enumerate(zip(self.models, self.files, strict=True)):
            write_files(target / f"{place:02d}_{_joined(model.bands)}", content)

    @classmethod
    def load(cls, directory: Path | str) -> Self:
        """Read a set that was written by :meth:`save`, or a single model; every checksum is verified.

        Parameters
        ----------
        directory : Path or str

        Returns
        -------
        ModelSet

        Raises
        ------
        NotFoundError
            No such directory, or no model in it.
        ModelError, ChecksumError
            A model must not be used, or something else lies beside the models.
        """
        return cls.from_directories(_model_directories(Path(directory)))

    @classmethod
    def from_directories(cls, directories: Iterable[Path | str]) -> Self:
        """Gather models that were saved one by one.

        Parameters
        ----------
        directories : iterable of Path or str
            Each of one model.

        Returns
        -------
        ModelSet

        Raises
        ------
        NotFoundError, ModelError, ChecksumError, GridError
            A model must not be used, or does not fit the others.
        """
        paths = tuple(directories)
        return cls(tuple(load_model(path) for path in paths), tuple(read_files(path) for path in paths))


def default_model_set(
    method: str,
    band_sets: Iterable[Iterable[str]],
    *,
    config: EstimatorConfig | Mapping[str, Any] | None = None,
    z_grid: NDArray[Any] | None = None,
) -> ModelSet:
    """Models of a method that needs no data, one for each set of bands.

    Parameters
    ----------
    method : str
        Name of the method.
    band_sets : iterable of iterable of str
        Such as ``("ugrizy", "griz")``.
    config : EstimatorConfig or mapping, optional
        Settings of the method, for all of them.
    z_grid : ndarray, (n_z,), optional

    Returns
    -------
    ModelSet

    Raises
    ------
    NotFoundError
        No such method.
    ModelError
        The method needs training.
    ConfigError
        A setting that is unknown or refused.
    BandError
        The method has no model in exactly these bands.
    """
    estimator = get_estimator(method)
    settings = checked_config(estimator.Config, config)
    models = []
    for band_set in band_sets:
        bands = tuple(band_set)
        if not bands:
            raise BandError(f"a model of {method} needs bands; got none")
        model = estimator.default(config=settings.for_bands(bands), z_grid=z_grid)
        if set(model.bands) != set(bands):
            raise BandError(f"a model of {method} in the bands {list(bands)} is asked for; it has {list(model.bands)}")
        models.append(model)
    return ModelSet(tuple(models))


def _require_alike(models: tuple[Estimator, ...]) -> None:
    if not 1 <= len(models) <= MAX_MODELS:
        raise ModelError(f"a set has 1 to {MAX_MODELS} models; got {len(models)}")
    methods = sorted({model.name for model in models})
    if len(methods) > 1:
        raise ModelError(f"the models of a set are of one method; got {methods}")
    counts = Counter(frozenset(model.bands) for model in models)
    doubled = [model.bands for model in models if counts[frozenset(model.bands)] > 1]
    if doubled:
        raise ModelError(f"the models of a set differ in their bands; {len(doubled)} have {sorted(doubled[0])}")
    grid = models[0].z_grid
    for model in models[1:]:
        if not np.array_equal(model.z_grid, grid):
            raise GridError(
                f"the models of a set share a redshift grid; {_joined(models[0].bands)} has {_grid_text(grid)}, "
                f"{_joined(model.bands)} has {_grid_text(model.z_grid)}"
            )


def _grid_text(z_grid: NDArray[np.float64]) -> str:
    return f"{z_grid.size} points from {z_grid[0]:g} to {z_grid[-1]:g}"


def _files_of(model: Estimator) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory(prefix="pz_model_") as folder:
        model.save(Path(folder) / "model")
        return read_files(Path(folder) / "model")


def _joined(bands: Iterable[str]) -> str:
    """Bands as one word that can be part of a file name."""
    names = [re.sub(r"[^A-Za-z0-9-]", "", band) for band in bands]
    return ("" if all(len(name) == 1 for name in names) else "_").join(names)[:100]


def _model_directories(path: Path) -> list[Path]:
    if not path.is_dir():
        raise NotFoundError(f"{path} is not a directory; a set of models is a directory with one for each model")
    entries = sorted(path.iterdir())
    if any(entry.name == MANIFEST_FILE for entry in entries):
        return [path]
    strange = [entry.name for entry in entries if entry.is_symlink() or not entry.is_dir()]
    if strange:
        raise ModelError(f"{path} is not a set of models: it holds {strange[:5]}")
    if not entries:
        raise NotFoundError(f"{path} is empty; a set of models has at least one")
    return entries
