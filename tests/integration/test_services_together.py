"""Several members at once over real connections: what is acknowledged holds, and nothing is listed twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hashpact.v1 import contribution_service_pb2 as pb
from hashpact.v1 import item_pb2, lookup_service_pb2, member_service_pb2

from tests.data import effort
from tests.integration.harness import Member, ServerInside, lookup_request

Result = pb.ContributionOutcome.Result


def platforms(inside: ServerInside, count: int) -> list[Member]:
    steward = inside.member("steward")
    rights = (member_service_pb2.ROLE_CONTRIBUTE, member_service_pb2.ROLE_CHECK)
    return [inside.bearer(steward.create(f"platform-{number}", *rights)) for number in range(count)]


def test_the_same_media_from_all_sides_is_one_item(inside: ServerInside, new_pdq: Callable[[], bytes]) -> None:
    members = platforms(inside, 4)
    pdqs = [new_pdq() for _ in range(effort(12))]
    with ThreadPoolExecutor(len(members)) as pool:
        answers = list(pool.map(lambda member: [member.contribute(pdq).outcomes[0] for pdq in pdqs], members))
    for outcomes in zip(*answers, strict=True):
        assert len({outcome.item for outcome in outcomes}) == 1
        results = Counter(outcome.result for outcome in outcomes)
        assert results == {Result.RESULT_CREATED: 1, Result.RESULT_CORROBORATED: len(members) - 1}
    for match in (each.matches[0] for each in members[0].lookup(*pdqs).matched):
        assert match.status == item_pb2.ITEM_STATUS_CORROBORATED


def test_acknowledged_is_visible_to_every_call_that_starts_afterwards(
    inside: ServerInside, new_pdq: Callable[[], bytes]
) -> None:
    writers, reader = platforms(inside, 3), inside.member("acme")
    shares = [[new_pdq() for _ in range(effort(10))] for _ in writers]

    def write(member: Member, pdqs: list[bytes]) -> None:
        for pdq in pdqs:
            answer = member.contribute(pdq)
            request = lookup_request(pdq)
            request.at_least_as_fresh = answer.as_of
            seen = reader.call(reader.lookup_stub.Lookup, request)
            assert isinstance(seen, lookup_service_pb2.LookupResponse)
            assert [match.item for match in seen.matched[0].matches] == [answer.outcomes[0].item]
            gone = member.call(member.contributions.Withdraw, pb.WithdrawRequest(item=answer.outcomes[0].item))
            assert gone.status == item_pb2.ITEM_STATUS_WITHDRAWN
            assert not reader.finds(pdq)

    with ThreadPoolExecutor(len(writers)) as pool:
        list(pool.map(write, writers, shares))


def test_a_request_id_in_flight_twice_is_carried_out_once(inside: ServerInside, new_pdq: Callable[[], bytes]) -> None:
    (member,) = platforms(inside, 1)
    for number in range(effort(5)):
        pdq = new_pdq()
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: member.contribute(pdq, request_id=f"request-{number}"), range(4)))  # noqa: B023 - used up within the loop
        assert len({answer.SerializeToString() for answer in answers}) == 1
        assert answers[0].outcomes[0].result == Result.RESULT_CREATED
