"""docs/api.md says what the server says of itself."""

from condvest.serving_layer.http.answers.endpoints import ENDPOINTS
from tests.support.api_reference import PAGE, page


def test_the_page_is_that_of_the_document():
    """Made anew by python -m tests.support.api_reference."""
    text = page()
    assert PAGE.read_text(encoding="utf-8") == text
    assert all(f"### {endpoint.path}\n" in text for endpoint in ENDPOINTS)
