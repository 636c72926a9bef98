from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pzcenter.catalogs import Manifest, finish_dataset, write_partition
from pzcenter.catalogs.storage import file_sha256
from pzcenter.errors import ColumnError, NotFoundError
from pzcenter.pipelines.delivery import verify_ids
from pzcenter.pipelines.delivery.package import build_package
from pzcenter.pipelines.delivery.verify import verify_package


@pytest.fixture(scope="module")
def package(catalog, tmp_path_factory):
    root = tmp_path_factory.mktemp("package") / "sim1"
    build_package(catalog, root)
    return root


@pytest.fixture
def copy(package, tmp_path):
    return shutil.copytree(package, tmp_path / "copy")


def words(report):
    return "\n".join(f"{fault.check}: {fault}" for fault in report.faults)


def data_file(root, name="pz"):
    record = next(record for record in Manifest.read(root / "catalog" / name).files if record.n_rows)
    return root / "catalog" / name / record.path


def rewrite(root, change, name="pz"):
    """Change a table so carefully that all checksums fit: only its content can betray it."""
    catalog = root / "catalog" / name
    manifest = Manifest.read(catalog)
    data = [record for record in manifest.files if record.n_rows is not None]
    records = []
    for number, record in enumerate(data):
        table = pq.read_table(catalog / record.path, partitioning=None)
        path = catalog / record.path
        path.unlink()
        records.append(write_partition(change(number, table), catalog, record.path))
    footers = [(record.path, pq.read_metadata(catalog / record.path)) for record in records]
    schema = footers[0][1].schema.to_arrow_schema()
    finish_dataset(catalog, records, table=manifest.table, schema=schema, footers=footers)
    reseal(root)


def reseal(root):
    """Write the lists of checksums of what is there now."""
    old = {record.path: record for record in Manifest.read(root).files}
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    names = [path.relative_to(root).as_posix() for path in paths]
    names = [name for name in names if name not in {"manifest.json", "manifest-sha256.txt", "states.jsonl"}]
    made = []
    for name in names:
        path = root / name
        rows = pq.read_metadata(path).num_rows if path.suffix == ".parquet" else None
        rows = rows if name in old else None
        made.append(type(old["README.md"])(name, file_sha256(path), path.stat().st_size, rows))
    Manifest("package", tuple(made)).write(root)
    lines = [f"{file_sha256(root / name)}  {name}\n" for name in sorted([*names, "manifest.json"])]
    (root / "manifest-sha256.txt").write_text("".join(lines))


