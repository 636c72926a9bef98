"""The examples of the pages run as they stand."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import feather

from pzcenter.catalogs import format_names, open_catalog
from pzcenter.catalogs.readers import registry
from pzcenter.errors import FileFormatError

DOCS = Path(__file__).parents[3] / "docs"


def examples(page: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return "\n".join(re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL))


def run(page: str) -> dict:
    names: dict = {}
    exec(compile(examples(page), page, "exec"), names)
    return names


def write_objects(path: Path) -> None:
    rng = np.random.default_rng(13)
    columns = {
        "objectId": np.arange(400),
        "coord_ra": rng.uniform(0, 2, 400),
        "coord_dec": rng.uniform(0, 2, 400),
        "ebv": rng.uniform(0, 0.1, 400),
    }
    for band in "ugrizy":
        columns[f"{band}_cModelFlux"] = rng.lognormal(6, 1, 400)
        columns[f"{band}_cModelFluxErr"] = rng.uniform(5, 20, 400)
    pq.write_table(pa.table(columns), path)


def test_read_your_catalogue(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_objects(tmp_path / "objects.parquet")
    names = run("how-to/read-your-catalogue.md")
    assert names["info"].mapping == "rubin_cmodel"
    assert "parquet 400 rubin_cmodel" in capsys.readouterr().out


def test_add_a_reader(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "READERS", dict(registry.READERS))
    run("develop/how-to-add-a-reader.md")
    assert "feather" in format_names()
    table = pa.table({"a": range(1_000), "b": np.arange(1_000) / 2})
    feather.write_feather(table, tmp_path / "t.feather", chunksize=300)
    catalog = open_catalog(tmp_path / "t.feather")
    assert catalog.format == "feather"
    assert catalog.read().equals(table)
    assert catalog.read(["b"], start=290, stop=310)["b"].to_pylist() == (np.arange(290, 310) / 2).tolist()
    assert max(batch.num_rows for batch in catalog.batches(["a"], 64)) == 64
    (tmp_path / "t.feather").write_bytes((tmp_path / "t.feather").read_bytes()[:500])
    with pytest.raises(FileFormatError, match="Arrow IPC"):
        open_catalog(tmp_path / "t.feather")
