"""Pack, unpack and summarise p(z) on 301 grid points, beside qp's packed grids.

    python benchmarks/packing.py [--quick] [--n-obj N]

Processor seconds of one core: the median over repeats, in turn, of the whole array (which does not fit any cache).
Fidelity is that of :func:`pzcenter.science.packing.fidelity` with its limits. The last line is JSON: `ratio` is our
rate of decoding over that of qp's linear bytes. Without qp the peer's lines are left out and `ratio` is null.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from pzcenter.science import metrics, packing
from pzcenter.science import pz as algebra

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

Z = np.linspace(0.0, 3.0, 301)
REPEATS = 7


def make_sample(n_obj: int, seed: int = 1) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Densities of one to three peaks of two grid steps or more, a tenth on a pedestal; redshifts drawn from them."""
    rng = np.random.default_rng(seed)
    parts, truths = [], []
    for start in range(0, n_obj, 10_000):
        n = min(10_000, n_obj - start)
        pdf = np.zeros((n, Z.size), dtype=np.float32)
        for peak in range(3):
            centre = np.minimum(rng.gamma(2.2, 0.45, n) + 0.02, 2.95)[:, None]
            sigma = np.maximum(rng.lognormal(np.log(0.05), 0.8, n)[:, None] * (1.0 + centre), 0.02)
            weight = rng.uniform(size=n)[:, None] * (peak == 0 or rng.uniform(size=n)[:, None] < 0.3)
            pdf += weight * np.exp(-0.5 * ((Z - centre) / sigma) ** 2) / sigma
        pdf += (rng.uniform(size=n) < 0.1)[:, None] * np.float32(0.05)
        pdf[pdf < 1e-6 * pdf.max(axis=1, keepdims=True)] = 0.0
        pdf = algebra.normalise(pdf, Z)
        u = rng.uniform(size=n)
        truths.append(np.array([np.interp(x, c, Z) for x, c in zip(u, algebra.cdf(pdf, Z), strict=True)]))
        parts.append(pdf)
    return np.concatenate(parts), np.concatenate(truths)


def seconds_per_object(calls: dict[str, Callable[[], Any]], n_obj: int) -> dict[str, float]:
    """Median processor seconds per object of each call, taken in turn."""
    spent: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()  # compilation, tables
    for _ in range(REPEATS):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            spent[name].append(time.process_time() - begin)
    return {name: statistics.median(values) / n_obj for name, values in spent.items()}


def peer_calls(pdf: NDArray[np.float32]) -> tuple[dict[str, Callable[[], Any]], dict[str, NDArray[np.float32]]]:
    """Calls of qp's two packings, and what they decode to; empty without qp."""
    try:
        from qp.parameterizations.packed_interp.packing_utils import PackingType, pack_array, unpack_array
    except ImportError:
        return {}, {}
    linear, logarithmic = PackingType.linear_from_rowmax, PackingType.log_from_rowmax
    code, top = pack_array(linear, pdf)
    log_code, log_top = pack_array(logarithmic, np.maximum(pdf, 1e-30), log_floor=-3.0)
    calls: dict[str, Callable[[], Any]] = {
        "qp pack, linear": lambda: pack_array(linear, pdf),
        "qp unpack, linear": lambda: unpack_array(linear, code, row_max=top),
        "qp unpack, log": lambda: unpack_array(logarithmic, log_code, row_max=log_top, log_floor=-3.0),
    }
    decoded = {
        "qp linear": algebra.normalise(unpack_array(linear, code, row_max=top), Z),
        "qp log": algebra.normalise(unpack_array(logarithmic, log_code, row_max=log_top, log_floor=-3.0), Z),
    }
    return calls, decoded


def main() -> None:
    """Run, print the tables and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20,000 objects")
    parser.add_argument("--n-obj", type=int, default=100_000)
    arguments = parser.parse_args()
    n_obj = 20_000 if arguments.quick else arguments.n_obj
    pdf, z_true = make_sample(n_obj)
    code, row_max = packing.pack_u8sqrt(pdf)
    peers, peer_decoded = peer_calls(pdf)

    cost = seconds_per_object(
        {
            "pack u8sqrt": lambda: packing.pack_u8sqrt(pdf),
            "unpack u8sqrt": lambda: packing.unpack_u8sqrt(code, row_max, Z),
            "point estimates": lambda: algebra.point_estimates(pdf, Z),
            "five quantiles": lambda: algebra.quantiles(pdf, Z, [0.025, 0.16, 0.5, 0.84, 0.975]),
            "CDE loss": lambda: metrics.cde_loss_each(pdf, Z, z_true),
            "PIT": lambda: metrics.pit(pdf, Z, z_true),
            "CRPS": lambda: metrics.crps_each(pdf, Z, z_true),
            **peers,
        },
        n_obj,
    )
    print(f"{'':18s} {'us/object':>10s} {'objects/CPU-s':>15s}")
    for name, seconds in cost.items():
        print(f"{name:18s} {1e6 * seconds:10.3f} {1.0 / seconds:15,.0f}")

    decoded = {"u8sqrt": packing.unpack_u8sqrt(code, row_max, Z), **peer_decoded}
    figures = {name: packing.fidelity(pdf, values, Z, z_true) for name, values in decoded.items()}
    print(f"\n{'':18s} {'limit':>10s} " + " ".join(f"{name:>10s}" for name in decoded))
    for name, limit in packing.FIDELITY_LIMITS.items():
        print(f"{name:18s} {limit:10.1e} " + " ".join(f"{figures[key][name]:10.2e}" for key in decoded))
    ours = figures["u8sqrt"]
    accepted = all(ours[name] <= limit for name, limit in packing.FIDELITY_LIMITS.items())

    peer = cost.get("qp unpack, linear")
    print(
        json.dumps(
            {
                "ratio": round(peer / cost["unpack u8sqrt"], 2) if peer else None,
                "n_obj": n_obj,
                "decode_objects_per_cpu_s": round(1.0 / cost["unpack u8sqrt"]),
                "encode_objects_per_cpu_s": round(1.0 / cost["pack u8sqrt"]),
                "point_estimates_us": round(1e6 * cost["point estimates"], 3),
                "cde_loss_us": round(1e6 * cost["CDE loss"], 3),
                "accepted": accepted,
                **{name: float(f"{ours[name]:.3g}") for name in packing.FIDELITY_LIMITS},
            }
        )
    )


if __name__ == "__main__":
    main()
