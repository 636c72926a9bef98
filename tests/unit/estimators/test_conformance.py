"""The suite, over every estimator that is registered."""

from __future__ import annotations

from typing import Any

from pzcenter.estimators import get_estimator, registered_estimators
from pzcenter.testing import EstimatorSuite

CONFIGS: dict[str, dict[str, Any]] = {
    "neighbours": {"n_tune": 100},
    "template": {"template_set": "cwwsb4", "n_between": 0},
}
"""Settings that keep the suite at seconds."""


def suite_of(name: str) -> type[EstimatorSuite]:
    members = {"estimator_class": get_estimator(name), "config": CONFIGS.get(name, {}), "__module__": __name__}
    return type(f"Test{name.title()}", (EstimatorSuite,), members)


for entry in registered_estimators():
    if entry.estimator is not None:
        globals()[f"Test{entry.name.title()}"] = suite_of(entry.name)


def test_no_registered_estimator_is_broken():
    assert {entry.name: entry.problem for entry in registered_estimators() if entry.problem} == {}


def test_our_own_are_registered():
    assert {"template", "trainz", "neighbours"} <= {entry.name for entry in registered_estimators()}
