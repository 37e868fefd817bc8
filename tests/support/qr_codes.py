"""Reads QR codes off the images that the gateway draws, as a till's scanner would."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy
import zxingcpp

_SVG = "{http://www.w3.org/2000/svg}"
_STEP = re.compile(r"([Mmh])(-?[\d.]+)(?: (-?[\d.]+))?")
_PIXELS = 4
"""Of a module's side: a scanner's picture is larger than the code."""


def scanned(svg: str) -> str:
    """What the QR code on this image says."""
    (found,) = zxingcpp.read_barcodes(_pixels(svg))
    return str(found.text)


def _pixels(svg: str) -> numpy.ndarray:
    """The image, painted: the QR code's dark modules are horizontal strokes of one path."""
    root = ElementTree.fromstring(svg)
    _, _, width, height = map(int, root.attrib["viewBox"].split())
    picture = numpy.full((height, width), 255, numpy.uint8)
    (strokes,) = [path for path in root.iter(f"{_SVG}path") if "stroke" in path.attrib]
    assert strokes.attrib["stroke"] == "#000"
    x = y = 0.0
    for command, first, second in _STEP.findall(strokes.attrib["d"]):
        if command == "h":
            picture[int(y), int(x) : int(x + float(first))] = 0
            x += float(first)
        elif command == "m":
            x, y = x + float(first), y + float(second)
        else:
            x, y = float(first), float(second)
    return picture.repeat(_PIXELS, 0).repeat(_PIXELS, 1)
