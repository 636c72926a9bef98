from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import data_path, finish_dataset, open_catalog, write_partition
from pzcenter.catalogs.hats_layout import MarginOf, write_collection
from pzcenter.catalogs.pixel_split import PixelSet
from pzcenter.catalogs.release_files import CATALOGS, MARGIN, release_files
from pzcenter.pipelines import run_estimate
from pzcenter.pipelines.delivery.about import PackageAbout
from pzcenter.schema import arrow_schema

MARGIN_ARCSEC = 300.0
N_TRACT = 3


@pytest.fixture(scope="session")
def run(skinny, model, tmp_path_factory):
    """What ``pz estimate`` leaves."""
    return run_estimate(skinny, tmp_path_factory.mktemp("run") / "out", model).destination


@pytest.fixture(scope="session")
def catalog(run, tmp_path_factory):
    """What step 6 of a production leaves: the same rows, as three tracts would write them."""
    root = tmp_path_factory.mktemp("release") / "template"
    pz, pdf = open_catalog(run / "pz").read(), open_catalog(run / "pz_pdf").read()
    tract_of = np.digitize(pz["ra"].to_numpy(), [51.0, 52.0])
    order = [name for name in arrow_schema("pz").names if name in {*pz.column_names, "tract"}]
    pz = pz.append_column("tract", pa.array(tract_of, pa.int32())).select(order)
    pixels = PixelSet.of([(p.order, p.pixel) for p in open_catalog(run / "pz").partitions])
    records = {name: [] for name in CATALOGS}
    for tract in range(N_TRACT):
        inside = pc.equal(pz["tract"], tract)
        made = release_files(
            pz.filter(inside), pdf.filter(inside), pixels, tract=tract, margin_arcsec=MARGIN_ARCSEC, own_pixel=None
        )
        for name, files in made.items():
            records[name] += [write_partition(rows, root / name, path) for path, rows in files.items()]
    for name, written in records.items():
        footers = [(record.path, pq.read_metadata(root / name / record.path)) for record in sorted(written)]
        finish_dataset(
            root / name,
            written,
            table="pz" if name == MARGIN else name,
            schema=footers[0][1].schema.to_arrow_schema(),
            margin=MarginOf("pz", MARGIN_ARCSEC) if name == MARGIN else None,
            footers=footers,
        )
    write_collection(root, name="pz_template", primary="pz", margins=[MARGIN])
    for name in ("pz_model", "pz_flag", "pz_quality"):
        (root / f"{name}.parquet").write_bytes((run / f"{name}.parquet").read_bytes())
    return root


@pytest.fixture
def about():
    return PackageAbout(
        name="sim1-template",
        release="sim1",
        method="neighbours",
        authors=("A. Person", "B. Person"),
        contacts=("Help Desk <help@example.org>", "A. Person <a@example.org>"),
    )


@pytest.fixture(scope="session")
def objects(run, tmp_path_factory):
    """Object catalogue with the ids of the release."""
    root = tmp_path_factory.mktemp("object") / "object"
    records = []
    for partition in open_catalog(run / "pz").partitions:
        rows = partition.read(["objectId", "ra", "dec", "_healpix_29"])
        records.append(write_partition(rows, root, data_path(partition.name)))
    finish_dataset(root, records, table="object", schema=rows.schema)
    return root
