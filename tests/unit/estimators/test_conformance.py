"""The suite, over every estimator that is registered."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from pzcenter.estimators import get_estimator, registered_estimators
from pzcenter.testing import EstimatorSuite

CONFIGS: dict[str, dict[str, Any]] = {
    "density_network": {
        "templates": "none",
        "n_member": 2,
        "n_hidden": 8,
        "n_layer": 1,
        "max_epochs": 4,
        "resolution": 0.05,
    },
    "neighbours": {"n_tune": 100},
    "template": {"template_set": "cwwsb4", "n_between": 0},
}
"""Settings that keep the suite at seconds."""
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "DensityNetworkFast": ("density_network", {"speed": "fast"}),
    "DensityNetworkHybrid": ("density_network", {"speed": "accurate", "templates": "published"}),
}
"""Methods that compute something else with other settings: method, and what differs from its settings above."""
NEEDS_JAX = {"density_network"}


def suite_of(name: str, title: str, changes: dict[str, Any]) -> type[EstimatorSuite]:
    config = CONFIGS.get(name, {}) | changes
    members = {"estimator_class": get_estimator(name), "config": config, "__module__": __name__}
    suite = type(f"Test{title}", (EstimatorSuite,), members)
    if name in NEEDS_JAX and not find_spec("jax"):
        pytest.mark.skip(reason="training needs jax: pzcenter[ml]")(suite)
    return suite


for entry in registered_estimators():
    if entry.estimator is not None:
        globals()[f"Test{entry.name.title()}"] = suite_of(entry.name, entry.name.title(), {})
for title, (method, changes) in VARIANTS.items():
    globals()[f"Test{title}"] = suite_of(method, title, changes)


def test_no_registered_estimator_is_broken():
    assert {entry.name: entry.problem for entry in registered_estimators() if entry.problem} == {}


def test_our_own_are_registered():
    assert {"template", "trainz", "neighbours", "density_network"} <= {entry.name for entry in registered_estimators()}
