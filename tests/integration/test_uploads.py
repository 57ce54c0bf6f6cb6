"""Uploads that a replica remembers: what the list learns later reaches them, and nothing of them reaches the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.v1 import (
    capabilities_service_pb2,
    contribution_service_pb2,
    error_reason_pb2,
    item_pb2,
    lookup_service_pb2,
    report_service_pb2,
    report_service_pb2_grpc,
    signal_pb2,
    upload_service_pb2_grpc,
)
from hashpact.v1 import upload_service_pb2 as pb
from hashpact_server.state.rows import Role

from tests.integration.harness import WAIT_S, Forum, Member, ServerInside, command, refused
from tests.integration.replicas import ReplicaInside, empty_directory

REMOVED = report_service_pb2.MATCH_ACTION_REMOVED
OFF_LIST = pb.CORRECTION_CHANGE_OFF_LIST
ON = "[uploads]\nenabled = true\n[limits]\nwatch_progress_s = 1\n"


@pytest.fixture(name="token")
def made_token(inside: ServerInside) -> str:
    return inside.member("steward").create("archive", Role.REPLICATE)


@pytest.fixture(name="empty")
def made_empty(tmp_path: Path, forum: Forum) -> Forum:
    made = empty_directory(tmp_path / "replica", forum)
    made.configure(ON)
    return made


@pytest.fixture(name="replica")
def made_replica(inside: ServerInside, empty: Forum, token: str) -> Iterator[ReplicaInside]:
    with ReplicaInside(empty, inside, token) as running:
        running.reach(inside)
        yield running


class Uploader:
    """A member's calls about its uploads."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.stub = upload_service_pb2_grpc.UploadServiceStub(member.channel)

    def as_of(self, pdq: bytes) -> str:
        return str(self.member.lookup(pdq).as_of)

    def remember(self, as_of: str, **uploads: bytes) -> list[tuple[int, int]]:
        sent = [pb.RememberedUpload(reference=name, probe=probe(pdq)) for name, pdq in uploads.items()]
        answer = self.member.call(self.stub.RememberUploads, pb.RememberUploadsRequest(uploads=sent, as_of=as_of))
        return [(each.index, each.reason) for each in answer.problems]

    def record(self, reference: str, item: int, status: int = 0, labels: tuple[str, ...] = ()) -> list[tuple[int, int]]:
        acted = pb.ActedItem(item=item, status=status, labels=labels)  # type: ignore[arg-type] # a number
        action = pb.RecordedAction(reference=reference, action=REMOVED, items=[acted])
        answer = self.member.call(self.stub.RecordActions, pb.RecordActionsRequest(actions=[action]))
        return [(each.index, each.reason) for each in answer.problems]

    def forget(self, *references: str) -> tuple[int, int]:
        answer = self.member.call(self.stub.ForgetUploads, pb.ForgetUploadsRequest(references=references))
        return answer.uploads, answer.actions

    @contextmanager
    def watching(self, method: str, after: str = "") -> Iterator[Iterator[Any]]:
        """Messages of a stream, signs of life included."""
        request = {"WatchRetroMatches": pb.WatchRetroMatchesRequest, "WatchCorrections": pb.WatchCorrectionsRequest}
        call = getattr(self.stub, method)(request[method](after=after), metadata=self.member.metadata, timeout=WAIT_S)
        try:
            yield call
        finally:
            call.cancel()

    def retro(self, after: str = "") -> pb.WatchRetroMatchesResponse:
        """The first message with matches."""
        with self.watching("WatchRetroMatches", after) as messages:
            found: pb.WatchRetroMatchesResponse = next(each for each in messages if each.matches)
            return found

    def correction(self, after: str = "") -> tuple[pb.Correction, str]:
        """The first message with one correction, and its token."""
        with self.watching("WatchCorrections", after) as messages:
            found = next(each for each in messages if each.corrections)
        (only,) = found.corrections
        return only, found.as_of

    def waits(self, method: str, after: str = "") -> int:
        """How many events there are, once there was a sign of life."""
        count = 0
        with self.watching(method, after) as messages:
            next(messages)  # the opening
            for each in messages:
                events = each.matches if method == "WatchRetroMatches" else each.corrections
                if not events:
                    return count
                count += len(events)
        raise AssertionError("the stream ended")


def probe(pdq: bytes) -> lookup_service_pb2.Probe:
    return lookup_service_pb2.Probe(signal_sets=[signal_pb2.SignalSet(signal_type="pdq", values=pdq)])


