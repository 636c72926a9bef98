"""Combine redshift catalogues: nineteen samples row for row, and three million made ones.

    python benchmarks/combine_redshifts.py [--quick] [--rows N] [--repeats N]

First the nineteen public samples (18,698 rows) of the golden file, from raw columns to marked duplicates; the peer is
what LIneA's pipeline gave for the same files, row by row (it took 667 s of wall time on two cores, which is quoted and
not measured here). Then a made catalogue of N rows (three million by default) in five files, a third of whose galaxies
were measured twice.

The last line is JSON: `cpu_s` and `rows_equal` of the golden case, `large_rows`, `large_cpu_s`, `large_peak_gb` (of the
process, above what it took before).
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pzcenter.training.combine import CombineConfig, Combined, combine
from pzcenter.training.redshift_source import RedshiftSource
from pzcenter.training.samples import SAMPLES, copy_samples

TESTS = Path(__file__).parents[1] / "tests" / "unit" / "training" / "data"
ORDER = (
    "2dfgrs", "2dflens", "2mrs", "3d-hst", "6dfgs", "astrodeep-jwst", "astrodeep", "desi", "jades", "mosdef", "ozdes",
    "primus", "vandels", "vimos", "vuds", "vvds", "candels", "ned",
)  # fmt: skip
"""Of the catalogues in the golden file."""


def golden_config(folder: Path) -> CombineConfig:
    """Settings of the golden case."""
    sources = [
        RedshiftSource(name=f"CRD{number:03d}", path=str(folder / f"{name}.parquet"), survey=SAMPLES[name])
        for number, name in enumerate(ORDER, start=1)
    ]
    columns = {"source_id": "CRD_ID", "z_spec": "z", "z_flag": "z_flag_homogenized", "survey": "survey"}
    sources.append(RedshiftSource(name="CRD019", path=str(TESTS / "combined_sample.parquet"), columns=columns))
    return CombineConfig(sources=tuple(sources))


def rows_equal(made: Combined) -> int:
    """Rows whose outcome, flag and type are those of the golden file."""
    golden = pq.read_table(TESTS / "golden_19_catalogues.parquet").to_pandas().set_index("CRD_ID")
    ours = made.table.to_pandas()
    golden = golden.loc[ours.measurement_id.str.replace(":", "_")]
    same = (
        (ours.tie_result.to_numpy() == golden.tie_result.to_numpy())
        & (ours.z_flag.to_numpy() == golden.z_flag_homogenized.to_numpy())
        & (ours.z_type.to_numpy() == golden.instrument_type_homogenized.to_numpy())
    )
    return int(same.sum())


def make_large(folder: Path, n_rows: int) -> CombineConfig:
    """Five files of a made catalogue; a third of the galaxies were measured twice."""
    rng = np.random.default_rng(1)
    n_galaxy = int(n_rows / 4 * 3)
    ra = rng.uniform(0, 360, n_galaxy)
    dec = np.degrees(np.arcsin(rng.uniform(-1, 1, n_galaxy)))
    z = rng.gamma(2.0, 0.4, n_galaxy)
    which = rng.permutation(np.r_[np.arange(n_galaxy), rng.choice(n_galaxy, n_rows - n_galaxy, replace=False)])
    sources = []
    for number, rows in enumerate(np.array_split(which, 5)):
        east, north = rng.normal(0, 0.05 / 3600, (2, rows.size))
        table: dict[str, Any] = {
            "OBJID": np.arange(rows.size),
            "RA": np.mod(ra[rows] + east / np.cos(np.radians(dec[rows])), 360),
            "DEC": np.clip(dec[rows] + north, -90, 90),
            "Z": z[rows] + rng.normal(0, 2e-4, rows.size) + (rng.random(rows.size) < 0.02) * 0.3,
            "QUALITY": rng.choice([1, 2, 3, 4, 6], rows.size, p=[0.05, 0.05, 0.2, 0.65, 0.05]),
        }
        path = folder / f"large{number}.parquet"
        pq.write_table(pa.table(table), path)
        columns = {"source_id": "OBJID", "ra": "RA", "dec": "DEC", "z_spec": "Z", "z_flag": "QUALITY"}
        sources.append(RedshiftSource(name=f"large{number}", path=str(path), survey="6DFGS", columns=columns))
    return CombineConfig(sources=tuple(sources))


def timed(config: CombineConfig) -> tuple[float, Combined]:
    """Processor seconds of one run."""
    begin = time.process_time()
    made = combine(config)
    return time.process_time() - begin, made


def main() -> None:
    """Run both cases and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="300,000 rows in place of three million")
    parser.add_argument("--rows", type=int, help="of the large case")
    parser.add_argument("--repeats", type=int, default=5, help="of the golden case")
    words = parser.parse_args()
    n_rows = words.rows or (300_000 if words.quick else 3_000_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_samples(folder / "samples")
        config = golden_config(folder / "samples")
        runs = [timed(config) for _ in range(words.repeats)]
        cpu_s, n_equal = statistics.median(seconds for seconds, _ in runs), rows_equal(runs[0][1])
        print(
            f"19 samples, {runs[0][1].table.num_rows:,} rows: {cpu_s:.3f} CPU-s, {n_equal:,} rows as in the golden file"
        )
        large = make_large(folder, n_rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        large_s, made = timed(large)
        peak_gb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 / 1e9
    print(f"{n_rows:,} rows: {large_s:.1f} CPU-s, {peak_gb:.2f} GB, {made.report.n_groups:,} galaxies several times")
    print(
        json.dumps(
            {
                "cpu_s": cpu_s, "rows_equal": n_equal, "large_rows": n_rows, "large_cpu_s": large_s,
                "large_peak_gb": peak_gb,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
