"""What RAIL imports to find stages: those of pzcenter. The folder above is RAIL's and has no ``__init__``."""

from importlib import import_module

# By name: type checkers see this folder as a package of its own, and RAIL needs the import only.
import_module("rail.estimation.algos.pzcenter_methods")
