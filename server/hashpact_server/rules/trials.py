"""Trials: how much a member that one steward admitted may do in a day (UTC), until two confirm it.

What it did is counted by apply, for members on trial alone; for everybody else this is one read for an act.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.refusal import Refusal
from hashpact_server.rules.incidents import trial_items_under
from hashpact_server.rules.rulebook import policy_of
from hashpact_server.rules.tiers import tier_of
from hashpact_server.scene import Scene
from hashpact_server.state.members import DAY_MS, Tier, tally_of

_REASON: Final = error_reason_pb2.ERROR_REASON_TRIAL_QUOTA


def check_writes(scene: Scene, pseudonym: bytes) -> None:
    """Before an act of a member.

    Raises:
        Refusal: TRIAL_QUOTA: it is on trial, and made as many entries today as it may.
    """
    if tier_of(scene, pseudonym) is not Tier.TRIAL:
        return
    most = policy_of(scene).trial_writes_per_day
    if tally_of(scene, pseudonym, scene.now_ms).entries >= most:
        raise _over(scene, "trial_writes_per_day", most)


def check_contributions(scene: Scene, pseudonym: bytes, labels: Iterable[str]) -> None:
    """Before each contribution. One read for members that are not on trial.

    Args:
        scene: the list.
        pseudonym: who contributes.
        labels: what it says of the item: an incident that they name may have a cap of its own.

    Raises:
        Refusal: TRIAL_QUOTA: it is on trial, and contributed as much today as it may.
    """
    if tier_of(scene, pseudonym) is not Tier.TRIAL:
        return
    most = trial_items_under(scene, labels, policy_of(scene).trial_items_per_day)
    if tally_of(scene, pseudonym, scene.now_ms).contributions >= most:
        raise _over(scene, "trial_items_per_day", most)


def _over(scene: Scene, name: str, most: int) -> Refusal:
    return Refusal(
        _REASON,
        f"a member on trial is over {name}={most} today: go on tomorrow (UTC), or ask two stewards to confirm it",
        metadata={"limit": name, "limit_value": str(most)},
        retry_after_s=(DAY_MS - scene.now_ms % DAY_MS) / 1000,
    )
