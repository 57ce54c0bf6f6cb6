"""Labels: shape, and the public class that stands for each one."""

from __future__ import annotations

import pytest
from hashpact.v1 import error_reason_pb2
from hashpact_server.refusal import Refusal
from hashpact_server.rules.labels import class_of, classes_of, clean_label, clean_labels, is_context
from hashpact_server.rules.taxonomy import BUILT_IN


@pytest.mark.parametrize(
    ("raw", "stored"),
    [
        ("graphic", "graphic"),
        ("  Journalism\t", "journalism"),
        ("incident:2026-03-Lyon", "incident:2026-03-lyon"),
        ("0", "0"),
        ("a" * 64, "a" * 64),
        ("un:1267/isil.da_esh", "un:1267/isil.da_esh"),
    ],
)
def test_good_labels(raw: str, stored: str) -> None:
    assert clean_label(raw) == stored


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "   ",
        "_a",
        "-a",
        ":a",
        "a" * 65,
        "a b",
        "a\nb",
        "a\x00",
        "é",
        "\u212ailo",  # the Kelvin sign becomes an ASCII k when lowered
        "a,b",
        "a;drop",
        "\uff11",
    ],
)
def test_bad_labels(raw: str) -> None:
    assert clean_label(raw) is None


def test_trailing_newline_is_trimmed_not_kept() -> None:
    assert clean_labels(["a\n"], 1) == ("a",)


def test_labels_are_sorted_and_unique() -> None:
    assert clean_labels(["b", " A", "a", "B "], 4) == ("a", "b")


@pytest.mark.parametrize(("raw", "labels_max"), [([], 16), (["a"] * 17, 16), (["a", "b c"], 16)])
def test_label_lists_that_are_refused(raw: list[str], labels_max: int) -> None:
    with pytest.raises(Refusal) as refused:
        clean_labels(raw, labels_max)
    assert refused.value.reason == error_reason_pb2.ERROR_REASON_LABELS_INVALID


def test_message_names_the_position_not_the_word() -> None:
    with pytest.raises(Refusal, match=r"labels\[1\]") as refused:
        clean_labels(["a", "John Doe"], 16)
    assert "Doe" not in refused.value.message


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("glorification_of_terrorist_acts", "behaviour:glorification_of_terrorist_acts"),
        ("behaviour:glorification_of_terrorist_acts", "behaviour:glorification_of_terrorist_acts"),
        ("counter-speech", "context:counter_speech"),
        ("context:counter-speech", "context:counter_speech"),
        ("video", "media:video"),
        ("list:un", "list:un"),
        ("un", "other"),
        ("us", "other"),
        ("incident:lyon-2026", "incident"),
        ("incident", "other"),
        ("producer:isis-media-unit", "other"),
        ("some-name", "other"),
    ],
)
def test_classes(label: str, expected: str) -> None:
    assert class_of(label) == expected


def test_classes_reveal_only_the_taxonomy() -> None:
    terms = {f"{axis}:{term}" for axis, all_terms in BUILT_IN.axes.items() for term in all_terms}
    given = ["incident:secret", "name-of-a-person", "art", "context:art", "pdf"]
    assert classes_of(given) == ("context:art", "incident", "media:pdf", "other")
    assert set(classes_of(given)) <= terms | {"incident", "other"}


def test_bare_terms_are_unambiguous_and_valid_labels() -> None:
    bare = [term for axis, terms in BUILT_IN.axes.items() if axis != "list" for term in terms]
    assert len(bare) == len(set(bare))
    assert all(
        clean_label(f"{axis}:{term}") == f"{axis}:{term}" for axis, terms in BUILT_IN.axes.items() for term in terms
    )


def test_context_labels() -> None:
    assert is_context("journalism")
    assert is_context("context:counter-speech")
    assert not is_context("recruitment_and_instruction")
    assert not is_context("context:made-up")
