"""QR codes."""

from __future__ import annotations

import io

import segno


def qr_svg(payload: str) -> str:
    """The QR code as an image that a page can hold and a scanner reads from a dark screen, too."""
    image = io.BytesIO()
    qr = segno.make_qr(payload, error="m")
    qr.save(image, kind="svg", xmldecl=False, nl=False, omitsize=True, dark="#000", light="#fff")
    return image.getvalue().decode()