def near(pdq: bytes) -> bytes:
    return bytes([pdq[0] ^ 0x0F, *pdq[1:]])


def test_a_later_entry_finds_an_earlier_upload_and_its_withdrawal_undoes_what_was_done(
    inside: ServerInside, replica: ReplicaInside, new_pdq: Callable[[], bytes]
) -> None:
    acme, alpha, pdq = Uploader(replica.member("acme")), inside.member("alpha"), new_pdq()
    assert acme.remember(acme.as_of(pdq), first=pdq, other=new_pdq()) == []
    item = alpha.contribute(near(pdq)).outcomes[0].item
    told = acme.retro()
    (match,) = told.matches
    assert (match.reference, match.match.item, match.sequence) == ("first", item, item)
    assert match.match.advice == signal_pb2.ADVICE_REVIEW
    (agreed,) = match.match.agreements
    assert (agreed.signal_type, agreed.distance, agreed.distance_is_bound) == (
        "pdq",
        15,
        True,
    )  # acme sees no distances
    assert acme.retro() == told  # not acknowledged
    assert acme.waits("WatchRetroMatches", told.as_of) == 0
    assert acme.waits("WatchRetroMatches") == 0
    assert acme.record("first", item, match.match.status, tuple(match.match.labels)) == []
    alpha.call(alpha.contributions.Withdraw, contribution_service_pb2.WithdrawRequest(item=item))
    undo, as_of = acme.correction()
    assert (undo.reference, undo.item, undo.action, list(undo.changes)) == ("first", item, REMOVED, [OFF_LIST])
    assert (undo.acted.status, undo.now.status) == (match.match.status, item_pb2.ITEM_STATUS_WITHDRAWN)
    assert undo.acted.labels == match.match.labels
    assert acme.waits("WatchCorrections", as_of) == 0


def test_nothing_falls_between_a_look_up_and_its_being_remembered(
    inside: ServerInside, replica: ReplicaInside, new_pdq: Callable[[], bytes]
) -> None:
    acme, alpha, pdq, sha256 = Uploader(replica.member("acme")), inside.member("alpha"), new_pdq(), new_pdq()
    before = acme.as_of(pdq)
    item = alpha.contribute(pdq).outcomes[0].item
    gone = alpha.contribute(kept := new_pdq()).outcomes[0].item
    digest = signal_pb2.Signal(signal_type="sha256", value=sha256)
    amended = contribution_service_pb2.AmendRequest(item=item, attach_signals=[digest])
    alpha.call(alpha.contributions.Amend, amended)
    alpha.call(alpha.contributions.Withdraw, contribution_service_pb2.WithdrawRequest(item=gone))
    replica.reach(inside)
    assert acme.record("late", gone, item_pb2.ITEM_STATUS_PROVISIONAL) == []
    assert list(acme.correction()[0].changes) == [OFF_LIST]  # it was withdrawn before the action was recorded
    memory = replica.node._memory
    assert memory is not None
    assert memory.wait_for(replica.node.engine.published.head.sequence, WAIT_S)
    assert acme.remember(before, late=near(pdq), gone=kept) == []
    by_digest = signal_pb2.SignalSet(signal_type="sha256", values=sha256)
    upload = pb.RememberedUpload(reference="exact", probe=lookup_service_pb2.Probe(signal_sets=[by_digest]))
    acme.member.call(acme.stub.RememberUploads, pb.RememberUploadsRequest(uploads=[upload], as_of=before))
    with acme.watching("WatchRetroMatches") as messages:
        found = [each for message in (next(messages), next(messages)) for each in message.matches]
    assert [(each.reference, each.match.item) for each in found] == [("late", item), ("exact", item)]
    assert acme.remember(acme.as_of(pdq), seen=pdq) == []  # the look-up told
    assert acme.waits("WatchRetroMatches") == 2


