"""Make the reference pages of errors and settings from the code: ``python docs/reference/make_pages.py``."""

from __future__ import annotations

import builtins
import inspect
import re
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from pzcenter.catalogs import format_names, target_names
from pzcenter.cli.failures import FAILED, INTERRUPTED, MISUSE
from pzcenter.cli.settings import DUST_MAPS
from pzcenter.errors import ConfigError, InternalError, PZCenterError, TransientError, UsageError, error_classes
from pzcenter.estimators.docs import OUR_OWN
from pzcenter.estimators.shipped_calibration import calibration_names
from pzcenter.schema import mapping_names
from pzcenter.science.calibration import CalibrationSettings
from pzcenter.science.engines import engine_names
from pzcenter.science.extinction import extinction_surveys
from pzcenter.science.filters import filter_names
from pzcenter.science.packing import encoding_names
from pzcenter.science.sed import template_set_names
from pzcenter.simulation import ColourCut, SimulationConfig, SpecSurvey

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

FOLDER = Path(__file__).parent
MADE = "Made by `python docs/reference/make_pages.py`; do not edit."
FAMILIES: dict[type[PZCenterError], str] = {
    UsageError: "mend the input or the call",
    TransientError: "try again: nothing is wrong with the request",
    InternalError: "a fault of ours, or of the machine: read the message, then report it",
}

ERRORS_HEAD = f"""# Errors

{MADE}

Everything that is raised on purpose is a `PZCenterError` with a `code` that never changes: compare the code, not the
words. The message says what was wrong, the value that was seen, and what is accepted. Errors of the family *usage* are
`ValueError`s too, so that `except ValueError` works as in any library.

```python
from pzcenter.catalogs import open_catalog
from pzcenter.errors import PZCenterError

try:
    open_catalog("there-is-no-such.parquet")
except PZCenterError as error:
    print(error.code)  # not_found
```

`pz` prints `error[CODE]: message` on stderr and ends with status 0 (done), {FAILED} (failed), {MISUSE} (misuse: an
option, argument or setting that is not accepted) or {INTERRUPTED} (interrupted: the same command continues). `--debug`
shows where it happened.

One bad object in a catalogue is no error: it gets a [flag](tables/pz_flag.md). A partition that fails does not stop the
others; the run ends with `partition`, and the same command tries only the failed ones again.
"""

SETTINGS_HEAD = f"""# Settings

{MADE}

No setting is needed to begin. Those of a method or a simulation are given as `--set KEY=VALUE`, several times, or in a
YAML file with `--config FILE`; what is on the command line wins. Values are read as YAML
(`--set calibrate_prior=false`), a dot goes one level down (`--set zero_point_factor.u=1.02`). A key that does not exist
or a value out of range is the error `config`, which says what is accepted. What was used is stored with the model and
in `provenance.json`.

| settings of | are given to | listed |
|---|---|---|
| a photo-z method ({{methods}}) | `pz train`, `pz estimate` | [estimators](estimators.md), `pz methods NAME` |
| a simulated sky | `pz simulate` | [below](#simulated-sky) |
| the columns of a catalogue | `--mapping FILE` | [mapping files](tables/mapping-files.md), `pz mappings NAME` |
| the redshift grid | `--z-max`, `--n-z` | by default 0 to 3 in steps of 0.01 |
| the calibration of a template fit | Python | [below](#calibration) |

## Environment

| variable | what |
|---|---|
| `PZ_DEBUG` | set to 1: as `--debug`, log and tracebacks on stderr |
| `PZ_FAST_TIER` | directory on a fast disk, through which files of a repository are read |
| `PZ_FAST_TIER_QUOTA` | the most that it may hold, such as `200 GB` |
| `PZ_CACHE` | directory of what was fetched from public services; the user's cache directory by default |
| `PZ_SERVER_TOKEN` | token of a PZ Server, for `pz server`, the Python client, and products as a source of redshifts |
| `PZ_SERVER_URL` | address of that server, for `pz server` and the Python client |
| `PZ_SERVER_*` | all others belong to a server itself: [settings of a server](server-settings.md) |
| `XDG_CONFIG_HOME` | the user's settings: `pzcenter/servers.json` below it has the servers you have signed in to |
| `XDG_STATE_HOME` | what is under way: uploads are noted in `pzcenter/uploads` below it |
| `XDG_DATA_HOME` | the user's data: which models of RAIL are trusted is in `pzcenter/rail` below it |
| `NO_COLOR` | set to anything: no colours |
| `MPLBACKEND` | of matplotlib; `Agg` unless set, because figures go to files |
| `NUMBA_CACHE_DIR` | of numba: where compiled kernels are kept, if not beside the package |
| `PZCENTER_RAIL_PYTHON` | interpreter that has RAIL: [use methods of RAIL](../how-to/use-rail-methods.md) |
| `PZCENTER_RAIL_*` | limits of its process, trusted models: [settings](../how-to/use-rail-methods.md#settings) |
| `PZCENTER_REFERENCE_PYTHON` | interpreter that has BPZ and RAIL, for tests and benchmarks |
"""

