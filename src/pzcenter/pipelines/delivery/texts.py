"""The texts of a package: how to open it, under what licence, how to cite it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

import pzcenter
from pzcenter.pipelines.delivery.layout import CHECKSUMS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from pzcenter.pipelines.delivery.about import PackageAbout

__all__ = ["citation_text", "licence_text", "readme_text"]

LICENCE_URLS = {
    "CC-BY-4.0": "https://creativecommons.org/licenses/by/4.0/legalcode",
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/legalcode",
}

README = """# {title}

{description}{n_obj:,} objects, one row each, made with PZ Center {version}.{embargo}

| what | where |
|---|---|
| core table `pz`: point estimates, intervals, flags | `catalog/pz` (HATS) |
| densities p(z), packed: `pz_pdf`, same rows and order | `catalog/pz_pdf` (HATS) |
{margin}| models, meaning of the flag bits, quality of each partition | `catalog/pz_model.parquet`, `pz_flag.parquet`, \
`pz_quality.parquet` |
| definition of every column: type, unit, UCD (Felis) | `schema/` |
| where the rows come from (W3C PROV, lineage of each tract) | `provenance/` |
| quality report, n(z), maps | `qa/` |
| two notebooks: a fixed check, a random one | `notebooks/` |
| files with checksum, rows, range of ids | `manifest.json` |
| state, who set it, embargo | `states.jsonl` |

## Check it

```bash
sha256sum --quiet -c {checksums}
```

With PZ Center (`pip install pzcenter`) every count is checked too: `pz deliver verify .`

## Open it

With [LSDB](https://docs.lsdb.io) (`pip install lsdb`), in the directory of the package:

```python
import lsdb

columns = ["objectId", "ra", "dec", "z_best", "z_err68_low", "z_err68_high", "flags"]
pz = lsdb.open_catalog("{collection}", columns=columns)
nearby = pz.cone_search(ra={ra:.5f}, dec={dec:.5f}, radius_arcsec=600).compute()
print(len(nearby), nearby.head())
```

A missing value is NaN; `flags` says why. The bits:

```python
import pyarrow.parquet as pq

bits = pq.read_table("catalog/pz_flag.parquet").to_pylist()
no_estimate = next(bit["value"] for bit in bits if bit["name"] == "no_estimate")
print((nearby["flags"] & no_estimate > 0).sum(), "objects without p(z)")
```

The densities, on the redshift grid that the file itself declares ({n_z} points from {z_min:g} to {z_max:g}):

```python
import numpy as np

pdf = lsdb.open_catalog("catalog/pz_pdf", columns=["objectId", "pdf_code", "pdf_max"])
some = pdf.partitions[0].compute()
z_grid = np.linspace({z_min!r}, {z_max!r}, {n_z})
code = np.frombuffer(b"".join(some["pdf_code"]), dtype=np.uint8).reshape(len(some), z_grid.size)
p = some["pdf_max"].to_numpy()[:, None] * (code / 255.0) ** 2
print(p.shape)
```

## Join it with Object

`objectId` is the id of the Object table of {release}. With that table as a HATS catalogue, here `../object`:

```python
objects = lsdb.open_catalog("../object")
names = {{"suffixes": ("", "_object"), "suffix_method": "overlapping_columns"}}
both = pz.join(objects, left_on="objectId", right_on="objectId", **names)
print(len(both.compute()))
```

Without LSDB any reader of Parquet will do, such as DuckDB:
`SELECT * FROM read_parquet('catalog/pz/dataset/*/*/Npix=*{suffix}')`.

## Licence, citation, contact

Licence: `LICENCE.txt`. Please cite as `CITATION.cff` says. {contacts}
"""

LICENCE = """{title}

Copyright (c) {year} {authors}

This data set is made available under the licence {licence}.
{url}
You should have received the data set whole, with this file. There is no warranty of any kind.

The estimates are derived from data of the survey they were made for. As long as that release of the survey is
proprietary, only holders of its data rights may use this package; the state of the package is the last line of
states.jsonl, and anything before "released" may not be passed on.
"""


def readme_text(
    about: PackageAbout,
    *,
    n_obj: int,
    grid: tuple[float, float, int],
    centre: tuple[float, float],
    has_margin: bool,
    is_collection: bool,
    directories: bool,
    embargo_until: date | None,
) -> str:
    """Text of ``README.md``; its Python runs as it stands.

    Parameters
    ----------
    about : PackageAbout
    n_obj : int
    grid : (float, float, int)
        First and last point of the redshift grid, and number of points.
    centre : (float, float)
        Place with objects, degrees.
    has_margin, is_collection : bool
        What the catalogue has.
    directories : bool
        Whether each pixel is a directory of files.
    embargo_until : date, optional
        Of an embargoed copy.

    Returns
    -------
    str
    """
    embargo = ""
    if embargo_until is not None:
        embargo = (
            f"\n\n**Embargoed copy: keep it closed until {embargo_until}.** "
            "It may be neither shown nor passed on before."
        )
    return README.format(
        title=about.full_title,
        description=f"{about.description.strip()}\n\n" if about.description.strip() else "",
        n_obj=n_obj,
        version=pzcenter.__version__,
        embargo=embargo,
        margin="| rows around each pixel, for cross-matches: `pz_margin` | `catalog/pz_margin` |\n"
        if has_margin
        else "",
        checksums=CHECKSUMS,
        collection="catalog" if is_collection else "catalog/pz",
        ra=centre[0],
        dec=centre[1],
        z_min=grid[0],
        z_max=grid[1],
        n_z=grid[2],
        release=about.release or "the release",
        suffix="/*.parquet" if directories else ".parquet",
        contacts=f"Contact: {', '.join(about.contacts)}." if about.contacts else "",
    )


def licence_text(about: PackageAbout, *, year: int) -> str:
    """Text of ``LICENCE.txt``: the given one, or a notice that names the licence."""
    if about.licence_text:
        return about.licence_text
    url = LICENCE_URLS.get(about.licence, f"https://spdx.org/licenses/{about.licence}.html")
    return LICENCE.format(
        title=about.full_title, year=year, authors=", ".join(about.authors), licence=about.licence, url=url
    )


def citation_text(about: PackageAbout, *, released: date) -> str:
    """Text of ``CITATION.cff`` (Citation File Format 1.2.0)."""
    content: dict[str, object] = {
        "cff-version": "1.2.0",
        "message": "If you use these photometric redshifts, please cite them as below.",
        "type": "dataset",
        "title": about.full_title,
        "version": about.version,
        "date-released": released,
        "authors": [{"name": name} for name in about.authors],
        "license": about.licence,
    }
    optional: Mapping[str, object] = {"doi": about.doi, "url": about.url, "abstract": about.description.strip()}
    content |= {key: value for key, value in optional.items() if value}
    if about.contacts:
        content["contact"] = [_contact(text) for text in about.contacts]
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _contact(text: str) -> dict[str, str]:
    """Name, with the address in angle brackets where there is one."""
    name, _, address = text.partition("<")
    return {"name": name.strip() or text, **({"email": address.rstrip("> ")} if address else {})}
