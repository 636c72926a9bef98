r"""Calibration of a template fit on objects of known redshift.

Three things that no library of templates gets right for a new survey are measured from spectroscopic redshifts, and
nothing else is learned:

* the **shape of each template**: a smooth factor on its SED, piecewise linear in the logarithm of the rest-frame
  wavelength, :math:`T_t(\lambda) \to T_t(\lambda)\, e^{\delta_t(\lambda)}`;
* the **error of the templates**: a fraction :math:`\tau(\lambda)` of the flux at each rest-frame wavelength;
* the **prior** :math:`p(z, t \mid m)`: a smoothed count of objects in redshift, template and magnitude, mixed with
  an analytic prior that speaks where there are few objects.

Shape and prior follow by expectation and maximisation: with the redshift known, the responsibilities
:math:`p(t \mid f, z)` are one row of the fit, and given these the corrections are a linear least-squares problem.

References
----------
Budavari et al. 2000, AJ 120, 1588 (templates from photometry); Feldmann et al. 2006, MNRAS 372, 565 (repair with a
smoothness term); Brammer et al. 2008, ApJ 686, 1503 (template error function); Benitez 2000, ApJ 536, 571 (prior).
"""

from __future__ import annotations

from pzcenter.science.calibration.calibrate import CalibrationSettings, calibrate
from pzcenter.science.calibration.result import (
    TemplateCalibration,
    calibrated_templates,
    error_on_grid,
    prior_on_grid,
)

__all__ = [
    "CalibrationSettings",
    "TemplateCalibration",
    "calibrate",
    "calibrated_templates",
    "error_on_grid",
    "prior_on_grid",
]