class TestSound:
    def test_nothing_is_wrong(self, package, objects):
        report = verify_package(package, objects=objects)
        assert words(report) == ""
        assert report.ok
        assert report.n_rows == 3000
        assert report.n_files == len((package / "manifest-sha256.txt").read_text().splitlines())
        assert "objects" in report.checks
        json.dumps(report.as_dict())

    def test_run_of_pz_estimate(self, run, tmp_path):
        build_package(run, tmp_path / "p")
        assert words(verify_package(tmp_path / "p")) == ""

    def test_many_ranges_of_ids(self, package, objects, monkeypatch):
        monkeypatch.setattr(verify_ids, "IDS_AT_ONCE", 500)
        assert verify_package(package, objects=objects).ok

    def test_without_the_middleware(self, package):
        code = (
            "import sys\n"
            "class Block:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name.split('.')[0] in {'lsst', 'parsl', 'sqlalchemy', 'lsdb', 'hats', 'dask'}:\n"
            "            raise ImportError(f'{name} is not here')\n"
            "sys.meta_path.insert(0, Block())\n"
            "from pzcenter.cli import main\n"
            f"main(['deliver', 'verify', {str(package)!r}])\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


class TestBytes:
    @pytest.mark.parametrize("seed", range(8))
    def test_flipped_bits_are_found_wherever_they_are(self, copy, seed):
        import random

        chance = random.Random(seed)
        names = [line.split("  ")[1] for line in (copy / "manifest-sha256.txt").read_text().splitlines()]
        path = copy / chance.choice([name for name in names if (copy / name).stat().st_size])
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        os.chmod(path, 0o644)  # noqa: PTH101 - of a copy
        path.write_bytes(content)
        report = verify_package(copy)
        assert any(fault.check == "bytes" for fault in report.faults), path

    def test_all_faults_are_said(self, copy):
        data_file(copy).unlink()
        (copy / "README.md").write_text("")
        (copy / "CITATION.cff").write_text("message: x")
        (copy / "extra.txt").write_text("x")
        (copy / "notebooks" / "check_fixed.ipynb").unlink()
        found = words(verify_package(copy))
        for part in ("README.md: is empty", "extra.txt: is not in", "check_fixed.ipynb: is missing", "has no title"):
            assert part in found
        assert "Npix" in found

    def test_truncated_table(self, copy):
        path = data_file(copy, "pz_pdf")
        path.write_bytes(path.read_bytes()[:100])
        found = words(verify_package(copy))
        assert "has 100 bytes" in found
        assert "cannot be read" in found

    def test_lists_disagree(self, copy):
        lines = (copy / "manifest-sha256.txt").read_text().splitlines(keepends=True)
        (copy / "manifest-sha256.txt").write_text("".join(lines[1:]))
        found = words(verify_package(copy))
        assert "is in only one of" in found
        assert "not the one of which the last state speaks" in found

    def test_damaged_list(self, copy):
        (copy / "manifest-sha256.txt").write_text("nonsense\n")
        assert "not a line of sha256sum" in words(verify_package(copy))


class TestContent:
    """All checksums fit; the content does not."""

    def test_missing_rows(self, copy):
        rewrite(copy, lambda number, table: table.slice(1) if number == 0 else table)
        found = words(verify_package(copy))
        assert "2999 rows" in found
        assert "other objects" in found

    def test_object_twice(self, copy):
        def double(number, table):
            if number:
                return table
            ids = pa.array([table["objectId"][1].as_py(), *table["objectId"].to_pylist()[1:]], pa.int64())
            return table.set_column(0, table.schema.field(0), ids)

        rewrite(copy, double)
        assert "1 object ids have more than one row" in words(verify_package(copy))

    def test_margin_of_other_objects(self, copy):
        def other(_, table):
            return table.set_column(0, table.schema.field(0), pc.add(table["objectId"], 10**15))

        rewrite(copy, other, "pz_margin")
        assert "objects are not in the core table" in words(verify_package(copy))

    def test_bit_without_name(self, copy):
        def set_bit(_, table):
            place = table.schema.get_field_index("flags")
            flags = pc.bit_wise_or(table["flags"], pa.scalar(1 << 30, pa.uint32()))
            return table.set_column(place, table.schema.field(place), flags)

        rewrite(copy, set_bit)
        found = words(verify_package(copy))
        assert "flag bit 30, which pz_flag does not name" in found
        assert "qa/summary.json" in found

    def test_model_without_row(self, copy):
        def other(_, table):
            place = table.schema.get_field_index("model_id")
            return table.set_column(
                place, table.schema.field(place), pa.array([7] * table.num_rows, pa.int16())
            )  # fmt: skip

        rewrite(copy, other)
        assert "model_id 7, which pz_model does not have" in words(verify_package(copy))

    def test_value_out_of_range(self, copy):
        def negative(_, table):
            place = table.schema.get_field_index("z_best")
            return table.set_column(
                place, table.schema.field(place), pa.array([-1.0] * table.num_rows, pa.float32())
            )  # fmt: skip

        rewrite(copy, negative)
        assert "column z_best: the minimum is -1" in words(verify_package(copy))

    def test_row_in_the_wrong_pixel(self, copy):
        def move(number, table):
            if number:
                return table
            place = table.schema.get_field_index("_healpix_29")
            return table.set_column(place, table.schema.field(place), pa.array([0] * table.num_rows, pa.int64()))

        rewrite(copy, move)
        assert "rows do not belong in its pixel" in words(verify_package(copy))

    def test_hats_metadata(self, copy):
        for name in ("hats.properties", "properties"):
            path = copy / "catalog" / "pz" / name
            path.write_text(path.read_text().replace("hats_nrows=3000", "hats_nrows=2"))
        path = copy / "catalog" / "pz" / "partition_info.csv"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
        found = words(verify_package(copy))
        assert "its properties say 2 rows" in found
        assert "partition_info.csv lists" in found

    def test_definition_is_not_there(self, copy):
        (copy / "schema" / "pz.yaml").unlink()
        assert "catalog/pz: has no definition" in words(verify_package(copy))

    def test_damaged_description(self, copy):
        (copy / "package.json").write_text("{")
        assert "package.json: cannot be read" in words(verify_package(copy))


class TestObjects:
    def test_both_ways(self, package, objects, tmp_path, monkeypatch):
        monkeypatch.setattr(verify_ids, "IDS_AT_ONCE", 500)
        table = pa.concat_tables([pq.read_table(path, partitioning=None) for path in objects.rglob("Npix*.parquet")])
        ids = table["objectId"].to_pylist()
        pq.write_table(pa.table({"objectId": [*ids[2:], ids[2], 10**15]}), tmp_path / "object.parquet")
        found = words(verify_package(package, objects=tmp_path / "object.parquet"))
        assert "1 of 3000 objects have no row, such as 1000000000000000" in found
        assert "2 rows have no object" in found
        assert "1 objects appear more than once" in found

    def test_without_ids(self, package, tmp_path):
        pq.write_table(pa.table({"x": [1]}), tmp_path / "object.parquet")
        with pytest.raises(ColumnError):
            list(verify_ids.check_objects(package / "catalog" / "pz", tmp_path / "object.parquet"))
        assert "none of the columns" in words(verify_package(package, objects=tmp_path / "object.parquet"))


class TestNotAPackage:
    def test_directory_without_package(self, tmp_path):
        with pytest.raises(NotFoundError, match="not a delivery package"):
            verify_package(tmp_path)

    def test_no_object_catalogue(self, package, tmp_path):
        with pytest.raises(NotFoundError, match="no Object catalogue"):
            verify_package(package, objects=tmp_path / "none")
