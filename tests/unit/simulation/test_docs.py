"""The page on the simulated sky names what there is."""

from pathlib import Path

from pzcenter.simulation import REALISTIC_SURVEYS, SimulationConfig
from pzcenter.simulation.tables import spec_table, truth_table

PAGE = (Path(__file__).parents[3] / "docs" / "explanation" / "simulated-sky.md").read_text(encoding="utf-8")


def test_settings_are_documented_with_their_defaults():
    for name, field in SimulationConfig.model_fields.items():
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |"))
        assert field.description in row
        if isinstance(field.default, int | float | str):
            assert f"`{field.default}`" in row


def test_surveys_are_documented():
    for survey in REALISTIC_SURVEYS:
        assert f"| `{survey.name}` | {survey.area:g} | {survey.sampling:g} | {survey.success:g}" in PAGE


def test_columns_are_documented():
    for table in (truth_table(), spec_table()):
        for name in table.column_names:
            shown = "flux_true_{band}" if name.startswith("flux_true_") else name
            assert f"`{shown}`" in PAGE
