"""Compare ways to learn densities on a fifth of the DC2 training half; the test half is not touched.

Usage::

    python compare_densities.py neighbours template forest fast fast:shift=0 accurate accurate+neighbours

A name is an estimator, ``forest`` (leaf densities of extremely randomised trees, by scikit-learn), or a variant of the
density networks with settings after a colon; ``a+b`` is the normalised geometric mean of two densities. The decision
record on learned densities holds the result.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from functools import cache
from pathlib import Path

os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

import numpy as np
import yaml
from estimators import TRAIN, measure, read

from pzcenter.estimators import get_estimator
from pzcenter.science.pz import normalise

GRID = np.linspace(0.0, 3.0, 301)
N_FOLD, SEED = 5, 7


@cache
def halves():
    """Four fifths and one fifth of the training half, at random."""
    photometry, z_spec = read(TRAIN)
    order = np.random.default_rng(SEED).permutation(z_spec.size)
    test, train = order[: z_spec.size // N_FOLD], order[z_spec.size // N_FOLD :]
    return photometry.select(train), z_spec[train], photometry.select(test), z_spec[test]


@cache
def densities(name: str) -> np.ndarray:
    """Densities of the held-out fifth by one method."""
    train, z_train, test, _ = halves()
    method, _, words = name.partition(":")
    config = {
        key: yaml.safe_load(value) for key, _, value in (word.partition("=") for word in words.split(",") if word)
    }
    if method == "forest":
        return forest(train, z_train, test)
    if method in {"fast", "accurate"}:
        method, config = "density_network", {"filters": "dc2", "speed": method} | config
    if method == "template":
        config = {"filters": "dc2"} | config
    return get_estimator(method).train(train, z_train, config=config or None).estimate(test).pdf


def forest(train, z_train, test, *, n_tree: int = 300, leaf: int = 5) -> np.ndarray:
    """Weights of the leaves' training objects, smoothed by the least kernel that the grid bears."""
    from sklearn.ensemble import ExtraTreesRegressor

    from pzcenter.estimators.density_network.kernel import photometric_features

    softening = np.nanmedian(train.flux_err, axis=0).astype(np.float64)

    def x(photometry):
        values = photometric_features(photometry.flux.astype("f4"), photometry.flux_err.astype("f4"), softening)
        return np.where(np.isfinite(values), values, 50.0)

    trees = ExtraTreesRegressor(n_tree, min_samples_leaf=leaf, max_features=0.5, random_state=SEED).fit(
        x(train), z_train
    )
    of_train, of_test = trees.apply(x(train)), trees.apply(x(test))
    pdf = np.zeros((test.n_obj, GRID.size))
    kernel = np.exp(-0.5 * ((GRID - z_train[:, None]) / (0.012 * (1 + z_train[:, None]))) ** 2)
    for tree in range(n_tree):
        size = np.bincount(of_train[:, tree])
        total = np.zeros((size.size, GRID.size))
        np.add.at(total, of_train[:, tree], kernel)
        pdf += total[of_test[:, tree]] / size[of_test[:, tree], None]
    return normalise(pdf, GRID)


def main() -> None:
    """Run each method and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="+")
    for name in parser.parse_args().methods:
        begun = time.process_time()
        parts = [densities(part) for part in name.split("+")]
        pdf = normalise(np.exp(np.mean([np.log(part + 1e-6) for part in parts], axis=0)), GRID)
        found = measure(pdf, GRID, halves()[3])
        seconds = time.process_time() - begun
        keys = ("cde_loss", "sigma_nmad", "outlier_fraction", "crps", "pit_ks")
        sys.stdout.write(f"{name:44}" + "".join(f"{found[key]:10.4f}" for key in keys) + f"{seconds:8.0f} s\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
