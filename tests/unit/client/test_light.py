"""The client is light: whoever imports it loads no arrays."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "numpy",
    "pyarrow",
    "astropy",
    "h5py",
    "pydantic",
    "pydantic_settings",
    "fastapi",
    "sqlalchemy",
    "pandas",
    "yaml",
)


@pytest.mark.parametrize("module", ["pzcenter.client", "pzcenter.client.mock"])
def test_importing_the_client_loads_nothing_heavy(module):
    code = f"import json, sys, {module}; print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
