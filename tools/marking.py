"""The word "speculative" in the pixels of a picture, so that no copy of it can lose the remark.

A band across the foot of the picture and the word once more across the middle, faint: cutting
the band off does not take the mark away.
"""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

WORD = "SPECULATIVE"
REMARK = "SPECULATIVE: no photograph of anybody"
BAND = (24, 26, 30, 225)
INK = (255, 255, 255, 255)
FAINT = (255, 255, 255, 70)
SHADE = (0, 0, 0, 60)
BAND_SHARE = 0.06  # of the picture's height


def marked(picture: Image.Image, wanted: bool = True) -> Image.Image:
    """The picture with the mark, in its own mode and size; the picture itself unless `wanted`."""
    if not wanted:
        return picture
    width, height = picture.size
    layer = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    pen = ImageDraw.Draw(layer)
    large = _fitting(WORD, 0.8 * width, 0.3 * height)
    for offset, ink in ((max(1.0, width / 256), SHADE), (0.0, FAINT)):
        pen.text((width / 2 + offset, 0.75 * height + offset), WORD, ink, large, anchor="mm")
    band = max(10, round(BAND_SHARE * height))
    pen.rectangle((0, height - band, width, height), fill=BAND)
    middle = (width / 2, height - band / 2)
    pen.text(middle, REMARK, INK, _fitting(REMARK, 0.94 * width, 0.62 * band), anchor="mm")
    return Image.alpha_composite(picture.convert("RGBA"), layer).convert(picture.mode)


def _fitting(text: str, width: float, height: float) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The largest font in which the text is no wider and no higher than this, in pixels."""
    wide = ImageFont.load_default(100).getlength(text)
    return ImageFont.load_default(max(4.0, min(height, 100 * width / wide)))
