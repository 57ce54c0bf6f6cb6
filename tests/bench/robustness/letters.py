"""Letters of one organisation: the same head and foot, other words, and few of them."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 827, 1170


def letter(text: str, number: int) -> Image.Image:
    """One letter: 6 to 13 lines of a text on the letterhead."""
    picture = Image.new("L", (WIDTH, HEIGHT), 255)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((60, 50, 200, 120), fill=60)
    draw.text((220, 60), "Department of Examples", font=ImageFont.load_default(30), fill=0)
    draw.line((60, 140, WIDTH - 60, 140), fill=0, width=3)
    for line in range(6 + number % 8):
        words = text[80 * line : 80 * line + 80]
        draw.text((60, 200 + 22 * line), words, font=ImageFont.load_default(16), fill=0)
    draw.text((60, 1100), "Street 1, 12345 Town", font=ImageFont.load_default(12), fill=0)
    return picture
