"""The conformance figures of PDQ, measured; printed, or written into ``docs/hashing.md``.

``python -m tests.conformance.pdq_table`` prints the tables, ``--write`` puts them into the page.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from hashpact.hashing import hash_image
from hashpact.hashing.exif import orientation, upright
from hashpact.hashing.luma import to_luma
from hashpact.hashing.pdq import DIHEDRAL_ORDER
from hashpact.signals import hamming
from PIL import Image

from tests.data import find_shared_data

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "hashing.md"
BEGIN: Final = "<!-- measured: begin (python -m tests.conformance.pdq_table --write) -->"
END: Final = "<!-- measured: end -->"

# The binding does not know EXIF: it hashes a turned photograph as stored. Its value of the upright
# picture is the dihedral one that undoes the turn.
UPRIGHT_VALUE: Final = {1: "original", 3: "rotate_180", 6: "rotate_270", 8: "rotate_90"}


@dataclass(frozen=True)
class Row:
    """One reference picture: our distance in bits to each published value."""

    name: str
    quality: int
    quality_binding: int
    turn: int
    binding: int
    dihedral_max: int
    published: dict[str, int]


@dataclass(frozen=True)
class Reduced:
    """One large photograph: distance in bits between reduced-scale and full decoding."""

    name: str
    size: tuple[int, int]
    pdq: int
    phash: int
    phash256: int


def reference_rows(data: Path) -> list[Row]:
    """Measure every reference picture of the set."""
    entries = json.loads((data / "pdq_reference" / "manifest.json").read_text())
    return [_row(data / entry["path"], entry) for entry in entries if "pdqhash_0_2_8" in entry]


def reduced_rows(data: Path) -> list[Reduced]:
    """Measure every full-size photograph of the set."""
    return [_reduced(path) for path in sorted((data / "photos" / "full").glob("*.jpg"))]


def _row(path: Path, entry: dict[str, Any]) -> Row:
    signals = hash_image(path, dihedral=True)
    turn = stored_turn(path)
    own = signals.pdq.value
    upright_value = bytes.fromhex(entry["dihedral"][DIHEDRAL_ORDER.index(UPRIGHT_VALUE[turn])])
    # With a turn, our variants stand in another order than the binding's: each has its nearest partner.
    dihedral = [
        min(hamming(signal.value, bytes.fromhex(text)) for text in (entry["dihedral"] if turn != 1 else [fixed]))
        for signal, fixed in zip(signals.pdq_dihedral, entry["dihedral"], strict=True)
    ]
    return Row(
        name="/".join(path.parts[path.parts.index("pdq_reference") + 1 :]),
        quality=signals.pdq.quality or 0,
        quality_binding=entry["quality"],
        turn=turn,
        binding=hamming(own, upright_value),
        dihedral_max=max(dihedral),
        published={source: hamming(own, bytes.fromhex(text)) for source, text in entry["expected"].items()},
    )


def stored_turn(path: Path) -> int:
    """EXIF orientation of a picture file."""
    with Image.open(path) as picture:
        return orientation(picture.info.get("exif"))


def _reduced(path: Path) -> Reduced:
    signals = hash_image(path)
    with Image.open(path) as picture:
        turn = orientation(picture.info.get("exif"))
        full = hash_image(upright(to_luma(picture), turn))
        return Reduced(
            path.name,
            picture.size,
            hamming(signals.pdq.value, full.pdq.value),
            hamming(signals.phash.value, full.phash.value),
            hamming(signals.phash256.value, full.phash256.value),
        )


def markdown(rows: list[Row], reduced: list[Reduced]) -> str:
    """The two tables of the page."""
    lines = [
        "Distances in bits. *binding*: `pdqhash` 0.2.8, of the upright picture. *dihedral*: the largest of the 8.",
        "",
        "| picture | quality (binding's) | binding | dihedral | published |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        published = ", ".join(f"{source} {distance}" for source, distance in row.published.items()) or "-"
        turned = f" (EXIF {row.turn})" if row.turn != 1 else ""
        lines.append(
            f"| {row.name}{turned} | {row.quality} ({row.quality_binding}) | {row.binding} "
            f"| {row.dihedral_max} | {published} |"
        )
    distances = np.array([item.pdq for item in reduced])
    lines += [
        "",
        (
            "Reduced-scale against full decoding of camera photographs: "
            f"PDQ median {np.median(distances):.0f}, largest {distances.max()}."
        ),
        "",
        "| photograph | size | PDQ | pHash 64 | pHash 256 |",
        "|---|---|---|---|---|",
        *(
            f"| {item.name} | {item.size[0]} x {item.size[1]} | {item.pdq} | {item.phash} | {item.phash256} |"
            for item in reduced
        ),
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Print the tables, or write them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="replace the measured part of docs/hashing.md")
    options = parser.parse_args(arguments)
    data = find_shared_data()
    if data is None:
        print("the reference pictures are absent: set HASHPACT_SHARED_DATA to their folder", file=sys.stderr)
        return 2
    text = markdown(reference_rows(data), reduced_rows(data))
    if options.write:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
