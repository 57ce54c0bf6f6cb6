"""The demo's video and its PDF, drawn here; and what becomes of them on their way from platform to platform."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
from PIL import Image, ImageDraw, ImageFont

from tests.demo.pictures import drawing

RATE = 10
SECONDS = 8
SIZE = (480, 360)
PAGE = (620, 877)
TEXT = (
    "known media is found again by what it shows and says and not by where it was uploaded or under which name "
    "members share numbers and keep pictures videos and papers to themselves while every match ends with a person"
)


def frames(first_s: int = 0, last_s: int = SECONDS) -> Iterator[Image.Image]:
    """A scene every two seconds, each a poster that drifts."""
    for number in range(first_s * RATE, last_s * RATE):
        scene, step = divmod(number, 2 * RATE)
        wide = drawing(30 + scene).resize((SIZE[0] + 4 * RATE, SIZE[1]))
        yield wide.crop((2 * step, 0, 2 * step + SIZE[0], SIZE[1]))


def write_video(path: Path, pictures: Iterator[Image.Image], size: tuple[int, int], codec: str) -> Path:
    """A video of these pictures; the ending of the name decides the container."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_image(picture.resize(size))))
        file.mux(stream.encode(None))
    return path


def pages(first: int, last: int) -> list[Image.Image]:
    """Pages of a branded leaflet: a picture, a headline, and lines of text."""
    made, words = [], TEXT.split()
    for number in range(first, last):
        page = Image.new("RGB", PAGE, "white")
        pen = ImageDraw.Draw(page)
        pen.text((60, 40), f"LEAFLET No. {number}", fill="black", font=ImageFont.load_default(36))
        page.paste(drawing(40 + number).resize((500, 375)), (60, 110))
        for row in range(16):
            line = " ".join(words[(7 * row + 5 * number + place) % len(words)] for place in range(9))
            pen.text((60, 510 + 20 * row), line, fill="black", font=ImageFont.load_default(13))
        made.append(page)
    return made


def write_document(path: Path, made: Sequence[Image.Image], resolution: float) -> Path:
    """A PDF of pages as pictures, as a scanner makes it."""
    made[0].save(path, save_all=True, append_images=list(made[1:]), resolution=resolution)
    return path


def make_known(folder: Path) -> list[Path]:
    """What gets listed."""
    folder.mkdir()
    return [
        write_document(folder / "leaflet.pdf", pages(1, 4), 75.0),
        write_video(folder / "video.mp4", frames(), SIZE, "libx264"),
    ]


def make_altered(folder: Path) -> dict[str, list[Path]]:
    """What users upload, by the name of what it was made of."""
    folder.mkdir()
    cover = [Image.new("RGB", PAGE, "navy")]
    scanned = [page.resize((1000, 1414)).convert("L").convert("RGB") for page in pages(1, 4)]
    return {
        "leaflet": [write_document(folder / "grey-with-another-cover.pdf", [*cover, *scanned], 120.0)],
        "video": [
            write_video(folder / "small-in-another-coding.avi", frames(), (320, 240), "mpeg4"),
            write_video(folder / "without-beginning-and-end.mp4", frames(1, SECONDS - 1), SIZE, "libx264"),
        ],
    }
