"""Where RAIL looks for packages with stages: those of pzcenter. The folder above is RAIL's and has no ``__init__``."""

from pzcenter.estimators.rail.stages import *  # noqa: F403 - as RAIL's packages do
