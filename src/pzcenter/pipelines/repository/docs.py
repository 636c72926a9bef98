"""The page of the dataset types, made from their list: ``python -m pzcenter.pipelines.repository.docs PAGE``."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import yaml

from pzcenter.pipelines.repository.dataset_types import DATASET_TYPES

__all__ = ["STORAGE", "dataset_types_page"]

STORAGE = {
    "ArrowTable": (
        "pyarrow.Table",
        "Parquet; `storageClass='ArrowAstropy'` or `'DataFrame'` converts",
    ),
    "PZModelSet": ("pzcenter.estimators.ModelSet", "an uncompressed zip of the directories of the models"),
    "PZText": ("str", "HTML"),
    "QPEnsemble": ("qp.Ensemble", "HDF5, as `qp` writes it"),
    "StructuredDataDict": ("dict", "YAML"),
}
"""Python type and file by storage class."""

_HEAD = """# Dataset types

Made from `pzcenter/pipelines/repository/dataset_types.py`; do not edit. Run
`python -m pzcenter.pipelines.repository.docs docs/reference/dataset-types.md`.

What a production reads and writes, in the order in which it is made. `{algo}` is the name of a method, such as
`template`: each method has its own. `pz repo create` registers them, and `pz repo types REPO` (or `butler
query-dataset-types --verbose REPO`) lists those of a repository. Every task writes `LABEL_metadata`, `LABEL_log` and
`LABEL_config` besides, as all tasks of Rubin's middleware do.

Dimensions: `skymap, tract` exists once for each tract, `skymap` once for a release, `-` once. A tract is one of
Rubin's, or a HEALPix pixel with the NUNIQ number `4 * 4**order + pixel`.

| Dataset type | Dimensions | Storage class | Made by | What |
|---|---|---|---|---|
"""

_STORAGE_HEAD = """
## Storage classes

| Storage class | In memory | On disk |
|---|---|---|
"""


def dataset_types_page() -> str:
    """Write the page.

    Returns
    -------
    str
        Markdown.
    """
    pipeline = yaml.safe_load(files("pzcenter.pipelines").joinpath("definitions", "pz.yaml").read_text("utf-8"))
    rows = []
    for spec in DATASET_TYPES:
        steps = [name for name, subset in pipeline["subsets"].items() if spec.label in subset["subset"]]
        made_by = f"`{spec.label}` ({', '.join(steps)})" if steps else "from outside"
        dimensions = ", ".join(spec.dimensions) or "-"
        rows.append(f"| `{spec.name}` | {dimensions} | {spec.storage_class} | {made_by} | {spec.description} |")
    used = sorted({spec.storage_class for spec in DATASET_TYPES})
    storage = [f"| {name} | `{STORAGE[name][0]}` | {STORAGE[name][1]} |" for name in used]
    return _HEAD + "\n".join(rows) + "\n" + _STORAGE_HEAD + "\n".join(storage) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(dataset_types_page(), encoding="utf-8")
