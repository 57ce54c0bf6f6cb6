"""Alerts: raised once about the same, kept until a steward acknowledges them, on a real list."""

from __future__ import annotations

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import safeguard_service_pb2 as pb
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules.alerts import acknowledge, raise_alert
from hashpact_server.services.safeguard import SafeguardService
from hashpact_server.state.alerts import AlertKind, AlertRow, alert, open_alerts

from tests.forum import Forum


def open_ids(forum: Forum) -> list[int]:
    with forum.engine.state.read() as view:
        return [row.sequence for row in open_alerts(view)]


def test_an_alert_stands_once_until_it_is_acknowledged_and_can_then_be_raised_anew(forum: Forum) -> None:
    member = forum.a.pseudonym
    first = forum.decide(lambda scene: raise_alert(scene, AlertKind.PROBING, item=7, member=member, count=3, note="x"))
    again = forum.decide(lambda scene: raise_alert(scene, AlertKind.PROBING, item=7, member=member, count=9))
    other = forum.decide(lambda scene: raise_alert(scene, AlertKind.PROBING, item=8, member=member))
    assert first == again != other
    assert sorted(open_ids(forum)) == [first, other]
    row = forum.decide(lambda scene: acknowledge(scene, forum.steward.pseudonym, first, "seen"))
    assert row.acknowledged > other
    head = forum.head()
    same = forum.decide(lambda scene: acknowledge(scene, forum.steward.pseudonym, first, "again"))
    assert (same, forum.head()) == (row, head)
    assert open_ids(forum) == [other]
    assert forum.decide(lambda scene: raise_alert(scene, AlertKind.PROBING, item=7, member=member)) > row.acknowledged


def test_after_a_redaction_what_it_is_about_stands_and_its_note_is_gone(forum: Forum) -> None:
    made = forum.decide(lambda scene: raise_alert(scene, AlertKind.FLOOD, item=5, count=700, note="on the news"))
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, SERVICE, made, clear=b"\x01")))
    with forum.engine.state.read() as view:
        assert alert(view, made) == AlertRow(made, AlertKind.FLOOD, 5, SERVICE, 700)
    forum.as_(forum.steward)
    (shown,) = SafeguardService(forum.engine, forum.limits).ListAlerts(pb.ListAlertsRequest(), None).alerts
    assert (shown.alert, shown.kind, shown.item, shown.count, shown.note) == (made, pb.ALERT_KIND_FLOOD, 5, 700, "")


def test_stewards_page_through_alerts_and_acknowledge_them(forum: Forum) -> None:
    made = [forum.decide(lambda scene, n=n: raise_alert(scene, AlertKind.FLOOD, item=n)) for n in range(1, 6)]  # type: ignore[misc]
    forum.as_(forum.steward)
    service = SafeguardService(forum.engine, forum.limits)
    done = service.AcknowledgeAlert(pb.AcknowledgeAlertRequest(alert=made[1], note=" on it "), None).alert
    assert (done.acknowledged_by, done.acknowledgement) == ("steward", "on it")
    for all_of_them, expected in ((False, [made[0], *made[2:]]), (True, made)):
        found, token = [], ""
        while True:
            request = pb.ListAlertsRequest(with_acknowledged=all_of_them, page_size=2, page_token=token)
            page = service.ListAlerts(request, None)
            assert len(page.alerts) <= 2
            found += [each.alert for each in page.alerts]
            token = page.next_page_token
            if not token:
                break
        assert found == expected
    with pytest.raises(Refusal) as refused:
        service.AcknowledgeAlert(pb.AcknowledgeAlertRequest(alert=made[-1] + 100), None)
    assert refused.value.reason == reasons.ERROR_REASON_ALERT_NOT_FOUND
    with pytest.raises(Refusal) as refused:
        service.AcknowledgeAlert(pb.AcknowledgeAlertRequest(alert=made[0], note="a\nb"), None)
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID
