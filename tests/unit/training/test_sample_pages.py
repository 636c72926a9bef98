"""The examples of the pages on training samples run."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

DOCS = Path(__file__).parents[3] / "docs"


def objects(n, seed):
    rng = np.random.default_rng(seed)
    mag, z = 24.5 - rng.exponential(1.5, n), rng.uniform(0.01, 2, n)
    colour = {"u": 2 * np.sin(z), "g": 1.5 * np.sin(z), "r": np.cos(z), "i": 0 * z, "z": -0.5 * z, "y": -0.6 * z}
    columns = {
        "objectId": np.arange(n),
        "ra": rng.uniform(0, 10, n),
        "dec": rng.uniform(-5, 5, n),
        "z_best": z,
        "z_spec": z,
        "z_flag": rng.integers(2, 5, n),
        "z_type": rng.choice(["s", "g", "p"], n),
        "tie_result": np.ones(n, dtype="i1"),
        "survey": rng.choice(["DESI", "SDSS", "2MRS", "6DFGS", "PRIMUS"], n),
        "group_id": np.full(n, -1),
        "separation_arcsec": rng.uniform(0, 0.8, n),
        "flags": np.zeros(n, dtype="u4"),
        "extendedness": np.ones(n),
    }
    for band, offset in colour.items():
        flux = 10 ** (-0.4 * (mag + offset - 31.4))
        err = np.hypot(20.0, 0.02 * flux)
        columns |= {f"flux_{band}": flux + err * rng.normal(size=n), f"flux_err_{band}": err}
    return pa.table(columns)


@pytest.mark.parametrize("page", ["how-to/choose-a-training-sample.md", "explanation/coverage-of-a-training-set.md"])
def test_examples_run(page, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    table, target = objects(6000, 1), objects(3000, 2)
    names = {"table": table, "training": table, "target": target}
    for block in blocks:
        exec(compile(block, page, "exec"), names)
    assert 0 <= names["report"].extrapolation_fraction <= 1
    if page.startswith("how-to"):
        assert "rows stay" in capsys.readouterr().out