def test_it_is_all_there_after_a_restart_and_gone_when_it_is_switched_off(
    inside: ServerInside, empty: Forum, token: str, new_pdq: Callable[[], bytes]
) -> None:
    pdq, other = new_pdq(), new_pdq()
    item = inside.member("alpha").contribute(other).outcomes[0].item
    with ReplicaInside(empty, inside, token) as replica:
        replica.reach(inside)
        acme = Uploader(replica.member("acme"))
        acme.remember(acme.as_of(pdq), first=pdq, second=pdq)
        assert acme.record("acted", item) == []
        assert acme.forget("second", "never there") == (1, 0)
        with acme.watching("WatchCorrections") as messages:
            after = next(messages).as_of
    listed = inside.member("alpha").contribute(pdq).outcomes[0].item  # while the replica is away
    withdrawal = contribution_service_pb2.WithdrawRequest(item=item)
    inside.member("alpha").call(inside.member("alpha").contributions.Withdraw, withdrawal)
    with ReplicaInside(empty, inside, token) as replica:
        acme = Uploader(replica.member("acme"))
        assert [(each.reference, each.match.item) for each in acme.retro().matches] == [("first", listed)]
        assert acme.correction(after)[0].reference == "acted"
        files = list((empty.data / "uploads").iterdir())
        assert {path.stat().st_mode & 0o777 for path in files} == {0o600}
    empty.configure("")
    with ReplicaInside(empty, inside, token) as replica:
        with refused("UPLOADS_NOT_REMEMBERED"):
            Uploader(replica.member("acme")).forget("first")
        assert not (empty.data / "uploads").exists()
    empty.configure(ON)
    with ReplicaInside(empty, inside, token) as replica:
        replica.reach(inside)
        acme = Uploader(replica.member("acme"))
        assert acme.waits("WatchRetroMatches") == 0
        with refused("TOKEN_UNKNOWN_HISTORY"), acme.watching("WatchCorrections", after) as messages:
            next(messages)


def test_nothing_of_it_reaches_the_hub_or_a_backup(
    inside: ServerInside, replica: ReplicaInside, empty: Forum, new_pdq: Callable[[], bytes], tmp_path: Path
) -> None:
    pdq, reference = new_pdq(), "a-reference-that-nobody-else-may-see"
    acme = Uploader(replica.member("acme"))
    acme.remember(acme.as_of(pdq), **{reference: pdq})
    item = inside.member("alpha").contribute(new_pdq()).outcomes[0].item
    replica.reach(inside)
    assert acme.record(reference, item) == []
    command("backup", "--data", empty.data, "--to", tmp_path / "backup")
    kept = b"".join(path.read_bytes() for path in (empty.data / "uploads").iterdir())
    assert reference.encode() in kept
    assert pdq in kept
    elsewhere = [tmp_path / "backup", *(path for path in inside.forum.data.rglob("*") if path.is_file())]
    elsewhere += [path for path in (empty.data / "store").rglob("*") if path.is_file()]
    for path in elsewhere:
        held = path.read_bytes()
        assert reference.encode() not in held, path
        assert pdq not in held, path
    readings = [(each.name, str(each.value)) for each in replica.node._readings()]
    assert ("hashpact_uploads", "1") in readings
    assert reference not in str(readings)


