"""Screens with a photograph on them: memes, a phone's gallery, a feed, a browser, a picture in a picture, the news.

All of it is drawn here: status bars, text, buttons. What is around the photograph differs from one screen to the next
in its words, its colours and a little in its sizes, as with any application.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tests.bench.robustness.drawing import Colour, colour, cover, fit, font, paragraph, words, write

Picture = Image.Image
Random = np.random.Generator

PHONE: Final = (720, 1440)
BROWSER: Final = (1366, 768)
CANVAS_PX: Final = 1024


def meme(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """Two lines of white capitals with a black rim, above and below, each nearly as wide as the picture."""
    copy = picture.copy()
    drawing = ImageDraw.Draw(copy)
    for share, anchor in ((0.03, "mt"), (0.97, "mb")):
        text = words(rng, int(rng.integers(3, 5))).upper()
        size = max(10, min(picture.height // 8, round(picture.width * 1.55 / len(text))))
        place = (picture.width / 2, picture.height * share)
        rim = max(1, size // 14)
        drawing.text(place, text, font=font(size), fill="white", stroke_width=rim, stroke_fill="black", anchor=anchor)
    return copy


def _status_bar(screen: Picture, rng: Random, ink: Colour, height: int = 44) -> None:
    write(screen, (24, height * 0.25), f"{rng.integers(24):02}:{rng.integers(60):02}", 22, ink)
    drawing = ImageDraw.Draw(screen)
    right = screen.width - 24
    drawing.rectangle((right - 38, 14, right, 32), outline=ink, width=2)
    drawing.rectangle((right - 35, 17, right - 35 + int(rng.integers(6, 32)), 29), fill=ink)
    for bar in range(4):
        drawing.rectangle((right - 90 + 9 * bar, 30 - 4 * bar, right - 84 + 9 * bar, 32), fill=ink)
    write(screen, (right - 140, 12), "5G", 18, ink)


def _button(screen: Picture, box: tuple[float, float, float, float], text: str, fill: Colour, ink: Colour) -> None:
    ImageDraw.Draw(screen).rounded_rectangle(box, radius=(box[3] - box[1]) / 2, fill=fill)
    place = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    write(screen, place, text, round((box[3] - box[1]) * 0.42), ink, "mm")


def _icons(screen: Picture, y: float, ink: Colour, count: int) -> None:
    """A row of simple symbols, spread over the width."""
    drawing = ImageDraw.Draw(screen)
    for number in range(count):
        x = screen.width * (number + 0.5) / count
        if number % 3 == 0:
            drawing.ellipse((x - 14, y - 14, x + 14, y + 14), outline=ink, width=3)
        elif number % 3 == 1:
            drawing.polygon([(x - 14, y + 12), (x, y - 14), (x + 14, y + 12)], outline=ink, width=3)
        else:
            drawing.rectangle((x - 13, y - 12, x + 13, y + 12), outline=ink, width=3)


def gallery(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """A phone's gallery: dark, the photograph as wide as the screen, a title above, symbols and thumbs below."""
    screen = Image.new("RGB", PHONE, (16, 16, 18))
    ink = (235, 235, 235)
    _status_bar(screen, rng, ink)
    write(screen, (24, 68), "<", 34, ink)
    write(screen, (80, 66), f"{rng.integers(1, 29)} {words(rng, 1)}", 26, ink)
    write(screen, (80, 100), f"{rng.integers(24):02}:{rng.integers(60):02}", 18, (150, 150, 150))
    shown = fit(picture, PHONE[0], PHONE[1] - 420)
    screen.paste(shown, ((PHONE[0] - shown.width) // 2, 160 + (PHONE[1] - 420 - shown.height) // 2))
    drawing = ImageDraw.Draw(screen)
    for number in range(11):
        left = 12 + number * 64
        drawing.rectangle((left, PHONE[1] - 210, left + 58, PHONE[1] - 152), fill=colour(rng, 40, 200))
    _icons(screen, PHONE[1] - 90, ink, 5)
    drawing.rounded_rectangle((PHONE[0] // 2 - 90, PHONE[1] - 24, PHONE[0] // 2 + 90, PHONE[1] - 16), 4, fill=ink)
    return screen


def feed(picture: Picture, rng: Random, other: Picture) -> Picture:
    """A light feed: header, a post with the whole photograph and its text, then a post with another photograph."""
    screen = Image.new("RGB", PHONE, (250, 250, 252))
    ink, pale = (24, 24, 28), (120, 124, 132)
    _status_bar(screen, rng, ink)
    write(screen, (24, 60), words(rng, 1), 36, ink)
    _button(screen, (560, 62, 696, 102), "Follow", colour(rng, 20, 160), (255, 255, 255))
    bottom = _post(screen, picture, rng, 124, 640)
    write(screen, (24, bottom + 8), f"{rng.integers(2, 999)} likes   {rng.integers(2, 99)} comments", 22, pale)
    ImageDraw.Draw(screen).line((0, bottom + 48, PHONE[0], bottom + 48), fill=(220, 220, 224), width=2)
    _post(screen, cover(other, PHONE[0], 520), rng, bottom + 60, 520)
    drawing = ImageDraw.Draw(screen)
    drawing.rectangle((0, PHONE[1] - 96, *PHONE), fill=(255, 255, 255))
    _icons(screen, PHONE[1] - 50, ink, 5)
    return screen


def _post(screen: Picture, picture: Picture, rng: Random, top: int, height: int) -> int:
    """An avatar, a name, a caption and a photograph; where it ends."""
    ImageDraw.Draw(screen).ellipse((24, top, 84, top + 60), fill=colour(rng, 60, 230))
    write(screen, (100, top + 4), words(rng, 2), 26, (24, 24, 28))
    write(screen, (100, top + 36), f"{rng.integers(2, 59)} min", 20, (120, 124, 132))
    below = paragraph(screen, (24, top + 76, PHONE[0] - 48), 2, 26, rng)
    shown = fit(picture, PHONE[0], height)
    screen.paste(shown, ((PHONE[0] - shown.width) // 2, below + 8))
    return below + 8 + shown.height


def browser(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """A page in a browser's window: tabs, address, a column of text with the photograph, a list of links beside it."""
    screen = Image.new("RGB", BROWSER, (255, 255, 255))
    drawing = ImageDraw.Draw(screen)
    drawing.rectangle((0, 0, BROWSER[0], 40), fill=(222, 225, 230))
    for tab in range(3):
        left = 12 + tab * 214
        drawing.rounded_rectangle((left, 8, left + 206, 48), 8, fill=(255, 255, 255) if tab == 0 else (206, 210, 216))
        write(screen, (left + 14, 16), words(rng, 2), 15, (60, 60, 64))
    drawing.rectangle((0, 40, BROWSER[0], 80), fill=(245, 246, 248))
    drawing.rounded_rectangle((120, 46, BROWSER[0] - 160, 74), 14, fill=(232, 234, 238))
    write(
        screen,
        (140, 52),
        f"https://www.{rng.choice(['daily', 'local', 'my'])}-{words(rng, 1).lower()}.example",
        16,
        (60, 60, 64),
    )
    write(screen, (130, 98), words(rng, 6), 30, (20, 20, 24))
    shown = fit(picture, 800, 440)
    screen.paste(shown, (130, 146))
    paragraph(screen, (130, 160 + shown.height, 800), max(2, (BROWSER[1] - 170 - shown.height) // 26), 18, rng)
    for row in range(9):
        top = 150 + row * 66
        write(screen, (980, top), words(rng, 4), 17, colour(rng, 0, 120))
        write(screen, (980, top + 24), words(rng, 5), 13, (120, 124, 132))
    return screen


def inset(width: int) -> Callable[[Picture, Random, Picture], Picture]:
    """The photograph, so many pixels wide, somewhere on another one that fills 1,024 pixels."""

    def change(picture: Picture, rng: Random, other: Picture) -> Picture:
        ground = other.resize((CANVAS_PX, round(other.height * CANVAS_PX / other.width)), Image.Resampling.BICUBIC)
        small = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.BICUBIC)
        if small.height > ground.height:
            ground = cover(other, CANVAS_PX, small.height + 40)
        left = int(rng.integers(CANVAS_PX - width + 1))
        ground.paste(small, (left, int(rng.integers(ground.height - small.height + 1))))
        return ground

    return change


def news(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """A news programme: the photograph fills the frame, a lower third, a ticker, a station's logo."""
    frame = cover(picture, 1280, 720)
    drawing = ImageDraw.Draw(frame)
    drawing.rectangle((60, 540, 1220, 640), fill=(170, 20, 30))
    drawing.rectangle((60, 500, 330, 540), fill=(245, 245, 245))
    write(frame, (80, 506), "BREAKING NEWS", 26, (170, 20, 30))
    write(frame, (80, 564), words(rng, 5), 46, (255, 255, 255))
    drawing.rectangle((0, 668, 1280, 720), fill=(20, 24, 60))
    write(frame, (20, 678), words(rng, 14), 28, (255, 255, 255))
    drawing.rectangle((1110, 40, 1230, 90), fill=(170, 20, 30))
    write(frame, (1170, 65), "TV 24", 30, (255, 255, 255), "mm")
    return frame


def filmed(picture: Picture, rng: Random, _other: Picture) -> Picture:
    """A photograph of a screen: seen from the side, lines of the screen, a light from one corner, blur, noise."""
    width, height = picture.size
    margin, drift = 0.08, 0.035
    shifts = rng.uniform(-drift, drift, (4, 2))
    bases = ((margin, margin), (1 - margin, margin), (1 - margin, 1 - margin), (margin, 1 - margin))
    corners = [
        (float((x + dx) * width), float((y + dy) * height)) for (x, y), (dx, dy) in zip(bases, shifts, strict=True)
    ]
    seen = projected(picture, corners, (width, height), (28, 26, 30)).filter(ImageFilter.GaussianBlur(1.2))
    rows, columns = np.mgrid[0:height, 0:width]
    lines = 1 + 0.05 * np.sin(columns * 1.9 + rows * 0.07) * np.sin(rows * 1.7)
    light = 0.85 + 0.35 * (columns / width + rows / height) / 2
    values = np.asarray(seen, np.float64) * (lines * light)[..., None] + rng.normal(0, 5, (height, width, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def projected(
    picture: Picture, corners: Sequence[tuple[float, float]], size: tuple[int, int], ground: Colour
) -> Picture:
    """The picture laid into a quadrilateral (upper left, upper right, lower right, lower left) of a canvas."""
    width, height = picture.size
    sources = ((0, 0), (width, 0), (width, height), (0, height))
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, sources, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = [float(each) for each in np.linalg.solve(np.array(rows, np.float64), np.array(values, np.float64))]
    return picture.transform(size, Image.Transform.PERSPECTIVE, solved, Image.Resampling.BICUBIC, fillcolor=ground)
