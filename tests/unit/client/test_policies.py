"""A member's own policy, read from what people write."""

from __future__ import annotations

from typing import Any

import pytest
from hashpact.advice import MemberPolicy, Use
from hashpact.errors import InvalidRequestError


def test_a_policy_reads_what_it_writes() -> None:
    policy = MemberPolicy("act", 3, {"art": "review"}, {"live": Use({"pdq": 9}, "observe"), "bare": Use()})
    assert MemberPolicy.from_dict(policy.to_dict()) == policy
    assert MemberPolicy.from_dict({}) == MemberPolicy()


@pytest.mark.parametrize(
    "wrong",
    [
        {"mood": "act"},
        {"mode": 3},
        {"groups_min": True},
        {"labels": ["art"]},
        {"labels": {"art": 1}},
        {"uses": {"live": "pdq"}},
        {"uses": {"live": {"radius": 3}}},
        {"uses": {"live": {"radii": {"pdq": "9"}}}},
    ],
)
def test_a_policy_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        MemberPolicy.from_dict(wrong)
    assert refused.value.violations
