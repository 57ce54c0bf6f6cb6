"""After the answer: an upload that is listed later is told of, and so is an action whose ground has gone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hashpact import Client
from hashpact.sidecar.afterwards import server_settings
from hashpact.sidecar.settings import SidecarSettings
from hashpact_server.config import load

from tests.integration.harness import Forum, ServerInside
from tests.integration.hook_receiver import SECRET, receiver
from tests.integration.sidecar_harness import Hub, SidecarRun, short_folder
from tests.pictures import encoded, photo


def test_what_is_learned_later_is_told(forum: Forum) -> None:
    picture, copy = encoded(photo("chelsea.png"), "PNG"), encoded(photo("chelsea.png").resize((300, 200)), "JPEG")
    with short_folder() as folder, ServerInside(forum) as running, receiver() as (url, told):
        hub = Hub.of(running)
        settings = f"deadline_s = 30\nmode = 'act'\nremember_hours = 1\nwebhook_url = '{url}'\n"
        secret = {"HASHPACT_WEBHOOK_SECRET": SECRET}
        with SidecarRun(hub, folder / "s", settings, environment=secret) as sidecar:
            sidecar.ready()
            answer = sidecar.answer(copy, reference="early")
            assert (answer["verdict"], answer["remembered"]) == ("none", True)
            assert "remembered" not in sidecar.answer(copy)  # nobody could be told of it
            listed = sidecar.contribute(picture, "glorification_of_terrorist_acts")
            event = told.event("upload.retro_match", "early")
            assert (event["verdict"], event["advice"], event["hub_advice"]) == ("match", "review", "review")
            assert [match["item"] for match in event["matches"]] == [listed["item"]]
            action = {"reference": "early", "action": "removed", "matches": event["matches"]}
            done = sidecar.http.post("/v1/actions", json=action)
            assert (done.status_code, done.json()) == (200, {"problems": []})
            with Client(hub.target, token=hub.token, ca=hub.ca) as client:
                client.withdraw(listed["item"])
            undo = told.event("upload.undo", "early")
            assert (undo["item"], undo["action"], undo["changes"]) == (listed["item"], "removed", ["off_list"])
            assert sidecar.stop() == 0
        # Without a webhook the same is there for whoever asks, and what was taken care of is not told twice.
        with SidecarRun(hub, folder / "s", "deadline_s = 30\nremember_hours = 1\n") as sidecar:
            sidecar.ready()
            waiting = sidecar.http.get("/v1/corrections").json()
            assert [each["reference"] for each in waiting["events"]] in ([], ["early"])
            later = sidecar.http.get("/v1/corrections", params={"after": waiting["as_of"]}).json()
            assert later["events"] == []
            assert sidecar.http.post("/v1/forget", params={"reference": "early"}).json()["forgotten"] >= 2
            for wrong in (
                b"",
                b"[]",
                b'{"reference": "early", "action": "removed", "matches": []}',
                b'{"reference": "early", "action": "shouted", "matches": [{"item": 1}]}',
                b'{"reference": "early", "action": "removed", "matches": [{"item": "1"}]}',
                b'{"reference": "early", "action": "removed", "matches": [{"item": 1, "labels": "x"}]}',
            ):
                assert sidecar.http.post("/v1/actions", content=wrong).status_code == 400
        with SidecarRun(hub, folder / "s") as sidecar:
            refused = sidecar.http.get("/v1/retro")
            assert (refused.status_code, refused.json()["error"]["reason"]) == (409, "UPLOADS_NOT_REMEMBERED")
            assert "remembered" not in sidecar.ready().answer(copy, reference="early")


@pytest.mark.parametrize("hours", [0, 24, 168])
def test_the_local_server_reads_what_is_written_for_it(tmp_path: Path, hours: int) -> None:
    (tmp_path / "config.toml").write_text(
        server_settings(
            SidecarSettings(
                remember_hours=hours,
                remember_uploads_max=7,
                remember_bytes_max=2 << 20,
                uploads_max=100,
                log_level="warning",
            )
        )
    )
    config = load(tmp_path / "config.toml")
    assert config.uploads.enabled is bool(hours)
    assert config.log_level == "warning"
    kept = (config.uploads.window_hours, config.uploads.uploads_max, config.uploads.bytes_max)
    assert not hours or kept == (hours, 7, 2 << 20)
    assert config.limits.requests_max == config.limits.member_requests_max == 100
