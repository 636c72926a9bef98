"""What is checked and put in place before a run begins: its model, the bands of its source, its directory."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pzcenter.catalogs import is_skinny, open_catalog
from pzcenter.catalogs.photometry import bands_of
from pzcenter.catalogs.provenance import PROVENANCE_NAME
from pzcenter.errors import BandError, ConfigError, NotFoundError, OutputExistsError
from pzcenter.estimators import estimator_names, get_estimator, load_model, model_digest
from pzcenter.estimators.protocol import checked_config
from pzcenter.estimators.rail import FAMILY as RAIL
from pzcenter.estimators.storage import read_files, read_manifest, write_files
from pzcenter.pipelines.run import is_finished
from pzcenter.schema import detect_mapping, load_mapping, mapping_names

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from pzcenter.estimators import Estimator

__all__ = [
    "REPORT_FOLDER",
    "check_bands",
    "check_model",
    "prepare_model",
    "prepare_physical_model",
    "refuse_unusable",
    "remove_outputs",
    "survey_settings",
]

REPORT_FOLDER = "report"
PHYSICAL_FOLDER = "physical_model"
PHYSICAL_METHOD = "template"
"""Template model of the physical quantities, where the run's own model is none."""


def prepare_model(
    model: str | os.PathLike[str],
    destination: Path,
    *,
    config: Mapping[str, Any] | None = None,
    z_grid: NDArray[np.float64] | None = None,
) -> Path:
    """Put the model of a run where its results will be.

    Parameters
    ----------
    model : path or str
        Directory of a trained model, or the name of a method.
    destination : Path
        Of the run.
    config : mapping, optional
    z_grid : ndarray, optional

    Returns
    -------
    Path
        ``destination/model``.

    Raises
    ------
    NotFoundError
        Neither a directory nor a method.
    ConfigError
        A setting is not accepted, or a trained model is given settings or a grid.
    ModelError
        The method needs training.
    OutputExistsError
        Another model is there already.
    """
    target = destination / "model"
    trained = check_model(model, config=config, z_grid=z_grid)
    if trained is not None:
        if target.exists():
            if model_digest(target) != model_digest(Path(model)):
                raise OutputExistsError(
                    f"{destination} was begun with another model; name another place or overwrite it (--overwrite)"
                )
            return target
        # The files as they are: the digest stays, and the card comes along.
        write_files(target, read_files(Path(model)))
        return target
    estimator = get_estimator(str(model))
    made = estimator.default(config=checked_config(estimator.Config, config), z_grid=z_grid)
    if target.exists():
        fresh = destination / ".tmp-model"
        shutil.rmtree(fresh, ignore_errors=True)
        made.save(fresh)
        same = model_digest(fresh) == model_digest(target)
        shutil.rmtree(fresh)
        if not same:
            raise OutputExistsError(
                f"{destination} was begun with another model; name another place or overwrite it (--overwrite)"
            )
        return target
    made.save(target)
    return target


def prepare_physical_model(source: str | os.PathLike[str], destination: Path, *, mapping: str | None = None) -> Path:
    """Template model for the physical quantities of a run: its own where it is one, else the one of the package.

    Parameters
    ----------
    source : path
        Whose survey tells the filters.
    destination : Path
        Of the run, with its model.
    mapping : str, optional
        Of the columns of a catalogue.

    Returns
    -------
    Path
        Directory of the model.

    Raises
    ------
    ConfigError, BandError
        There is no filter for a band.
    """
    own = destination / "model"
    if read_manifest(own).estimator == PHYSICAL_METHOD:
        return own
    target = destination / PHYSICAL_FOLDER
    if not target.exists():
        estimator = get_estimator(PHYSICAL_METHOD)
        config = survey_settings(source, PHYSICAL_METHOD, None, mapping=mapping)
        grid = load_model(own).z_grid
        estimator.default(config=checked_config(estimator.Config, config), z_grid=grid).save(target)
    check_bands(source, load_model(target).bands, mapping=mapping)
    return target


def check_model(
    model: str | os.PathLike[str], *, config: Mapping[str, Any] | None = None, z_grid: NDArray[np.float64] | None = None
) -> Estimator | None:
    """Load a trained model; None for the name of a method.

    Parameters
    ----------
    model, config, z_grid
        As in :func:`prepare_model`.

    Returns
    -------
    Estimator or None

    Raises
    ------
    NotFoundError, ConfigError, ModelError, ChecksumError
        As in :func:`prepare_model`.
    """
    if Path(model).is_dir():
        if config or z_grid is not None:
            raise ConfigError(f"{model} is a trained model: its settings and its redshift grid cannot be changed")
        return load_model(Path(model))
    if str(model).startswith(f"{RAIL}:"):
        get_estimator(str(model))
        return None
    names = estimator_names()
    if str(model) not in names:
        raise NotFoundError(
            f"no model directory {str(model)!r}, and no method of this name: there are {', '.join(names)}"
        )
    return None


