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

from pzcenter.errors import ConfigError
from pzcenter.training.combine import combine, read_combine_config
from pzcenter.training.make import CoverageConfig, make_training_set, read_training_config, target_of
from pzcenter.training.product import CONFIG_NAME, REPORT_PAGE, open_product, write_product
from pzcenter.training.report import training_report_html
from pzcenter.training.sources import fetch

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

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
    """

    cache: str | os.PathLike[str] | None = None
    offline: bool = False
    refresh: bool = False
    files: list[Path] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __call__(self, source: RedshiftSource) -> pa.Table:
        """Rows of a source.

        Raises
        ------
        ConfigError
            It names neither a file, nor a survey, nor a source.
        NotFoundError, SourceUnavailableError
            See :func:`pzcenter.training.sources.fetch`.
        """
        wanted = source.fetch or source.survey
        if wanted is None:
            raise ConfigError(f"source {source.name} has neither a path, nor a survey to fetch, nor a source (fetch)")
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
    fetcher = fetcher or Fetcher()
    made = combine(config, fetch=fetcher, progress=progress)
    inputs = [Path(source.path) for source in config.sources if source.path is not None]
    texts = {}
    if with_page:
        texts[REPORT_PAGE] = training_report_html(
            redshifts=made.table, combine=made.report, title="Redshifts of many surveys",
            command=_rebuild("specz combine", directory), versions=_versions(),
            checksums={each.name: each.sha256 for each in made.report.sources if each.sha256},
        )  # fmt: skip
    product = write_product(
        directory, "redshift", made.table, config=_yaml(config), started=started, task="specz combine",
        texts=texts,
        report=made.report.as_dict() | {"fetched": fetcher.facts}, inputs=[*inputs, *fetcher.files],
        surveys=pc.unique(made.table.column("survey")).to_pylist(), overwrite=overwrite, command=command,
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
    if (redshifts / "manifest.json").is_file():
        report["redshifts"] = open_product(redshifts).report
    counts, edges = np.histogram(made.separations, bins=50, range=(0.0, config.match.radius_arcsec))
    report["separations"] = {"counts": counts.tolist(), "edges_arcsec": edges.tolist()}
    base = open_product(redshifts) if (redshifts / "manifest.json").is_file() else None
    texts = {}
    if with_page:
        texts[REPORT_PAGE] = training_report_html(
            training=made.table, redshifts=None if base is None else base.table(), target=_target(config),
            combine=report.get("redshifts"), match=made.match, selection=made.selection, split=made.split,
            subsample=made.subsamples, coverage=made.coverage, separations=report["separations"],
            title="Training set", command=_rebuild("training make", directory), versions=_versions(),
            checksums={} if base is None else {base.table_path.name: base.sha256},
        )  # fmt: skip
    product = write_product(
        directory, "training_set", made.table, texts=texts, config=_yaml(config), started=started,
        task="training make", report=report, inputs=[redshifts, Path(config.objects)], surveys=surveys,
        overwrite=overwrite, command=command,
    )  # fmt: skip
    return product, made


def _target(config: TrainingConfig) -> Callable[[], Iterator[pa.Table]]:
    """Catalogue that the training set is for, piece by piece."""
    settings = config.coverage or CoverageConfig()
    path = Path(settings.target or config.objects)
    mapping = settings.mapping if settings.target else config.mapping
    return lambda: target_of(path, mapping, n_max=settings.n_max, deredden=config.deredden)


def _rebuild(verb: str, directory: str | os.PathLike[str]) -> list[str]:
    """What to type to make a product again."""
    return ["pz", *verb.split(), f"{Path(directory).name}/{CONFIG_NAME}", "again"]


def _versions() -> dict[str, str]:
    """Of what decides about the numbers."""
    return {name: version(name) for name in ("pzcenter", "numpy", "scipy", "pyarrow")}


def _yaml(config: Any) -> str:
    """All settings, in the order in which they are defined."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
