"""From a file of settings to a product on disk: what the commands call."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
import yaml

import pzcenter
from pzcenter.errors import ConfigError
from pzcenter.training.combine import combine, read_combine_config
from pzcenter.training.make import make_training_set, read_training_config
from pzcenter.training.product import REPORT_PAGE, open_product, write_product
from pzcenter.training.product_page import PACKAGES, page_of_redshifts, page_of_training_set, target_catalogue
from pzcenter.training.sources import fetch
from pzcenter.training.surveys import Survey, load_survey, survey_named

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from pzcenter.training.combine import Combined
    from pzcenter.training.make import TrainingConfig, TrainingSet
    from pzcenter.training.product import Product
    from pzcenter.training.redshift_source import RedshiftSource

__all__ = ["Fetcher", "build_redshifts", "build_training_set"]


@dataclass
class Fetcher:
    """Brings the rows of sources without a file, and remembers what it brought.

    Parameters
    ----------
    cache : path, optional
        Directory of the cache; the user's own by default.
    offline : bool
        Never go out.
    refresh : bool
        Ask the services again.
    files : list of Path
        What was brought.
    facts : dict
        Checksum, time and notes of each source.
    own_surveys : list of Survey
        Those of the user, whose sources are tried like those of others.
    """

    cache: str | os.PathLike[str] | None = None
    offline: bool = False
    refresh: bool = False
    files: list[Path] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    own_surveys: list[Survey] = field(default_factory=list)

    def __call__(self, source: RedshiftSource) -> pa.Table:
        """Rows of a source.

        Raises
        ------
        ConfigError
            It names neither a file, nor a survey, nor a source.
        NotFoundError, SourceUnavailableError
            See :func:`pzcenter.training.sources.fetch`.
        """
        if source.fetch is None and source.survey is None:
            raise ConfigError(f"source {source.name} has neither a path, nor a survey to fetch, nor a source (fetch)")
        wanted = source.fetch or survey_named(str(source.survey), self.own_surveys)
        found = fetch(wanted, self.cache, offline=self.offline, refresh=self.refresh)
        self.files.append(found.path)
        self.facts[source.name] = {
            "sha256": found.sha256, "n_rows": found.n_rows, "retrieved": str(found.version.retrieved),
            "url": found.version.url, "notes": list(found.notes), "changed": found.changed,
        }  # fmt: skip
        return found.table()


def build_redshifts(
    config_path: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    changes: dict[str, Any] | None = None,
    fetcher: Fetcher | None = None,
    overwrite: bool = False,
    with_page: bool = True,
    command: Sequence[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Product, Combined]:
    """Combine catalogues of redshifts and write the product.

    Parameters
    ----------
    config_path : path
        Settings; paths in it begin from the current directory.
    directory : path
        Of the product.
    changes : dict, optional
        Settings in place of those of the file.
    fetcher : Fetcher, optional
    overwrite : bool
    with_page : bool
        Make the page with figures, which takes some seconds.
    command : sequence of str, optional
        For the provenance.
    progress : callable, optional

    Returns
    -------
    Product, Combined

    Raises
    ------
    PZCenterError
        See :func:`pzcenter.training.combine.combine` and :func:`pzcenter.training.product.write_product`.
    """
    started = datetime.now(UTC)
    config = read_combine_config(config_path)
    if changes:
        config = type(config).model_validate(config.model_dump() | changes)
    own_surveys = [load_survey(name) for name in config.survey_files]
    fetcher = fetcher or Fetcher()
    fetcher.own_surveys += own_surveys
    made = combine(config, fetch=fetcher, progress=progress)
    inputs = [Path(source.path) for source in config.sources if source.path is not None]
    inputs += [Path(name) for name in config.survey_files]
    report = made.report.as_dict() | {"fetched": fetcher.facts}
    report["own_surveys"] = [each.model_dump(mode="json") for each in own_surveys]
    texts = {}
    if with_page:
        texts[REPORT_PAGE] = page_of_redshifts(
            made.table, report, directory=directory, versions=_versions(), made_at=started
        )
    product = write_product(
        directory, "redshift", made.table, config=_yaml(config), started=started, task="specz combine",
        texts=texts, report=report, inputs=[*inputs, *fetcher.files],
        surveys=pc.unique(made.table.column("survey")).to_pylist(), own_surveys=own_surveys, overwrite=overwrite,
        command=command,
    )  # fmt: skip
    return product, made


def build_training_set(
    config_path: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    with_page: bool = True,
    command: Sequence[str] | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[Product, TrainingSet]:
    """Make a training set and write the product.

    Parameters
    ----------
    config_path, directory, overwrite, with_page, command
        As for :func:`build_redshifts`.
    progress : callable, optional
        Called with the stage, what is done and all.

    Returns
    -------
    Product, TrainingSet

    Raises
    ------
    PZCenterError
        See :func:`pzcenter.training.make.make_training_set` and :func:`pzcenter.training.product.write_product`.
    """
    started = datetime.now(UTC)
    config = read_training_config(config_path)
    made = make_training_set(config, progress=progress)
    surveys = pc.unique(made.table.column("survey")).to_pylist()
    report = made.as_dict()
    redshifts = Path(config.redshifts)
    base = open_product(redshifts) if (redshifts / "manifest.json").is_file() else None
    if base is not None:
        report["redshifts"] = base.report
        report["redshift_table"] = {base.table_path.name: base.sha256}
    counts, edges = np.histogram(made.separations, bins=50, range=(0.0, config.match.radius_arcsec))
    report["separations"] = {"counts": counts.tolist(), "edges_arcsec": edges.tolist()}
    texts = {}
    if with_page:
        texts[REPORT_PAGE] = page_of_training_set(
            made.table, report, redshifts=None if base is None else base.table(), target=target_catalogue(config),
            directory=directory, versions=_versions(), made_at=started,
        )  # fmt: skip
    product = write_product(
        directory, "training_set", made.table, texts=texts, config=_yaml(config), started=started,
        task="training make", report=report, inputs=_files_read(config), surveys=surveys,
        own_surveys=[Survey.model_validate(each) for each in report.get("redshifts", {}).get("own_surveys", ())],
        overwrite=overwrite, command=command,
    )  # fmt: skip
    return product, made


def _files_read(config: TrainingConfig) -> list[Path]:
    """Redshifts, objects, the target where it is another catalogue, and mapping files of the user."""
    found = [Path(config.redshifts), Path(config.objects)]
    mappings = [config.mapping]
    if config.coverage is not None:
        found += [Path(config.coverage.target)] if config.coverage.target else []
        mappings.append(config.coverage.mapping)
    found += [Path(name) for name in mappings if name is not None and Path(name).is_file()]
    return list(dict.fromkeys(found))


def _versions() -> dict[str, str]:
    return {"pzcenter": pzcenter.__version__} | {name: version(name) for name in PACKAGES}


def _yaml(config: Any) -> str:
    """All settings, in the order in which they are defined."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
