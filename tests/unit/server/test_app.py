"""The service as a whole: what lies between its interfaces."""

import pytest


@pytest.mark.parametrize("path", ["/api/v2/products/%0A", "/api/v2/challenges/a/files/%0D%0Ab", "/x%0Ay"])
def test_a_path_with_a_line_end_is_refused_as_others_are(server, path):
    answer = server.client("owner").get(path)
    assert answer.status_code in {400, 404, 422}
    assert answer.json()["code"]
    assert answer.headers["content-type"] == "application/problem+json"
