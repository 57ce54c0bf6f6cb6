"""The drills against rogue and probing members, small: what they say of the rules is so."""

from __future__ import annotations

from pathlib import Path

from tests.drills import probing, rogue_member


def test_a_rogue_member_is_stopped_found_and_cleaned_up_after(tmp_path: Path) -> None:
    report = rogue_member.run(tmp_path, 120, benign=10, popular=2, uploads=60, flood=50)
    advised = report.advised
    assert report.outcomes["rogue"] == {"created": 110, "refused (SIGNAL_BENIGN)": 10}
    assert advised["advice on the lawful items, listed by one member"] == {"review": 110, "none": 10}
    # Two full members of different groups that lie together reach what two honest ones reach: that is the policy's k.
    assert advised["advice on the lawful items, listed by two that collude"] == {"act": 110, "none": 10}
    assert advised["advice on these"] == {"review": 2}
    assert advised["advice on one more, after one member said not terrorist"] == {"review": 1}
    assert {"flood", "benign"} <= report.alerts
    assert report.undone == {"accomplice": 110, "rogue": 110}
    assert advised["advice on the lawful items, rogue rolled back"] == {"none": 120}
    assert advised["real items after both rollbacks: the advice"] == {"act": 120}


def test_whoever_probes_is_slowed_before_it_knows_much_and_an_honest_platform_is_not(tmp_path: Path) -> None:
    report = probing.run(tmp_path, 100)
    assert set(report.attacks) == set(probing.ATTACKS)
    for name, attack in report.attacks.items():
        assert attack.slowed, name
        assert attack.known < probing.BITS / 3, name
    assert report.copies_matched > 20
    assert set(report.alerts) == {f"attacker-{n}" for n in range(len(probing.ATTACKS))}
