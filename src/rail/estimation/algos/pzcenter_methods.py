# ruff: noqa: INP001 -- the folders are RAIL's namespace
"""Where RAIL keeps its methods: those of pzcenter."""

from pzcenter.estimators.rail.stages import *  # noqa: F403 - as RAIL's packages do
