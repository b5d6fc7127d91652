"""The matcher of these tests against the cases that AWS publishes of EventBridge's.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
https://github.com/aws/event-ruler (its README; the matcher that EventBridge runs)
"""

from __future__ import annotations

import pytest
from event_patterns import matches

STOPPED = {
    "source": "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    "detail": {"state": "stopped"},
}
FLEET = {
    "detail": {
        "c-count": 5,
        "d-count": 3,
        "x-limit": 3.018e2,
        "source-ip": "10.0.0.33",
        "instance-id": "i-000000aaaaaaaaaaa",
    }
}
FILE = {"detail": {"key": "dir/a/file.png", "version": "1.2", "tags": ["red", "blue"]}}

CASES = [
    # Exact: one of the values, in every field that the pattern names.
    ({"source": ["aws.ec2"], "detail": {"state": ["stopped", "terminated"]}}, STOPPED, True),
    ({"source": ["aws.ec2"], "detail": {"state": ["running"]}}, STOPPED, False),
    ({"detail": {"missing": ["x"]}}, STOPPED, False),
    # Of a list in the event one element is enough.
    ({"detail": {"tags": ["blue", "green"]}}, FILE, True),
    ({"detail": {"tags": ["green"]}}, FILE, False),
    # Text is no number.
    ({"detail": {"version": [1.2]}}, FILE, False),
    ({"detail": {"d-count": ["3"]}}, FLEET, False),
    # Prefix.
    ({"source": [{"prefix": "aws."}]}, STOPPED, True),
    ({"detail": {"instance-id": [{"prefix": "i-111"}]}}, FLEET, False),
    # Numeric, one comparison or a range of two.
    (
        {"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}]}},
        FLEET,
        True,
    ),
    ({"detail": {"x-limit": [{"numeric": ["=", 301.8]}]}}, FLEET, True),
    ({"detail": {"c-count": [{"numeric": [">", 5]}]}}, FLEET, False),
    ({"detail": {"source-ip": [{"numeric": [">", 0]}]}}, FLEET, False),
    # Exists.
    ({"detail": {"state": [{"exists": True}]}}, STOPPED, True),
    ({"detail": {"c-count": [{"exists": False}]}}, STOPPED, True),
    ({"detail": {"state": [{"exists": False}]}}, STOPPED, False),
    # Wildcard: any characters, slashes among them; no other character is special.
    ({"detail": {"key": [{"wildcard": "dir/*.png"}]}}, FILE, True),
    ({"detail": {"key": [{"wildcard": "*/file.*"}]}}, FILE, True),
    ({"detail": {"key": [{"wildcard": "dir/?/file.png"}]}}, FILE, False),
    ({"detail": {"key": [{"wildcard": "dir/[abc]/file.png"}]}}, FILE, False),
    ({"detail": {"key": [{"wildcard": "dir/a/file.png*"}]}}, FILE, True),
    ({"detail": {"key": [{"wildcard": r"dir/\*/file.png"}]}}, FILE, False),
    ({"detail": {"key": [{"wildcard": r"a\*b\\c"}]}}, {"detail": {"key": r"a*b\c"}}, True),
]


@pytest.mark.parametrize(("pattern", "event", "passes"), CASES)
def test_an_event_passes_as_aws_says(pattern, event, passes):
    assert matches(pattern, event) is passes


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": "aws.ec2"},
        {"source": []},
        {"source": [{"wildcard": "a**b"}]},
        {"source": [{"wildcard": r"a\b"}]},
        {"source": [{"suffix": "x"}]},
        [],
    ],
)
def test_a_pattern_that_eventbridge_or_this_does_not_know_is_an_error(pattern):
    with pytest.raises(ValueError, match=r"pattern|list|wildcard|backslash|operator"):
        matches(pattern, {"source": "aws.ec2"})
