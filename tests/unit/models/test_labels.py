"""What tells an instrument from others that carried its symbol."""

import pytest

from condvest.batch_layer.shared.models.instruments.labels import label_of, of_label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("X#12", ("X", 12)),
        ("A#B#7", ("A#B", 7)),
        ("X", None),
        ("#12", None),
        ("X#", None),
        ("X#1234567890", None),
        ("X#\u0661", None),  # a digit, but no figure of an id
    ],
)
def test_a_label_is_read_from_its_last_sign(text, label):
    assert of_label(text) == label
    assert label is None or label_of(*label) == text
