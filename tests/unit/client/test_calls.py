"""Contributing, items and members: what is sent and what comes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hashpact import Client, Contribution
from hashpact._convert import ADVICE, BASES, OUTCOMES, ROLES, STATUSES, WITHDRAWAL_REASONS, Words, timestamp
from hashpact.errors import ConflictError, InvalidRequestError, NotFoundError, UnreadableMediaError
from hashpact.items import iso
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.client.conftest import signals
from tests.unit.client.loopback import LoopbackService


def test_a_contribution_as_sent(client: Client, service: LoopbackService) -> None:
    looked = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))
    client.contribute(
        signals(1),
        labels=["One", "two"],
        basis="found-through-list",
        observer_role="reviewer",
        observed_time=looked,
        attach_to=7,
        validate_only=True,
    )
    request = service.asked[-1].request
    (sent,) = request.contributions
    assert request.validate_only
    assert [one.signal_type for one in sent.signals] == ["sha256", "md5", "pdq", "phash", "phash256"]
    assert [one.HasField("quality") for one in sent.signals] == [False, False, True, False, False]
    assert list(sent.labels) == ["One", "two"]
    assert sent.attestation.basis == 3
    assert sent.attestation.observer_role == "reviewer"
    assert sent.attestation.observed_time.ToDatetime(tzinfo=UTC) == looked
    assert sent.attach_to == 7


def test_an_outcome_of_its_own_each(client: Client) -> None:
    result = client.contribute_many(
        [Contribution(signals(1), ["x"]), Contribution(signals(2), []), Contribution(list(signals(1)), ["x"])]
    )
    assert [one.outcome for one in result] == ["created", "refused", "unchanged"]
    assert (result[1].reason, result[1].listed) == ("LABELS_INVALID", False)
    assert result[1].to_dict()["message"]
    assert result.as_of
    assert result.request_id


def test_nothing_is_sent_when_one_cannot_be_read(client: Client, service: LoopbackService) -> None:
    with pytest.raises(UnreadableMediaError):
        client.contribute_many([Contribution(signals(1), ["x"]), Contribution(b"no picture", ["x"])])
    assert service.asked == []


def test_wrong_arguments(client: Client, service: LoopbackService) -> None:
    for call in (
        lambda: client.contribute(signals(1), labels="x"),
        lambda: client.contribute(signals(1), labels=["x"], basis="hearsay"),
        lambda: client.contribute(signals(1), labels=["x"], attach_to=-1),
        lambda: client.contribute(signals(1), labels=["x"], observed_time=datetime(2026, 1, 1)),  # noqa: DTZ001 - the mistake
        lambda: client.check(3),  # type: ignore[arg-type] # the mistake that is tested, here and below
        lambda: client.contribute(3, labels=["x"]),  # type: ignore[arg-type] # as above
        lambda: client.contribute([3], labels=["x"]),  # type: ignore[list-item] # as above
        lambda: client.amend(1, labels="x"),
        lambda: client.withdraw(0),
        lambda: client.withdraw(1 << 64),
        lambda: client.withdraw(True),
        lambda: client.withdraw(1, reason="mood"),
        lambda: client.get_item(-1),
        lambda: list(client.list_items(statuses=["strange"])),
        lambda: list(client.list_items(page_size=-1)),
        lambda: client.create_member("m", "check"),
        lambda: client.create_member("m", ["boss"]),
        lambda: client.revoke_token(0),
    ):
        with pytest.raises(InvalidRequestError):
            call()
    assert service.asked == []


def test_items(client: Client) -> None:
    numbers = [client.contribute(signals(seed), labels=[f"l{seed % 2}"]).item for seed in range(7)]
    assert [item.item for item in client.list_items(page_size=2)] == numbers
    assert [item.item for item in client.list_items(label="l1", page_size=1)] == numbers[1::2]
    withdrawn = client.withdraw(numbers[0], reason="mistake")
    assert (withdrawn.item, withdrawn.status) == (numbers[0], "withdrawn")
    assert [item.item for item in client.list_items(statuses=["withdrawn"])] == [numbers[0]]
    assert client.get_item(numbers[0]).status == "withdrawn"
    assert client.amend(numbers[1], labels=["new"]).item.labels == ("new",)
    with pytest.raises(NotFoundError):
        client.get_item(999)


def test_members(client: Client, service: LoopbackService) -> None:
    member = client.create_member("beta", ["check", "contribute"], group="big")
    assert (member.name, member.roles, member.group) == ("beta", ("check", "contribute"), "big")
    until = datetime.now(UTC) + timedelta(days=3)
    issued = client.issue_token("beta", expire_time=until)
    assert issued.token not in repr(issued)
    assert issued.info.expire_time is not None
    assert abs(issued.info.expire_time - until) < timedelta(milliseconds=1)
    (listed,) = client.list_members(page_size=1)
    assert [token.token_id for token in listed.tokens] == [issued.info.token_id]
    assert client.suspend_member("beta").suspended
    assert not client.resume_member("beta").suspended
    client.revoke_token(issued.info.token_id)
    assert not next(client.list_members()).tokens
    with pytest.raises(ConflictError):
        client.create_member("beta", ["check"], request_id="another-id")
    assert service.asked[-1].request.request_id == "another-id"


def test_capabilities(client: Client) -> None:
    found = client.capabilities()
    assert found.caller_roles == ("check", "contribute")
    assert {kind.name for kind in found.signal_types} >= {"pdq", "sha256"}
    assert found.to_dict()["limits"]["lookup_probes_max"] == 256
    assert all(value >= 0 for value in found.to_dict()["limits"].values())


@pytest.mark.parametrize("words", [STATUSES, BASES, ADVICE, ROLES, WITHDRAWAL_REASONS, OUTCOMES])
def test_words_go_there_and_back(words: Words) -> None:
    for word in words.known():
        assert words.word(words.number(word, "field")) == word
        assert words.number(f" {word.upper().replace('_', '-')} ", "field") == words.number(word, "field")
    assert words.word(0) == ""
    assert words.word(99) == "unknown-99"


# Hypothesis takes the bounds without a time zone.
@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - as above
def test_times_go_there_and_back(time: datetime) -> None:
    assert timestamp(time, "field").ToDatetime(tzinfo=UTC) == time
    shown = iso(time)
    assert shown is not None
    assert shown.endswith("Z")
    assert datetime.fromisoformat(shown) == time.replace(microsecond=time.microsecond // 1000 * 1000)