CALIBRATION_HEAD = """`pzcenter.science.calibration.CalibrationSettings`; what they do:
[calibration](../explanation/calibration.md).
"""


SERVER_HEAD = """# Settings of a server

{MADE}

`pz serve --init DIR` writes all of them into `DIR/server.yaml`, with what they mean; what is left out is the default.
Each may also stand in the environment, which comes first: `PZ_SERVER_` and the name in capitals. A list of names has
commas there, `PZ_SERVER_ALLOWED_HOSTS=pz.example.org,localhost`; tables are JSON. Bytes may have a unit: `10 GB` is
10¹⁰, `10 GiB` is 10·2³⁰. A setting that does not exist (`PZ_SERVER_QUOTA`) or is not accepted is the error `config`,
and the server does not start. [Run a server](../tutorials/run-a-server.md) has the first steps.

"""
PROVIDER_HEAD = """## One of `oidc`

An identity provider that people sign in with (OpenID Connect). Its secret stands in a file of its own:

```yaml
oidc:
- name: rubin
  title: Rubin Science Platform
  issuer: https://identity.example.org
  client_id: pz-server
  client_secret_file: oidc-secret
```
"""


def pages() -> dict[str, str]:
    """Text of each page by file name."""
    return {"errors.md": errors_page(), "settings.md": settings_page(), "server-settings.md": server_settings_page()}


def errors_page() -> str:
    """One table for each family."""
    parts = [ERRORS_HEAD]
    classes = error_classes().items()
    for family, what_to_do in FAMILIES.items():
        rows = [_error_row(code, cls) for code, cls in classes if issubclass(cls, family)]
        parts.append(
            f"## {family.code.capitalize()}: {what_to_do}\n\n" + _table("code class also status meaning", rows)
        )
    root = [_error_row(code, cls) for code, cls in classes if not issubclass(cls, tuple(FAMILIES))]
    parts.append("## Root of all\n\n" + _table("code class also status meaning", root))
    return "\n".join(parts)


def _error_row(code: str, cls: type[PZCenterError]) -> list[str]:
    also = [
        base.__name__
        for base in cls.__mro__
        if base.__module__ == builtins.__name__ and base not in {Exception, BaseException, object}
    ]
    status = MISUSE if issubclass(cls, ConfigError) else FAILED
    return [f"`{code}`", f"`{cls.__name__}`", ", ".join(also), str(status), _sentence(cls)]


