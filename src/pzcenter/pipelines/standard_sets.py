"""Standard training, validation and test sets, with the selection of each declared, from simulation or real redshifts.

All variants share one test sample. A representative variant trains on objects that were chosen as those of the test
sample; the others select further, as real redshift surveys do. The same settings give the same bytes.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import yaml

from pzcenter.catalogs import FileRecord, Manifest, provenance_record, write_partition, write_provenance
from pzcenter.catalogs.columns import float_column, int_column
from pzcenter.catalogs.photometry import bands_of
from pzcenter.catalogs.storage import file_sha256, storage_errors, write_text_atomically
from pzcenter.errors import EmptyTableError, OutputExistsError
from pzcenter.pipelines.standard_set_settings import SAMPLES, read_set_settings
from pzcenter.pipelines.standard_set_source import read_set_source
from pzcenter.science.photometry import flux_to_mag
from pzcenter.training.row_hash import mix
from pzcenter.training.select import select
from pzcenter.training.split import SPLIT_COLUMN, split
from pzcenter.training.subsample import subsample

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from pzcenter.pipelines.standard_set_settings import StandardSetSettings, VariantSettings
    from pzcenter.pipelines.standard_set_source import SetSource

__all__ = ["StandardSets", "make_standard_sets"]

SIZE_STREAM = 7
"""Of the random numbers by which a training sample is cut to size."""


@dataclass(frozen=True)
class StandardSets:
    """Sets that were made.

    Parameters
    ----------
    directory : Path
    report : dict
        By variant: rows of each sample, cuts with their counts, and how far training and test differ.
    """

    directory: Path
    report: dict[str, Any]


def make_standard_sets(
    settings_path: str | os.PathLike[str],
    directory: str | os.PathLike[str],
    *,
    workers: int | None = None,
    command: Sequence[str] | None = None,
) -> StandardSets:
    """Make standard sets from their settings.

    Parameters
    ----------
    settings_path : path
        YAML; paths in it are relative to its directory.
    directory : path
        New. It holds the redshifts of the test sample, so that only its owner can read it.
    workers : int, optional
        Processes of a simulation; the bytes do not depend on them.
    command : sequence of str, optional

    Returns
    -------
    StandardSets

    Raises
    ------
    ConfigError, NotFoundError, FileFormatError
        The settings or the source.
    OutputExistsError
        The directory has something in it.
    EmptyTableError
        No training or test object is left.
    """
    started = datetime.now(UTC)
    path, root = Path(settings_path), Path(directory)
    settings = read_set_settings(path)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputExistsError(f"{root} has something in it; name a new directory")
    source = read_set_source(settings.source, path.parent, workers=workers)
    table, selection = select(source.table, settings.selection)
    table, split_words = _split(table, settings)
    unfinished = root.with_name(f".{root.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    report: dict[str, Any] = {"selection": selection.as_dict(), "split": split_words, "variants": {}}
    try:
        with storage_errors(root):
            unfinished.mkdir(parents=True, mode=0o700)
        records = []
        for variant in settings.variants:
            samples, words = _variant(table, source, variant, settings.split.seed)
            report["variants"][variant.name] = words
            records += [
                write_partition(rows, unfinished, f"{variant.name}/{name}.parquet") for name, rows in samples.items()
            ]
        _finish(unfinished, settings, report, records)
        write_provenance(
            unfinished,
            provenance_record(
                "challenge sets", started=started, inputs=[path, *source.inputs], command=command,
                configuration={"name": settings.name},
            ),
        )  # fmt: skip
        with storage_errors(root):
            if root.exists():
                root.rmdir()
            unfinished.replace(root)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return StandardSets(root, report)


def _split(table: pa.Table, settings: StandardSetSettings) -> tuple[pa.Table, dict[str, Any]]:
    if settings.keep_split:
        if SPLIT_COLUMN not in table.column_names:
            raise EmptyTableError("keep_split: the training set is not split into samples")
        counts = {each["values"]: each["counts"] for each in pc.value_counts(table.column(SPLIT_COLUMN)).to_pylist()}
        return table, {"method": "that of the training set", "n_rows": counts}
    chosen = settings.split
    made, report = split(
        table,
        chosen.fractions,
        seed=chosen.seed,
        group=chosen.group,
        method=chosen.method,
        strata=chosen.strata,
        block_order=chosen.block_order,
    )
    return made, report.as_dict()


def _variant(
    table: pa.Table, source: SetSource, variant: VariantSettings, seed: int
) -> tuple[dict[str, pa.Table], dict[str, Any]]:
    """Samples of a variant, and what was done to them."""
    samples: dict[str, pa.Table] = {}
    words: dict[str, Any] = {"title": variant.title, "is_representative": variant.is_representative, "samples": {}}
    test = table.filter(pc.equal(table.column(SPLIT_COLUMN), "test")).drop_columns([SPLIT_COLUMN])
    for name in SAMPLES:
        rows = table.filter(pc.equal(table.column(SPLIT_COLUMN), name)).drop_columns([SPLIT_COLUMN])
        if not rows.num_rows:
            continue
        facts: dict[str, Any] = {"n_in": rows.num_rows}
        if name != "test":
            rows, facts["selection"] = _trained_on(rows, source, variant)
            if name == "train":
                rows, facts["subsample"] = _thinned(rows, variant, test, seed)
        samples[name] = rows
        words["samples"][name] = facts | {"n_out": rows.num_rows}
    for name in ("train", "test"):
        if name not in samples or not samples[name].num_rows:
            raise EmptyTableError(f"variant {variant.name!r}: no object is left in the sample {name!r}")
    if "validation" in samples and not samples["validation"].num_rows:
        del samples["validation"]
    words["distance_of_train_from_test"] = _distances(samples["train"], samples["test"])
    return samples, words


def _trained_on(rows: pa.Table, source: SetSource, variant: VariantSettings) -> tuple[pa.Table, dict[str, Any]]:
    """Redshifts and selection of a training or validation sample."""
    if variant.redshifts == "surveys":
        assert source.surveys is not None
        rows = rows.drop_columns(["z_spec"]).join(
            source.surveys.select(["objectId", "z_spec", "survey"]), "objectId", join_type="inner"
        )
        rows = rows.combine_chunks().sort_by("objectId").replace_schema_metadata(source.table.schema.metadata)
    left, report = select(rows, variant.selection)
    return left, report.as_dict()


def _thinned(
    rows: pa.Table, variant: VariantSettings, test: pa.Table, seed: int
) -> tuple[pa.Table, list[dict[str, Any]]]:
    reports = []
    for each in variant.subsample:
        sample, report = subsample(rows, each.method, test, seed=each.seed, **each.settings)
        rows = sample.apply(rows)
        reports.append(report.as_dict())
    if variant.n_train is not None and rows.num_rows > variant.n_train:
        ids = int_column(rows.column("objectId"), "objectId").astype(np.uint64)
        chosen = np.sort(np.argsort(mix(ids, seed, stream=SIZE_STREAM), kind="stable")[: variant.n_train])
        rows = rows.take(pa.array(chosen))
    return rows, reports


def _distances(train: pa.Table, test: pa.Table) -> dict[str, float]:
    """Largest difference of the cumulative distributions of redshift and of magnitude (Kolmogorov-Smirnov)."""
    from scipy.stats import ks_2samp

    found = {}
    bands = [band for band in bands_of(test.schema) if band in bands_of(train.schema)]
    for name, values in (
        ("z_spec", [float_column(table.column("z_spec")) for table in (train, test)]),
        *(
            (f"mag_{band}", [np.asarray(flux_to_mag(float_column(t.column(f"flux_{band}")))) for t in (train, test)])
            for band in bands
        ),
    ):
        first, second = (each[np.isfinite(each)] for each in values)
        if first.size and second.size:
            found[name] = float(ks_2samp(first, second, method="asymp").statistic)
    return found


def _finish(root: Path, settings: StandardSetSettings, report: dict[str, Any], records: list[FileRecord]) -> None:
    for scratch in root.rglob(".tmp"):
        shutil.rmtree(scratch, ignore_errors=True)
    texts = {
        "sets.yaml": yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True),
        "report.json": json.dumps(report, indent=1, default=float) + "\n",
    }
    for name, text in texts.items():
        write_text_atomically(root / name, text)
        records.append(FileRecord(name, file_sha256(root / name), (root / name).stat().st_size))
    Manifest("standard_sets", tuple(records)).write(root)
    shutil.rmtree(root / ".tmp", ignore_errors=True)
