"""Two notebooks of a package, as Rubin asks of contributed data (RTN-105): a fixed check and a randomised one.

They need LSDB and nothing of PZ Center, and run from the directory ``notebooks`` of the package.
"""

from __future__ import annotations

import json
from typing import Any

__all__ = ["fixed_notebook", "notebook_code", "random_notebook"]

OPEN = """import lsdb
import numpy as np

columns = ["objectId", "ra", "dec", "_healpix_29", "z_best", "z_err68_low", "z_err68_high", "flags"]
pz = lsdb.open_catalog("../catalog/pz", columns=columns)
pdf = lsdb.open_catalog("../catalog/pz_pdf", columns=["objectId", "pdf_code", "pdf_max"])"""

COUNTS = """assert len(pz) == len(pdf) == {n_obj}
nearby = pz.cone_search(ra={ra!r}, dec={dec!r}, radius_arcsec={radius!r}).compute()
assert len(nearby) == {n_nearby}, len(nearby)"""

# A whole row of a frame would turn the ids into floats, which cannot hold them: columns first, then the row.
ONE_ROW = """found = nearby["z_best"].to_numpy()[nearby["objectId"].to_numpy() == {object_id}]
expected = {z_best!r}
assert len(found) == 1
same = np.isnan(found[0]) if expected is None else abs(found[0] - expected) < 1e-5
assert same, found[0]
print("all as expected")"""

CHOOSE = """import os

seed = int(os.environ.get("SEED", np.random.SeedSequence().entropy % 2**32))
print("seed", seed)
random = np.random.default_rng(seed)
chosen = int(random.integers(pz.npartitions))
rows, densities = pz.partitions[chosen].compute(), pdf.partitions[chosen].compute()
assert (rows["objectId"].to_numpy() == densities["objectId"].to_numpy()).all()"""

DENSITIES = """z_grid = np.linspace({z_min!r}, {z_max!r}, {n_z})
code = np.frombuffer(b"".join(densities["pdf_code"]), dtype=np.uint8).reshape(len(densities), z_grid.size)
p = densities["pdf_max"].to_numpy()[:, None] * (code / 255.0) ** 2
has_pdf = code.any(axis=1)
area = np.trapezoid(p[has_pdf], z_grid, axis=1)
assert (abs(area - 1) < 0.05).all(), abs(area - 1).max()
z_best = rows["z_best"].to_numpy()
assert np.isnan(z_best[~has_pdf]).all()
assert ((z_best[has_pdf] >= z_grid[0]) & (z_best[has_pdf] <= z_grid[-1])).all()"""

SEARCH = """at = int(random.integers(len(rows)))
ra, dec, object_id = (rows[name].to_numpy()[at] for name in ("ra", "dec", "objectId"))
found = pz.cone_search(ra=float(ra), dec=float(dec), radius_arcsec=60).compute()
assert object_id in set(found["objectId"])
print(len(rows), "rows of partition", chosen, "checked,", len(found), "objects around one of them")"""

FIXED = (
    ("markdown", "# {title}: fixed check\n\nFor monitoring: the same objects each time, with known answers."),
    ("code", OPEN),
    ("markdown", "Number of rows, and the rows within {radius:g} arcsec of a place."),
    ("code", COUNTS),
    ("markdown", "One row, as it was when the package was made."),
    ("code", ONE_ROW),
)
RANDOM = (
    ("markdown", "# {title}: random check\n\nFor tests of scale: other objects each time, the seed is printed."),
    ("code", OPEN),
    ("code", CHOOSE),
    ("markdown", "The densities of these rows: they fit their point estimates."),
    ("code", DENSITIES),
    ("markdown", "A search around a random object finds it."),
    ("code", SEARCH),
)


def fixed_notebook(**facts: Any) -> str:
    """Notebook with known answers, as text.

    Parameters
    ----------
    **facts
        ``title, n_obj, ra, dec, radius, n_nearby, object_id, z_best``.
    """
    return _notebook([(kind, text.format(**facts)) for kind, text in FIXED])


def random_notebook(**facts: Any) -> str:
    """Notebook that chooses by itself what to look at, as text.

    Parameters
    ----------
    **facts
        ``title, z_min, z_max, n_z``.
    """
    return _notebook([(kind, text.format(**facts)) for kind, text in RANDOM])


def notebook_code(text: str) -> str:
    """The code of a notebook, to be run without Jupyter."""
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def _notebook(cells: list[tuple[str, str]]) -> str:
    """Notebook of format 4.5; the same cells give the same text."""
    content = {
        "cells": [_cell(number, kind, text) for number, (kind, text) in enumerate(cells)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1) + "\n"


def _cell(number: int, kind: str, text: str) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": f"cell-{number}",
        "metadata": {},
        "source": text.splitlines(keepends=True),
    }
    return {**cell, "execution_count": None, "outputs": []} if kind == "code" else cell