def survey_settings(
    source: str | os.PathLike[str],
    method: str,
    config: Mapping[str, Any] | None,
    *,
    mapping: str | None = None,
) -> Mapping[str, Any] | None:
    """Settings of a method with the filters of the survey, unless they name filters themselves.

    Parameters
    ----------
    source : path
        Catalogue, or a skinny table, which remembers the mapping it was made with.
    method : str
    config : mapping, optional
    mapping : str, optional
        Of a catalogue; detected by default.

    Returns
    -------
    mapping or None
        ``config`` itself where the method needs no filters. Where the mapping does not say which they are, the
        method's own for the bands that the source has.
    """
    if "filters" not in get_estimator(method).Config.model_fields or (config and "filters" in config):
        return config
    catalog = open_catalog(source)
    if is_skinny(source):
        name = (catalog.schema.metadata or {}).get(b"pz.mapping", b"skinny").decode()
        chosen = load_mapping(name if name in mapping_names() else "skinny")
        bands = bands_of(catalog.schema)
    else:
        chosen = detect_mapping(catalog.column_names) if mapping is None else load_mapping(mapping)
        bands = chosen.present_in([*catalog.column_names, chosen.object_id]).bands
    known = chosen.filter_of_band
    if known is None:
        known = getattr(checked_config(get_estimator(method).Config, config), "filter_of_band", {})
        if set(known) <= set(bands):
            return config
    return {**(config or {}), "filters": {band: known[band] for band in bands if band in known}}


def refuse_unusable(destination: Path, *, overwrite: bool) -> None:
    """Check that a run can be begun or continued here.

    Raises
    ------
    OutputExistsError
        There is a finished main line that must not be overwritten, or something else.
    """
    _refuse_foreign(destination)
    if not overwrite and is_finished(destination) and (destination / PROVENANCE_NAME).is_file():
        raise OutputExistsError(
            f"{destination} holds a finished PZ table; name another place, or overwrite it (--overwrite)"
        )


_OUTPUTS = (
    "skinny", "pz", "pz_pdf", "model", PHYSICAL_FOLDER, REPORT_FOLDER, ".tmp", ".tmp-model",
    "journal.jsonl", PROVENANCE_NAME, "pz_model.parquet", "pz_flag.parquet", "pz_quality.parquet",
)  # fmt: skip


def _refuse_foreign(destination: Path) -> None:
    """A directory with anything in it that no run of ours makes is left alone."""
    if destination.is_file():
        raise OutputExistsError(f"{destination} is a file; a directory is needed")
    if destination.is_dir():
        # A model that was being saved when the process was killed.
        for unfinished in destination.glob(".*model.*.part"):
            shutil.rmtree(unfinished, ignore_errors=True)
        foreign = sorted(path.name for path in destination.iterdir() if path.name not in _OUTPUTS)
        if foreign:
            raise OutputExistsError(f"{destination} holds other things, such as {foreign[0]!r}; name another place")


def remove_outputs(destination: Path) -> None:
    """Remove what a run made, and nothing else."""
    for name in _OUTPUTS:
        path = destination / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def check_bands(
    source: str | os.PathLike[str], bands: Sequence[str] | None, *, mapping: str | None = None
) -> tuple[str, ...]:
    """Refuse a source that cannot be read or lacks bands of the model, before anything is made of it.

    Parameters
    ----------
    source : path
    bands : sequence of str, optional
        Of the model; none are asked for by default.
    mapping : str, optional
        Of a catalogue; detected by default.

    Returns
    -------
    tuple of str
        Bands of the source.

    Raises
    ------
    BandError
        There are not all bands.
    """
    catalog = open_catalog(source)
    if is_skinny(source):
        there = bands_of(catalog.schema)
    else:
        chosen = detect_mapping(catalog.column_names) if mapping is None else load_mapping(mapping)
        there = chosen.present_in([*catalog.column_names, chosen.object_id]).bands
    missing = [band for band in bands or () if band not in there]
    if missing:
        raise BandError(
            f"the model needs the bands {list(bands or ())}; {source} lacks {missing}, it has {list(there)}"
        )
    return there
