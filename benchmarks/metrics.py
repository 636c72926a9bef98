"""All metrics of p(z) on 301 points, in a stream, beside qp's own evaluation of the same objects.

    python benchmarks/metrics.py [--quick] [--n-obj N] [--n-peer N]

Ours, timed on all objects: every metric of the suite, overall with errors, as functions of redshift, magnitude, colour,
E(B-V), tract (one for 700 objects) and number of bands with errors, tomographic bins, verdicts. The bars are a million
objects in 60 s of one core and 4 GB. The making of the p(z) is not counted.

`ratio` is of the first `--n-peer` objects: qp's processor time over ours for all metrics of the whole sample, of points
and of p(z), without bins and errors, of which qp has none. qp computes a part of them, by the classes that RAIL's
evaluators run, in chunks of 10,000: PIT with KS, CvM and AD, CDE loss, Brier score, and the five point metrics of the
mode. `ratio_with_everything` is qp's time per object over ours with all bins, errors and verdicts, on all objects. The
last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import time
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science import pz as algebra
from pzcenter.validation.metric_suite import evaluate_suite, overall_rows
from pzcenter.validation.streamed_metrics import MetricChunk, ScoreCollector, score_chunks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pzcenter.validation.table import MetricTable

Z = np.linspace(0.0, 3.0, 301)
CHUNK = 50_000
PEER_CHUNK = 10_000
PER_TRACT = 700
BAR_CPU_S, BAR_GB, BAR_RATIO = 60.0, 4.0, 10.0


def chunks(n_obj: int) -> Iterator[MetricChunk]:
    """Objects whose p(z) have one or two peaks, and redshifts drawn from them."""
    for first in range(0, n_obj, CHUNK):
        yield make_chunk(first, min(CHUNK, n_obj - first))


def make_chunk(first: int, n_obj: int) -> MetricChunk:
    """Some objects, the same ones whenever asked for."""
    rng = np.random.default_rng([1, first])
    mag = rng.triangular(18.0, 25.5, 25.5, n_obj)
    centre = np.clip(rng.gamma(3.0, 0.3, n_obj), 0.1, 2.8)
    sigma = np.maximum(0.012 * 10 ** (0.2 * (mag - 22.0)) * (1.0 + centre), 0.02)
    second = np.clip(centre + 0.9 * rng.normal(size=n_obj), 0.1, 2.8)
    weight = np.where(rng.random(n_obj) < 0.3, rng.uniform(0.0, 0.4, n_obj), 0.0)
    pdf = np.zeros((n_obj, Z.size), dtype=np.float32)
    for c, w in ((centre, 1.0 - weight), (second, weight)):
        pdf += (w[:, None] * np.exp(-0.5 * ((Z - c[:, None]) / sigma[:, None]) ** 2)).astype(np.float32)
    pdf = algebra.normalise(pdf, Z)
    from_second = rng.random(n_obj) < weight
    z_spec = np.clip(np.where(from_second, second, centre) + sigma * rng.normal(size=n_obj), 0.0, 3.0)
    object_id = np.arange(first, first + n_obj)
    covariates: dict[str, Any] = {
        "colour_gr": rng.normal(0.7, 0.4, n_obj),
        "ebv": rng.exponential(0.05, n_obj),
        "tract": object_id // PER_TRACT,
        "n_bands": rng.integers(4, 7, n_obj),
    }
    return MetricChunk(pdf, Z, z_spec, object_id=object_id, mag=mag, covariates=covariates)


def time_ours(n_obj: int) -> tuple[float, float, float, MetricTable]:
    """Processor seconds of the pass and of the table, peak memory in GB, and the table."""
    collector = ScoreCollector()
    spent = 0.0
    for chunk in chunks(n_obj):
        begin = time.process_time()
        collector.add(chunk)
        spent += time.process_time() - begin
    begin = time.process_time()
    table = evaluate_suite(collector.finish(), mag_band="i")
    return spent, time.process_time() - begin, peak_gb(), table


def time_ours_overall(chunk: MetricChunk) -> float:
    """Processor seconds of all metrics of the whole sample, without bins and errors."""
    begin = time.process_time()
    overall_rows(score_chunks([chunk]), n_bootstrap=0)
    return time.process_time() - begin


def time_qp(chunk: MetricChunk) -> tuple[dict[str, float], dict[str, float]]:
    """Processor seconds and values of qp's metrics."""
    import qp
    from qp.metrics import point_estimate_metric_classes as point
    from qp.metrics.concrete_metric_classes import BrierMetric, CDELossMetric
    from qp.metrics.pit import PIT

    spent = dict.fromkeys(("PIT", "CDE loss", "Brier", "mode", "point metrics", "PIT statistics"), 0.0)
    sums = {"cde_loss": 0.0, "brier": 0.0}
    modes, pits = [], []
    n_obj = chunk.pdf.shape[0]
    for first in range(0, n_obj, PEER_CHUNK):
        rows = slice(first, first + PEER_CHUNK)
        ensemble = qp.Ensemble(qp.interp, data={"xvals": Z, "yvals": chunk.pdf[rows].astype(np.float64)})
        z_spec = chunk.z_spec[rows]
        with timed(spent, "PIT"):
            pits.append(PIT(ensemble, z_spec).pit_samps)
        with timed(spent, "CDE loss"):
            sums["cde_loss"] += CDELossMetric(Z).evaluate(ensemble, z_spec) * z_spec.size
        with timed(spent, "Brier"):
            sums["brier"] += BrierMetric().evaluate(ensemble, z_spec) * z_spec.size
        with timed(spent, "mode"):
            modes.append(np.squeeze(ensemble.mode(Z)))
    z_mode = np.concatenate(modes)
    names = ("PointStatsEz", "PointSigmaIQR", "PointBias", "PointOutlierRate", "PointSigmaMAD")
    with timed(spent, "point metrics"):
        for name in names:
            getattr(point, name)().evaluate(z_mode, chunk.z_spec)
    pit = PIT.__new__(PIT)
    pit._pit_samps = np.concatenate(pits)  # noqa: SLF001 - the statistics of all chunks together
    with timed(spent, "PIT statistics"):
        ks = pit.evaluate_PIT_KS().statistic
        pit.evaluate_PIT_CvM()
        pit.evaluate_PIT_anderson_ksamp()
    return spent, {"pit_ks": float(ks), **{name: value / n_obj for name, value in sums.items()}}


