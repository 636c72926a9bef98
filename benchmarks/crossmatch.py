"""Match 300,000 redshifts with a HATS catalogue of 10 million objects, beside SciPy's KD-tree.

    python benchmarks/crossmatch.py [--quick] [--n-obj N] [--n-row N]

All pairs within one arcsec, reading of the files included. Processor seconds of the process, one run each, one thread
in the readers. The peer reads the same columns of the same files and asks a KD-tree of the redshifts for all pairs.
`recall` is the share of its pairs that we find, `ratio` its processor seconds over ours. The catalogue is made into a
temporary directory first, which is not timed. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.spatial import KDTree

from pzcenter.catalogs import FileRecord, open_catalog
from pzcenter.catalogs.crossmatch import crossmatch
from pzcenter.catalogs.hats_layout import data_path, write_hats_metadata
from pzcenter.science.friends import unit_vectors
from pzcenter.science.sky import MAX_ORDER, healpix29, healpix_at_order, pixel_neighbours

if TYPE_CHECKING:
    from numpy.typing import NDArray

ORDER = 5
"""Of the partitions; about 200,000 objects in each of the large run."""
RADIUS_ARCSEC = 1.0
SCATTER_ARCSEC = 0.2
SHARE_REAL = 0.9
PER_SQUARE_DEGREE = 60_000


def make_sky(n_obj: int, n_row: int, seed: int = 1) -> tuple[NDArray[np.float64], ...]:
    """Objects of one density, and redshifts of which nine tenths scatter around objects."""
    rng = np.random.default_rng(seed)
    width = np.sqrt(n_obj / PER_SQUARE_DEGREE)
    ra, dec = rng.uniform(0.0, width, n_obj), rng.uniform(-width / 2, width / 2, n_obj)
    row_ra, row_dec = rng.uniform(0.0, width, n_row), rng.uniform(-width / 2, width / 2, n_row)
    n_real = int(SHARE_REAL * n_row)
    real = rng.choice(n_obj, n_real, replace=False)
    move = rng.normal(0.0, SCATTER_ARCSEC / 3600.0, (2, n_real))
    row_ra[:n_real] = ra[real] + move[0] / np.cos(np.radians(dec[real]))
    row_dec[:n_real] = dec[real] + move[1]
    return ra, dec, row_ra, row_dec


def write_hats(root: Path, ra: NDArray[np.float64], dec: NDArray[np.float64]) -> int:
    """One file for each pixel of one order, with a column that the match does not need; number of files."""
    pixel = healpix29(ra, dec)
    order = np.argsort(pixel, kind="stable")
    place = healpix_at_order(pixel[order], ORDER)
    edges = np.concatenate([[0], np.flatnonzero(np.diff(place)) + 1, [place.size]])
    records = []
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        rows = order[low:high]
        table = pa.table(
            {
                "objectId": rows, "ra": ra[rows], "dec": dec[rows], "_healpix_29": pixel[rows],
                "mag_i": np.sqrt(rows.astype(np.float32)),
            }
        )  # fmt: skip
        path = root / data_path(f"Norder={ORDER}/Npix={place[low]}")
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, path, compression="zstd")
        records.append(FileRecord(str(path.relative_to(root)), "", path.stat().st_size, n_rows=table.num_rows))
    write_hats_metadata(root, records, name="objects", schema=table.schema)
    return len(records)


def make_catalogue(root: Path, n_obj: int, n_row: int) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """Write the catalogue; number of files, and the positions of the redshifts."""
    ra, dec, row_ra, row_dec = make_sky(n_obj, n_row)
    return write_hats(root, ra, dec), row_ra, row_dec


def peer(
    root: Path, row_ra: NDArray[np.float64], row_dec: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and object of all pairs, by a KD-tree of the redshifts."""
    table = open_catalog(root).read(["objectId", "ra", "dec"])
    ids = table["objectId"].to_numpy()
    points = unit_vectors(table["ra"].to_numpy(), table["dec"].to_numpy())
    chord = 2.0 * np.sin(np.radians(RADIUS_ARCSEC / 3600.0) / 2.0)
    tree = KDTree(unit_vectors(row_ra, row_dec))
    number = tree.query_ball_point(points, chord, workers=1, return_length=True)
    some = np.flatnonzero(number)
    rows = tree.query_ball_point(points[some], chord, workers=1)
    return np.concatenate(rows).astype(np.int64), np.repeat(ids[some], number[some])


def main() -> None:
    """Run, print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1 million objects, 30,000 redshifts")
    parser.add_argument("--n-obj", type=int, default=10_000_000)
    parser.add_argument("--n-row", type=int, default=300_000)
    arguments = parser.parse_args()
    n_obj, n_row = (1_000_000, 30_000) if arguments.quick else (arguments.n_obj, arguments.n_row)
    pa.set_cpu_count(1)
    pixel_neighbours(healpix29([0.0], [0.0]), MAX_ORDER)  # imports
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "objects"
        # In a process of its own, so that its memory does not hide ours.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            n_files, row_ra, row_dec = pool.submit(make_catalogue, root, n_obj, n_row).result()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begin = time.process_time()
        result = crossmatch(row_ra, row_dec, open_catalog(root), radius_arcsec=RADIUS_ARCSEC, mode="all")
        ours = time.process_time() - begin
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024.0
        begin = time.process_time()
        rows, ids = peer(root, row_ra, row_dec)
        theirs = time.process_time() - begin
    expected = set(zip(rows.tolist(), ids.tolist(), strict=True))
    found = set(zip(result.pairs["row"].to_numpy().tolist(), result.pairs["objectId"].to_numpy().tolist(), strict=True))
    print(f"{n_obj:,} objects in {n_files} files, {n_row:,} redshifts, {RADIUS_ARCSEC:g} arcsec")
    print(f"{'':12s} {'CPU s':>8s} {'pairs':>10s}")
    print(f"{'crossmatch':12s} {ours:8.2f} {len(found):10,}")
    print(f"{'KD-tree':12s} {theirs:8.2f} {len(expected):10,}")
    print(
        json.dumps(
            {
                "ratio": round(theirs / ours, 2),
                "cpu_s": round(ours, 2),
                "peer_cpu_s": round(theirs, 2),
                "pairs": len(found),
                "recall": len(found & expected) / len(expected),
                "precision": len(found & expected) / max(len(found), 1),
                "n_obj": n_obj,
                "n_row": n_row,
                "peak_mb_above_start": round(grown),
            }
        )
    )


if __name__ == "__main__":
    main()
