"""Make bpz_ab_fluxes.npz: model fluxes as BPZ itself computes them.

Run with an environment that has desc-bpz 0.4.0 and pz-rail-base 2.0.11:

    python make_bpz_ab_fluxes.py DATA_COPY bpz_ab_fluxes.npz

DATA_COPY is a writable copy of rail/examples_data/estimation_data/data of pz-rail-base: BPZ writes its tables there.
"""

import contextlib
import io
import sys
from pathlib import Path

import numpy as np

LISTS = {"cwwsb4": "CWWSB4.list", "cosmos31": "COSMOS_seds.list"}
MADAU = ("El_B2004a", "Im_B2004a", "SB11_A_0")
Z = np.round(np.arange(0.0, 6.01, 0.5), 2)


def table(folder: Path, sed: str, band: str, *, madau: bool) -> np.ndarray:
    """BPZ's flux of one SED through one filter at Z."""
    from desc_bpz.bpz_tools_py3 import ABflux

    flag = "withmadau" if madau else "nomadau"
    path = folder / "AB" / f"{sed}.DC2LSST_{band}.{flag}.AB"
    if not path.exists():
        with contextlib.redirect_stdout(io.StringIO()):
            ABflux(f"{sed}.sed", f"DC2LSST_{band}.res", "yes" if madau else "no")
    z, flux = np.loadtxt(path).T
    row = np.searchsorted(z, Z - 1e-6)
    if not np.allclose(z[row], Z):
        message = f"{path} is not tabulated at {Z}"
        raise ValueError(message)
    return flux[row]


def main(folder: Path, output: Path) -> None:
    """Collect the tables."""
    from desc_bpz.paths import set_data_dir

    set_data_dir(str(folder))
    arrays = {"z": Z, "madau_names": np.array(MADAU)}
    for name, listing in LISTS.items():
        seds = [line.split()[0][:-4] for line in (folder / "SED" / listing).read_text().splitlines() if line.strip()]
        arrays[f"{name}_names"] = np.array(seds)
        arrays[name] = np.array([[table(folder, sed, band, madau=False) for band in "ugrizy"] for sed in seds])
    arrays["madau"] = np.array([[table(folder, sed, band, madau=True) for band in "ugrizy"] for sed in MADAU])
    np.savez_compressed(output, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
