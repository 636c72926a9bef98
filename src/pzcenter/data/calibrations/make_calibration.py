"""Make a calibration that comes with the package, from a catalogue of known redshifts.

The one called dc2 was made, in a clone of the project, by

    python src/pzcenter/data/calibrations/make_calibration.py dc2 tests/data/dc2/test_dc2_training_9816.hdf5 dc2
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import pzcenter
from pzcenter.catalogs import make_skinny
from pzcenter.catalogs.storage import file_sha256
from pzcenter.estimators.shipped_calibration import write_calibration
from pzcenter.estimators.template import TemplateConfig, prior_magnitude
from pzcenter.estimators.template_model import filters_of, transmission_of
from pzcenter.pipelines import read_training_set
from pzcenter.science.calibration import CalibrationSettings, calibrate
from pzcenter.science.sed import load_template_set


def main(name: str, sample: Path, filters: str) -> None:
    """Calibrate the default template set on a sample, and write the result beside this file."""
    config, settings = TemplateConfig(filters=filters), CalibrationSettings()
    with tempfile.TemporaryDirectory() as folder:
        make_skinny(sample, Path(folder) / "skinny")
        photometry, z_spec = read_training_set(Path(folder) / "skinny")
    found = calibrate(
        load_template_set(config.template_set),
        filters_of(config, photometry.bands),
        photometry.flux,
        flux_err=photometry.flux_err,
        z_spec=z_spec,
        prior_mag=prior_magnitude(photometry.flux, photometry.flux_err, photometry.bands, config),
        settings=settings,
        igm=transmission_of(config),
    )
    facts = {
        "sample": sample.name,
        "sample_sha256": file_sha256(sample),
        "n_obj": int(z_spec.size),
        "filters": filters,
        "igm": config.igm,
        "settings": asdict(settings),
        "pzcenter": pzcenter.__version__,
    }
    write_calibration(Path(__file__).parent / name, found, template_set=config.template_set, facts=facts)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
