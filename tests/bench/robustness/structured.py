"""Drawn pictures that look alike without being the same: pages, cards, logos, flags, title cards, bare interfaces.

Of each kind a number is listed and others are checked: same template, other words, numbers, colours and places. Any
match between two of them is false, and is counted by kind; screens with a photograph hold photographs that are listed
nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

from tests.bench.robustness import screens
from tests.bench.robustness.drawing import colour, paragraph, words, write

Picture = Image.Image
Random = np.random.Generator


def title_card(rng: Random) -> Picture:
    """The title of a video: one template, other words."""
    card = Image.new("RGB", (1280, 720), (12, 14, 30))
    drawing = ImageDraw.Draw(card)
    drawing.rectangle((80, 80, 1200, 640), outline=(196, 160, 60), width=6)
    drawing.line((200, 470, 1080, 470), fill=(196, 160, 60), width=4)
    write(card, (640, 250), words(rng, 2).upper(), 78, (240, 240, 240), "mm")
    write(card, (640, 370), words(rng, 3), 54, (240, 240, 240), "mm")
    write(card, (640, 540), f"Part {rng.integers(1, 40)}", 44, (196, 160, 60), "mm")
    return card


def text_card(rng: Random) -> Picture:
    """A quotation on a plain ground, as it is shared."""
    card = Image.new("RGB", (1080, 1080), colour(rng, 200, 256))
    y = 300
    for _ in range(int(rng.integers(3, 6))):
        write(card, (540, y), words(rng, 3), 64, (30, 30, 36), "mm")
        y += 96
    write(card, (540, 960), f"- {words(rng, 1)}", 40, (110, 110, 116), "mm")
    return card


def logo(rng: Random) -> Picture:
    """An emblem of one family with another word, place or colour."""
    ground = Image.new("RGB", (800, 800), (255, 255, 255) if rng.integers(2) else colour(rng, 200, 256))
    drawing = ImageDraw.Draw(ground)
    x, y, ink = int(rng.integers(330, 470)), int(rng.integers(300, 400)), colour(rng, 0, 140)
    drawing.ellipse((x - 200, y - 200, x + 200, y + 200), outline=ink, width=26)
    drawing.polygon([(x - 110, y + 90), (x, y - 130), (x + 110, y + 90)], fill=ink)
    drawing.rectangle((x - 60, y + 20, x + 60, y + 44), fill=(255, 255, 255))
    write(ground, (x, y + 290), words(rng, 1).upper(), 90, ink, "mm")
    return ground


def flag(rng: Random) -> Picture:
    """Stripes, a triangle, a disc."""
    ground = Image.new("RGB", (900, 600), colour(rng))
    drawing = ImageDraw.Draw(ground)
    upright, stripes = bool(rng.integers(2)), int(rng.integers(2, 5))
    for number in range(stripes):
        low, high = number / stripes, (number + 1) / stripes
        box = (900 * low, 0, 900 * high, 600) if upright else (0, 600 * low, 900, 600 * high)
        drawing.rectangle(box, fill=colour(rng))
    if rng.integers(2):
        drawing.polygon([(0, 0), (330, 300), (0, 600)], fill=colour(rng))
    if rng.integers(2):
        x, size = int(rng.integers(200, 700)), int(rng.integers(60, 140))
        drawing.ellipse((x - size, 300 - size, x + size, 300 + size), fill=colour(rng))
    return ground


def page(rng: Random) -> Picture:
    """A printed page of one layout."""
    sheet = Image.new("RGB", (827, 1169), (255, 255, 255))
    write(sheet, (90, 80), words(rng, 3), 40, (0, 0, 0))
    y = 160
    for _ in range(5):
        y = paragraph(sheet, (90, y, 650), int(rng.integers(4, 8)), 20, rng, (20, 20, 20)) + 24
    write(sheet, (413, 1110), str(rng.integers(1, 300)), 20, (60, 60, 60), "mm")
    return sheet


def chrome(rng: Random) -> Picture:
    """A phone's settings: an interface without any photograph."""
    screen = Image.new("RGB", screens.PHONE, (246, 246, 248))
    drawing = ImageDraw.Draw(screen)
    write(screen, (24, 12), f"{rng.integers(24):02}:{rng.integers(60):02}", 22, (20, 20, 24))
    write(screen, (24, 70), "Settings", 44, (20, 20, 24))
    for row in range(11):
        y = 160 + row * 108
        drawing.rounded_rectangle((16, y, 704, y + 92), 16, fill=(255, 255, 255))
        drawing.ellipse((36, y + 22, 84, y + 70), fill=colour(rng, 40, 220))
        write(screen, (108, y + 14), words(rng, 2), 28, (20, 20, 24))
        write(screen, (108, y + 52), words(rng, 3), 20, (130, 130, 136))
        on = bool(rng.integers(2))
        drawing.rounded_rectangle((610, y + 28, 680, y + 64), 18, fill=(60, 180, 90) if on else (200, 200, 204))
        drawing.ellipse((646 if on else 612, y + 30, 678 if on else 644, y + 62), fill=(255, 255, 255))
    return screen


def flat(rng: Random) -> Picture:
    """Black, white or one colour, with a little noise; or a gradient."""
    kind = int(rng.integers(3))
    if kind == 2:
        ramp = np.linspace(0, float(rng.integers(60, 200)), 640)[None, :, None] + np.zeros((480, 1, 3))
        values = ramp + rng.integers(0, 56, 3)
    else:
        values = np.zeros((480, 640, 3)) + (rng.integers(0, 256, 3) if kind else 0)
    values = values + rng.normal(0, 2, (480, 640, 3))
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


TEMPLATES: Final[dict[str, Callable[[Random], Picture]]] = {
    "title card": title_card,
    "text card": text_card,
    "logo": logo,
    "flag": flag,
    "text page": page,
    "interface": chrome,
    "flat": flat,
}
"""Drawn without a photograph."""

SCREENS: Final = {
    "meme": screens.meme,
    "gallery screen": screens.gallery,
    "feed screen": screens.feed,
    "browser screen": screens.browser,
    "news frame": screens.news,
}
"""Drawn around a photograph that nobody listed."""