def test_a_hub_never_remembers(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    forum.configure(ON)
    with ServerInside(forum) as hub:
        acme, pdq = Uploader(hub.member("acme")), new_pdq()
        as_of = acme.as_of(pdq)
        for call in (
            lambda: acme.remember(as_of, first=pdq),
            lambda: acme.record("first", 1),
            lambda: acme.forget("x"),
        ):
            with refused("UPLOADS_NOT_REMEMBERED"):
                call()
        for method in ("WatchRetroMatches", "WatchCorrections"):
            with refused("UPLOADS_NOT_REMEMBERED"), acme.watching(method) as messages:
                next(messages)
        asked = capabilities_service_pb2.GetCapabilitiesRequest()
        assert not acme.member.call(acme.member.capabilities.GetCapabilities, asked).HasField("uploads")


def test_a_member_has_to_do_with_its_own_alone(
    inside: ServerInside, replica: ReplicaInside, new_pdq: Callable[[], bytes]
) -> None:
    acme, alpha, pdq = Uploader(replica.member("acme")), Uploader(replica.member("alpha")), new_pdq()
    acme.remember(acme.as_of(pdq), shared=pdq)
    alpha.remember(alpha.as_of(pdq), shared=near(pdq))
    item = inside.member("alpha").contribute(pdq).outcomes[0].item
    assert acme.retro().matches[0].match.agreements[0].distance == 0
    assert acme.record("shared", item) == []
    (theirs,) = (told := alpha.retro()).matches
    assert (theirs.match.agreements[0].distance, theirs.match.agreements[0].distance_is_bound) == (4, False)
    assert alpha.waits("WatchRetroMatches", told.as_of) == 0
    assert alpha.forget("shared") == (1, 0)
    assert acme.waits("WatchRetroMatches") == 1
    assert acme.forget("shared") == (1, 1)
    assert acme.waits("WatchRetroMatches") == 0


def test_what_is_wrong_with_a_call_or_with_a_part_of_it(replica: ReplicaInside, new_pdq: Callable[[], bytes]) -> None:
    acme, pdq = Uploader(replica.member("acme")), new_pdq()
    as_of = acme.as_of(pdq)
    told = replica.member("acme")
    asked = capabilities_service_pb2.GetCapabilitiesRequest()
    assert told.call(told.capabilities.GetCapabilities, asked).uploads.window_hours == 24
    for wanted, reason in (
        (pb.RememberUploadsRequest(as_of=as_of), "FIELD_INVALID"),
        (pb.RememberUploadsRequest(uploads=[pb.RememberedUpload(reference="a", probe=probe(pdq))]), "FIELD_INVALID"),
        (pb.RememberUploadsRequest(uploads=[pb.RememberedUpload()] * 4097, as_of=as_of), "LIMIT_EXCEEDED"),
        (pb.RememberUploadsRequest(uploads=[pb.RememberedUpload()], as_of="x"), "TOKEN_MALFORMED"),
    ):
        with refused(reason):
            acme.member.call(acme.stub.RememberUploads, wanted)
    uploads = [
        pb.RememberedUpload(probe=probe(pdq)),
        pb.RememberedUpload(reference="é" * 257, probe=probe(pdq)),
        pb.RememberedUpload(reference="é" * 256, probe=probe(pdq)),
        pb.RememberedUpload(reference="é" * 256, probe=probe(pdq)),
        pb.RememberedUpload(reference="odd", probe=probe(pdq[:-1])),
    ]
    answer = acme.member.call(acme.stub.RememberUploads, pb.RememberUploadsRequest(uploads=uploads, as_of=as_of))
    names = {(each.index, error_reason_pb2.ErrorReason.Name(each.reason)[13:]) for each in answer.problems}
    assert names == {
        (4, "SIGNAL_MALFORMED"),
        (0, "REFERENCE_INVALID"),
        (1, "REFERENCE_INVALID"),
        (3, "REFERENCE_INVALID"),
    }
    assert len(acme.record("a", 1)) == 1
    assert len(acme.record("a", 2**64 - 1)) == 1
    assert acme.record("a", 2**64 - 1) == acme.record("a", 1)  # an entry that is no item, and none at all
    for action in (
        pb.RecordedAction(reference="a", action=REMOVED),
        pb.RecordedAction(reference="a", items=[pb.ActedItem(item=1)]),
        pb.RecordedAction(action=REMOVED, items=[pb.ActedItem(item=1)]),
        pb.RecordedAction(reference="a", action=REMOVED, items=[pb.ActedItem(item=1)], action_time=Timestamp(nanos=-1)),
        pb.RecordedAction(reference="a", action=REMOVED, items=[pb.ActedItem(item=1, status=99)]),  # type: ignore[arg-type]
    ):
        answer = acme.member.call(acme.stub.RecordActions, pb.RecordActionsRequest(actions=[action]))
        assert len(answer.problems) == 1
        assert answer.problems[0].reason != 9
    for request in (pb.ForgetUploadsRequest(), pb.ForgetUploadsRequest(before_time=Timestamp(seconds=-1))):
        with refused("FIELD_INVALID"):
            acme.member.call(acme.stub.ForgetUploads, request)
    with acme.watching("WatchCorrections") as messages:
        token = next(messages).as_of
    for method, after in (
        ("WatchRetroMatches", token),
        ("WatchRetroMatches", "x"),
        ("WatchCorrections", "A" * 22 + "="),
    ):
        with refused("TOKEN_MALFORMED"), acme.watching(method, after) as messages:
            next(messages)
    reports = report_service_pb2_grpc.ReportServiceStub(acme.member.channel)
    with refused("REPLICA_READ_ONLY"):
        acme.member.call(reports.ReportMatches, report_service_pb2.ReportMatchesRequest())


def test_watchers_are_told_when_the_server_stops(inside: ServerInside, empty: Forum, token: str) -> None:
    with ReplicaInside(empty, inside, token) as replica:
        replica.reach(inside)
        acme = Uploader(replica.member("acme"))
        with refused("NOT_SERVING"), acme.watching("WatchRetroMatches") as messages:
            next(messages)
            replica.node.stop()
            for _ in messages:
                pass
