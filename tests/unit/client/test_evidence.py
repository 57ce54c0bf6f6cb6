"""What a match says to people: of which side a percentage is, and where to look."""

from __future__ import annotations

from hashpact.evidence import Agreement, Confirmation, MatchedStretch, Overlap


def test_details_are_of_the_listed_picture() -> None:
    seen = Confirmation(44, 48, 49, 100)
    assert Agreement("local_sift", 0, 0, distance_is_bound=False, confirmation=seen).sentence == (
        "44 of 48 details are in their places; the upload shows 49 % of the listed picture"
    )
    withheld = Confirmation(0, 0, 49, 0)
    assert withheld.sentence == "its details are in their places; the upload shows 49 % of the listed picture"


def test_a_video_is_told_by_both_sides_and_the_time_in_the_upload() -> None:
    stretches = (MatchedStretch((190_000, 200_000), (0, 10_000)), MatchedStretch((210_400, 235_000), (20_000, 45_000)))
    seen = Overlap(12.2, 99.6, stretches, 190_000, 1.0)
    assert Agreement("pdq_frame", 3, 2, distance_is_bound=False, overlap=seen).sentence == (
        "it shows 100 % of the listed video, from 3:10 to 3:55 (12 % of the upload)"
    )
