"""Which policy is in force."""

from __future__ import annotations

from hashpact_server.rules.policy import DEFAULT, Policy
from hashpact_server.state.view import View


def policy_of(view: View) -> Policy:
    """The policy in force."""
    del view
    return DEFAULT
