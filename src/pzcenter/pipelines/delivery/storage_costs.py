"""What a package takes: bytes of each product, of p(z) in other encodings, and what keeping them costs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EncodingSize", "ProductSize", "StorageReport", "storage_report"]

TERABYTE = 1e12
QUANTILES = (99, 51, 21)
OBJECTS_AT_FULL_SCALE = 4.7e10


@dataclass(frozen=True)
class ProductSize:
    """Files of one product.

    Parameters
    ----------
    name : str
    n_files, n_bytes : int
    n_rows : int, optional
    cost : float
        Per year.
    """

    name: str
    n_files: int
    n_bytes: int
    n_rows: int | None
    cost: float


@dataclass(frozen=True)
class EncodingSize:
    """p(z) of all objects in one encoding.

    Parameters
    ----------
    name : str
    bytes_per_object : float
    n_bytes : float
        For the objects of the package.
    full_scale_bytes : float
        For 4.7e10 objects.
    cost : float
        Per year, for the objects of the package.
    is_stored : bool
        Whether it was measured on the files of the package; the others are numbers of values times their width.
    """

    name: str
    bytes_per_object: float
    n_bytes: float
    full_scale_bytes: float
    cost: float
    is_stored: bool


@dataclass(frozen=True)
class StorageReport:
    """Storage of a package.

    Parameters
    ----------
    n_obj : int
    cost_per_tb_year : float
        In any currency.
    n_copies : int
        Kept of everything.
    products : tuple of ProductSize
    encodings : tuple of EncodingSize
    """

    n_obj: int
    cost_per_tb_year: float
    n_copies: int
    products: tuple[ProductSize, ...]
    encodings: tuple[EncodingSize, ...]

    @property
    def n_bytes(self) -> int:
        """All products, one copy."""
        return sum(product.n_bytes for product in self.products)

    @property
    def cost(self) -> float:
        """All products and copies, per year."""
        return sum(product.cost for product in self.products)

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "n_bytes": self.n_bytes, "cost": self.cost}


def storage_report(
    products: Mapping[str, tuple[int, int, int | None]],
    *,
    n_obj: int,
    n_z: int,
    encoding: str,
    cost_per_tb_year: float = 0.0,
    n_copies: int = 1,
) -> StorageReport:
    """Add up what a package takes.

    Parameters
    ----------
    products : mapping
        Number of files, bytes and rows (or None) by the name of the product; ``pz_pdf`` holds p(z).
    n_obj : int
    n_z : int
        Points of the redshift grid.
    encoding : str
        Of ``pz_pdf``.
    cost_per_tb_year : float
        Price of keeping a terabyte (10^12 bytes) for a year.
    n_copies : int
        Kept of everything.

    Returns
    -------
    StorageReport
    """
    price = cost_per_tb_year * n_copies / TERABYTE
    sizes = {
        f"{n_z} points f64": 8.0 * n_z,
        f"{n_z} points f32": 4.0 * n_z,
        f"{encoding}, not compressed": n_z + 4.0,
        **{f"{number} quantiles f32": 4.0 * number for number in QUANTILES},
    }
    stored = ""
    if "pz_pdf" in products and n_obj:
        stored = f"{encoding}, as stored"
        sizes[stored] = products["pz_pdf"][1] / n_obj
    return StorageReport(
        n_obj=n_obj,
        cost_per_tb_year=cost_per_tb_year,
        n_copies=n_copies,
        products=tuple(
            ProductSize(name, n_files, n_bytes, n_rows, n_bytes * price)
            for name, (n_files, n_bytes, n_rows) in sorted(products.items())
        ),
        encodings=tuple(
            EncodingSize(name, size, size * n_obj, size * OBJECTS_AT_FULL_SCALE, size * n_obj * price, name == stored)
            for name, size in sizes.items()
        ),
    )
