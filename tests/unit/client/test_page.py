"""The page of the client: what it shows with the mock runs, what it names exists."""

import re
from pathlib import Path

from pzcenter.client import AsyncPZClient, PZClient

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "client.md").read_text(encoding="utf-8")


def test_the_example_with_the_mock_runs(capsys):
    (code,) = [text for text in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "MockServer" in text]
    exec(compile(code, "client.md", "exec"), {})
    assert capsys.readouterr().out == "not_found\n['dp1']\n"


def test_every_method_is_on_the_page_and_in_both_clients():
    methods = {name for name in dir(PZClient) if not name.startswith("_")}
    assert methods == {"close" if name == "aclose" else name for name in dir(AsyncPZClient) if not name.startswith("_")}
    missing = [name for name in methods - {"close"} if f"`{name}(" not in PAGE and f"PZClient.{name}(" not in PAGE]
    assert not missing
