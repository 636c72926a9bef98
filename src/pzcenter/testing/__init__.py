"""Conformance suites, strategies and a small synthetic sky, for our tests and those of plug-ins.

No package code imports this; it needs pytest and hypothesis (the extra ``test``).
"""

from __future__ import annotations

import pytest

# Before the import, so that a failing assert of the suite shows its values.
pytest.register_assert_rewrite("pzcenter.testing.estimator_suite")

from pzcenter.testing.estimator_suite import EstimatorSuite  # noqa: E402 - see above
from pzcenter.testing.strategies import photometries  # noqa: E402 - see above
from pzcenter.testing.synthetic import SyntheticSky, synthetic_sky  # noqa: E402 - see above

__all__ = ["EstimatorSuite", "SyntheticSky", "photometries", "synthetic_sky"]