class timed:  # noqa: N801 - reads as a word
    """Add the processor time of a block to an entry."""

    def __init__(self, spent: dict[str, float], name: str) -> None:
        self.spent, self.name = spent, name

    def __enter__(self) -> None:
        self.begin = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.spent[self.name] += time.process_time() - self.begin


def peak_gb() -> float:
    """Largest resident memory of this process until now."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Run, print the table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 objects, 20,000 for the peer: under a minute")
    parser.add_argument("--n-obj", type=int)
    parser.add_argument("--n-peer", type=int)
    arguments = parser.parse_args()
    n_obj = arguments.n_obj or (100_000 if arguments.quick else 1_000_000)
    n_peer = min(arguments.n_peer or (20_000 if arguments.quick else CHUNK), CHUNK, n_obj)

    evaluate_suite(score_chunks([make_chunk(0, 1000)]), mag_band="i")  # compilation
    pass_s, table_s, gb, table = time_ours(n_obj)
    cpu_s = pass_s + table_s
    print(f"{n_obj:,} objects: pass {pass_s:.2f} s, table of {len(table):,} rows {table_s:.2f} s, peak {gb:.2f} GB")

    sample = make_chunk(0, n_peer)
    overall = min(time_ours_overall(sample) for _ in range(3))
    figures: dict[str, Any] = {
        "ratio": None,
        "ratio_with_everything": None,
        "n_obj": n_obj,
        "n_peer": n_peer,
        "cpu_s": round(cpu_s, 2),
        "cpu_s_per_million": round(1e6 * cpu_s / n_obj, 2),
        "peak_gb": round(gb, 2),
        "objects_per_cpu_s": round(n_obj / cpu_s),
    }
    print(f"\n{n_peer:,} objects, microseconds each\n{'ours, all metrics':26s} {1e6 * overall / n_peer:8.2f}")
    print(f"{'ours, bins and errors too':26s} {1e6 * cpu_s / n_obj:8.2f}   (of {n_obj:,})")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
            spent, theirs = time_qp(sample)
            logging.disable(logging.NOTSET)
    except ImportError:
        print("qp is not installed: no peer")
    else:
        total = sum(spent.values())
        for name, seconds in (*spent.items(), ("all of its metrics", total)):
            print(f"{'qp, ' + name:26s} {1e6 * seconds / n_peer:8.2f}")
        figures["ratio"] = round(total / overall, 1)
        figures["ratio_with_everything"] = round(total / n_peer / (cpu_s / n_obj), 1)
        ours = {row.metric: row.value for row in overall_rows(score_chunks([sample]), n_bootstrap=0)}
        print("\n" + "; ".join(f"{name}: ours {ours[name]:.4f}, qp {value:.4f}" for name, value in theirs.items()))
    met = cpu_s * 1e6 / n_obj <= BAR_CPU_S and gb <= BAR_GB and (figures["ratio"] or 0.0) >= BAR_RATIO
    print(json.dumps({**figures, "accepted": met}))


if __name__ == "__main__":
    main()
