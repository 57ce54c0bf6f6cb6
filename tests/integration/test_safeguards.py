"""Alerts, the benign list and tracing by the command line, on a real server."""

from __future__ import annotations

from pathlib import Path

from hashpact import Contribution

from tests.drills.forum import LABEL, Drill, picture
from tests.pictures import encoded, photo


def test_stewards_list_benign_media_see_alerts_and_trace_a_leak(tmp_path: Path) -> None:
    members = {"lister": ("contribute",), "reader": ("replicate",)}
    with Drill.begin(tmp_path, members, "decoys = true\n") as drill:
        stage = drill.stage
        (tmp_path / "logo.png").write_bytes(encoded(photo("coffee.png").resize((300, 200)), "PNG"))
        (proposed,) = stage.call("steward-a", "benign", "add", "logo.png", "--note", "a logo", "--reason", "everywhere")
        stage.run(["hashpact", "steward", "second", str(proposed["motion"])], member="steward-b")
        (listed,) = stage.call("reader", "benign", "list")
        assert (listed["note"], "pdq" in listed["signal_types"]) == ("a logo", True)
        lister = drill.client("lister")
        refused = lister.contribute(tmp_path / "logo.png", labels=[LABEL])
        assert (refused.outcome, refused.reason) == ("refused", "SIGNAL_BENIGN")
        (gone,) = stage.call("steward-b", "benign", "remove", str(listed["benign"]))
        stage.run(["hashpact", "steward", "second", str(gone["motion"])], member="steward-a")
        assert stage.call("reader", "benign", "list") == []
        lister.contribute_many([Contribution(picture(f"item {n}"), [LABEL]) for n in range(400)])
        leaked = [
            signal.value.hex()
            for item in drill.client("reader").list_items(signals=True)
            for signal in item.signals
            if signal.signal_type == "sha256" and signal.value
        ]
        (tmp_path / "leaked.csv").write_text("\n".join(f"{value},terror" for value in leaked))
        (traced,) = stage.call("steward-a", "trace", "leaked.csv")
        assert traced["member"] == "reader"
        assert traced["decoys"] == len(leaked) - 400 > 0
        (alert,) = stage.call("steward-a", "alert", "list")
        assert (alert["kind"], alert["member"]) == ("leak", "reader")
        stage.run(["hashpact", "alert", "ack", str(alert["alert"]), "--note", "suspended"], member="steward-b")
        assert stage.call("steward-a", "alert", "list") == []
        (seen,) = stage.call("steward-a", "alert", "list", "--all")
        assert (seen["acknowledged_by"], seen["acknowledgement"]) == ("steward-b", "suspended")