def settings_page() -> str:
    """Where settings are given, what there is to choose from, and settings that have no page of their own."""
    choices = {
        "method": OUR_OWN,
        "template set": template_set_names(),
        "calibration": ("auto", "none", *calibration_names()),
        "filters of a survey": sorted({name.rpartition("_")[0] for name in filter_names()}),
        "engine": ("auto", *engine_names()),
        "mapping": mapping_names(),
        "extinction coefficients": extinction_surveys(),
        "dust map (`--ebv-map`)": tuple(DUST_MAPS),
        "format that is read": format_names(),
        "format that is written (`--to`)": target_names(),
        "encoding of p(z)": encoding_names(),
    }
    chosen = [[what, ", ".join(f"`{name}`" for name in names)] for what, names in choices.items()]
    return "\n".join(
        [
            SETTINGS_HEAD.format(methods=", ".join(f"`{name}`" for name in OUR_OWN)),
            "## Names to choose from\n\n" + _table("what names", chosen),
            "## Simulated sky\n\n`n_obj` and `seed` are options of `pz simulate`; the rest:\n",
            _settings_table(SimulationConfig),
            "### One of `spec_surveys`\n",
            _settings_table(SpecSurvey),
            "### One of the `cuts` of a survey\n",
            _settings_table(ColourCut),
            "## Calibration\n",
            CALIBRATION_HEAD,
            _calibration_table(),
        ]
    )


def server_settings_page() -> str:
    """Settings of a server, with the variable of each."""
    from pzcenter.server.settings import ENV_PREFIX, OidcProvider, ServerSettings  # noqa: PLC0415 - an extra

    rows = [
        [f"`{name}`", f"`{ENV_PREFIX}{name.upper()}`", _plain_default(field), _limits(field), _meaning(field)]
        for name, field in ServerSettings.model_fields.items()
    ]
    provider = [
        [f"`{name}`", _plain_default(field), _meaning(field)] for name, field in OidcProvider.model_fields.items()
    ]
    return "\n".join(
        [
            SERVER_HEAD.replace("{MADE}", MADE) + _table("setting variable default accepted what", rows),
            PROVIDER_HEAD,
            _table("setting default what", provider),
        ]
    )


def _plain_default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.default
    if value is None or value in ([], {}):
        return "none"
    return ", ".join(f"`{each}`" for each in value) if isinstance(value, list) else f"`{value}`"


def _meaning(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    words = f"One of {', '.join(f'`{each}`' for each in choices)}." if choices else ""
    return f"{field.description or ''} {words}".strip()


def _settings_table(model: type[BaseModel]) -> str:
    rows = [
        [f"`{name}`", _default(field), _limits(field), f"{field.title}. {field.description}"]
        for name, field in model.model_fields.items()
    ]
    return _table("setting default accepted what", rows)


def _default(field: FieldInfo) -> str:
    value = field.default
    if field.is_required():
        return "must be given"
    if value is None:
        return "not given"
    if isinstance(value, tuple):
        return ", ".join(f"`{entry.name}`" for entry in value) or "none"
    return str(value)


def _limits(field: FieldInfo) -> str:
    signs = (("gt", ">"), ("ge", "≥"), ("lt", "<"), ("le", "≤"))
    found = [f"{sign} {getattr(rule, key)}" for rule in field.metadata for key, sign in signs if hasattr(rule, key)]
    return ", ".join(found)


def _calibration_table() -> str:
    """Names and meanings from the numpydoc section, defaults from the class."""
    doc = inspect.getdoc(CalibrationSettings) or ""
    described = dict(re.findall(r"^(\w+(?:, \w+)*) : .*\n((?:    .*\n?)+)", doc, flags=re.MULTILINE))
    meaning = {name: " ".join(text.split()) for names, text in described.items() for name in names.split(", ")}
    rows = [[f"`{field.name}`", str(field.default), meaning[field.name]] for field in fields(CalibrationSettings)]
    return _table("setting default what", rows)


def _sentence(cls: Any) -> str:
    return " ".join((inspect.getdoc(cls) or "").split("\n\n")[0].split())


def _table(head: str, rows: list[list[str]]) -> str:
    columns = head.split()
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text.replace("|  |", "| |")


if __name__ == "__main__":
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
