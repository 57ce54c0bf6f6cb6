"""The client library against the real server: real pictures, TLS, restarts, limits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hashpact import AsyncClient, Client, Contribution, FailedCheck, Probe, Signal, hash_image
from hashpact.errors import ConflictError, HashpactError, LimitExceededError, NotAllowedError, NotFoundError
from hashpact.membership import Capabilities
from hashpact.results import CheckResult
from PIL import Image, ImageEnhance, ImageOps
from skimage import data as photographs

from tests.integration.harness import Forum, Served, ServerInside, ServerProcess

TIMEOUT_S = 30.0


def photograph(name: str) -> Image.Image:
    """A free photograph that ships with scikit-image, whose functions have no types."""
    return Image.fromarray(getattr(photographs, name)())


def connect(server: Served, forum: Forum, member: str, **settings: Any) -> Client:
    return Client(str(server.address), token=forum.tokens[member], ca=forum.ca, **{"timeout_s": TIMEOUT_S, **settings})


@pytest.fixture
def alpha(inside: ServerInside, forum: Forum) -> Iterator[Client]:
    with connect(inside, forum, "alpha") as client:
        yield client


@pytest.fixture
def acme(inside: ServerInside, forum: Forum) -> Iterator[Client]:
    with connect(inside, forum, "acme") as client:
        yield client


@pytest.fixture
def steward(inside: ServerInside, forum: Forum) -> Iterator[Client]:
    with connect(inside, forum, "steward") as client:
        yield client


@pytest.fixture(scope="module")
def cat() -> Image.Image:
    return photograph("chelsea")


@pytest.fixture(scope="module")
def coffee() -> Image.Image:
    return photograph("coffee")


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def altered(image: Image.Image) -> dict[str, bytes]:
    return {
        "encoded again": saved(image, "JPEG", quality=40),
        "smaller": saved(image.resize((image.width // 2, image.height // 2))),
        "brighter": saved(ImageEnhance.Brightness(image).enhance(1.2)),
        "mirrored": saved(ImageOps.mirror(image)),
        "turned": saved(image.transpose(Image.Transpose.ROTATE_90)),
    }


def test_an_altered_copy_is_caught_and_an_innocent_picture_is_not(
    alpha: Client, acme: Client, cat: Image.Image, coffee: Image.Image
) -> None:
    created = alpha.contribute(saved(cat), labels=["Test/Cat"], observer_role="reviewer")
    assert (created.outcome, created.status) == ("created", "provisional")
    same = acme.check(saved(cat))
    assert (same.verdict, same.advice, same.matches[0].signal_type) == ("match", "review", "sha256")
    assert same.matches[0].labels == ("test/cat",)
    for name, copy in altered(cat).items():
        found = acme.check(copy)
        assert found.verdict == "match", name
        assert [match.item for match in found.matches] == [created.item], name
        assert found.matches[0].signal_type == "pdq", name
        assert found.matches[0].distance_is_bound, "a member that only checks sees no exact distance"
    innocent = acme.check(saved(coffee))
    assert (innocent.verdict, innocent.advice, innocent.matches) == ("none", "none", ())


def test_withdrawn_is_gone_at_once(alpha: Client, acme: Client, cat: Image.Image) -> None:
    item = alpha.contribute(saved(cat), labels=["x"]).item
    assert acme.check(saved(cat)).verdict == "match"
    result = alpha.withdraw(item, reason="mistake")
    assert (result.status, result.contributions_left) == ("withdrawn", 0)
    assert acme.check(saved(cat)).verdict == "none"
    assert alpha.get_item(item).status == "withdrawn"
    assert alpha.withdraw(item).status == "withdrawn"


def test_attach_and_amend(alpha: Client, acme: Client, cat: Image.Image, coffee: Image.Image) -> None:
    item = alpha.contribute(saved(cat), labels=["x"]).item
    assert alpha.contribute(saved(cat), labels=["x"]).outcome == "unchanged"
    attached = alpha.contribute(saved(coffee), labels=["x"], attach_to=item)
    assert (attached.outcome, attached.item) == ("attached", item)
    assert acme.check(saved(coffee)).matches[0].item == item
    assert alpha.amend(item, labels=["y"]).item.labels == ("y",)
    assert alpha.get_item(item).contributions[0].labels == ("y",)
    values = {signal.value for signal in alpha.get_item(item).signals}
    assert hash_image(saved(cat)).pdq.value in values, "a contributor sees the values"
    assert {signal.value for signal in acme.get_item(item).signals} == {None}, "a member that checks does not"


def test_validate_only_writes_nothing(alpha: Client, cat: Image.Image) -> None:
    outcome = alpha.contribute(saved(cat), labels=["x"], validate_only=True)
    assert (outcome.outcome, outcome.item) == ("created", 0)
    assert list(alpha.list_items()) == []


def test_one_bad_contribution_does_not_fail_the_others(alpha: Client, cat: Image.Image) -> None:
    blank = Signal("pdq", bytes(32), 100)
    result = alpha.contribute_many(
        [Contribution([blank], ["x"]), Contribution(saved(cat), ["x"]), Contribution(saved(cat), ["no blanks inside"])]
    )
    assert [one.outcome for one in result] == ["refused", "created", "refused"]
    assert result[0].reason
    assert result[2].reason == "LABELS_INVALID"


def test_batches_are_cut_by_the_real_limits(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    with ServerInside(forum) as server:
        limits = connect(server, forum, "alpha").capabilities().limits
        count = limits.contributions_max + 5
        values = [new_pdq() for _ in range(count)]
        with connect(server, forum, "alpha") as client:
            written = client.contribute_many(
                [Contribution([Signal("pdq", value, 100)], ["x"]) for value in values], request_id="big-batch"
            )
            assert [one.outcome for one in written] == ["created"] * count
            again = client.contribute_many(
                [Contribution([Signal("pdq", value, 100)], ["x"]) for value in values], request_id="big-batch"
            )
            assert again.outcomes == written.outcomes
            found = client.lookup([[Signal("pdq", value)] for value in values])
            assert [result.matches[0].item for result in found] == [one.item for one in written]
            assert [item.item for item in client.list_items(page_size=100)] == [one.item for one in written]


def test_pages_stay_whole_while_others_write(alpha: Client, new_pdq: Callable[[], bytes]) -> None:
    first = [alpha.contribute([Signal("pdq", new_pdq(), 90)], labels=["x"]).item for _ in range(5)]
    seen = []
    for item in alpha.list_items(page_size=2):
        seen.append(item.item)
        if len(seen) < 4:
            alpha.contribute([Signal("pdq", new_pdq(), 90)], labels=["x"])
    assert seen[:5] == first
    assert len(set(seen)) == len(seen)


def test_check_many(alpha: Client, acme: Client, cat: Image.Image, coffee: Image.Image, tmp_path: Path) -> None:
    alpha.contribute(saved(cat), labels=["x"])
    paths = [tmp_path / name for name in ("cat.png", "notes.txt", "coffee.png")]
    for path, content in zip(paths, (saved(cat), b"no picture", saved(coffee)), strict=True):
        path.write_bytes(content)
    cat_result, failed, coffee_result = acme.check_many(paths)
    assert isinstance(cat_result, CheckResult)
    assert isinstance(failed, FailedCheck)
    assert isinstance(coffee_result, CheckResult)
    assert (cat_result.verdict, coffee_result.verdict) == ("match", "none")
    assert (cat_result.path, failed.path, coffee_result.path) == tuple(paths)


def test_members_and_roles(steward: Client, acme: Client, inside: ServerInside, forum: Forum, cat: Image.Image) -> None:
    with pytest.raises(NotAllowedError, match="contribute") as caught:
        acme.contribute(saved(cat), labels=["x"])
    assert caught.value.reason == "ROLE_MISSING"
    member = steward.create_member("newcomer", ["check"], group="big")
    assert member.group == "big"
    with pytest.raises(ConflictError):
        steward.create_member("newcomer", ["check"])
    issued = steward.issue_token("newcomer")
    with Client(str(inside.address), token=issued.token, ca=forum.ca, timeout_s=TIMEOUT_S) as newcomer:
        assert newcomer.capabilities().caller == "newcomer"
        steward.suspend_member("newcomer")
        with pytest.raises(NotAllowedError) as caught:
            newcomer.lookup([[Signal("sha256", bytes(32))]])
        assert caught.value.reason == "MEMBER_SUSPENDED"
        steward.resume_member("newcomer")
        newcomer.capabilities()
        steward.revoke_token(issued.info.token_id)
        with pytest.raises(NotAllowedError) as caught:
            newcomer.capabilities()
        assert caught.value.reason == "TOKEN_INVALID"
    assert {one.name for one in steward.list_members(page_size=2)} == {"steward", "acme", "alpha", "newcomer"}
    with pytest.raises(NotFoundError):
        steward.suspend_member("nobody")
    with pytest.raises(ConflictError) as conflict:
        steward.suspend_member("steward")
    assert conflict.value.reason == "LAST_STEWARD"


def test_limits_are_named(alpha: Client) -> None:
    limit = alpha.capabilities().limits.probe_values_max
    with pytest.raises(LimitExceededError) as caught:
        alpha.lookup([Probe((("pdq", bytes(32) * (limit + 1)),), limit + 1)])
    assert (caught.value.limit_name, caught.value.limit) == ("probe_values_max", limit)


def test_tokens_of_history(alpha: Client, cat: Image.Image) -> None:
    alpha.contribute(saved(cat), labels=["x"])
    assert alpha.lookup([hash_image(saved(cat))], at_least_as_fresh=alpha.as_of)[0].verdict == "match"
    with pytest.raises(HashpactError) as caught:
        alpha.lookup([hash_image(saved(cat))], at_least_as_fresh="nonsense")
    assert caught.value.reason == "TOKEN_MALFORMED"


def test_a_client_outlives_a_restart(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    value = new_pdq()
    with ServerProcess(forum) as server:
        client = connect(server.ready(), forum, "alpha")
        address = str(server.address)
        created = client.contribute([Signal("pdq", value, 100)], labels=["x"], request_id="before-restart")
        server.kill()
    with ServerProcess(forum, "--listen", address) as server, client:
        server.ready()
        # The same request again, as a caller does that never saw the answer.
        again = client.contribute([Signal("pdq", value, 100)], labels=["x"], request_id="before-restart")
        assert again == created
        assert client.lookup([[Signal("pdq", value)]])[0].matches[0].item == created.item


def test_async_client(inside: ServerInside, forum: Forum, cat: Image.Image, coffee: Image.Image) -> None:
    async def scenario() -> None:
        async with AsyncClient(
            str(inside.address), token=forum.tokens["alpha"], ca=forum.ca, timeout_s=TIMEOUT_S
        ) as client:
            created = await client.contribute(saved(cat), labels=["x"])
            checks = await asyncio.gather(*(client.check(copy) for copy in altered(cat).values()))
            assert {check.matches[0].item for check in checks} == {created.item}
            many = [one async for one in client.check_many([saved(cat), b"no picture", saved(coffee)])]
            assert [getattr(one, "verdict", "failed") for one in many] == ["match", "failed", "none"]
            assert [item.item async for item in client.list_items()] == [created.item]
            with pytest.raises(NotAllowedError):
                await client.create_member("x", ["check"])

    asyncio.run(scenario())


def test_both_clients_give_the_same_answers(inside: ServerInside, forum: Forum, cat: Image.Image) -> None:
    with connect(inside, forum, "alpha") as client:
        client.contribute(saved(cat), labels=["x"])

        reads: list[Callable[[Any], Any]] = [
            lambda one: one.lookup([hash_image(saved(cat), dihedral=True)] * 3, matches_max=1),
            lambda one: one.check(saved(cat)),
            lambda one: one.get_item(next(iter(client.list_items())).item),
            lambda one: one.get_item(10**9),
            lambda one: one.capabilities(),
            lambda one: one.create_member("x", ["check"]),
        ]

        async def other() -> list[str]:
            async with AsyncClient(
                str(inside.address), token=forum.tokens["alpha"], ca=forum.ca, timeout_s=TIMEOUT_S
            ) as twin:
                return [await told_async(twin, read) for read in reads]

        assert [told(client, read) for read in reads] == asyncio.run(other())


def as_text(answer: object) -> str:
    """What was answered, but for the time at which it was."""
    return repr(replace(answer, server_time=None) if isinstance(answer, Capabilities) else answer)


def told(client: Client, read: Callable[[Any], Any]) -> str:
    try:
        return as_text(read(client))
    except HashpactError as error:
        return f"{type(error)} {error.reason} {error.message}"


async def told_async(client: AsyncClient, read: Callable[[Any], Any]) -> str:
    try:
        answer = read(client)
        return as_text(await answer if inspect.isawaitable(answer) else answer)
    except HashpactError as error:
        return f"{type(error)} {error.reason} {error.message}"
