"""Finds out what kind of file a till wrote, and in which encoding: by decoding the whole file strictly, not by statistics."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tongdui._errors import TillError

_CHUNK = 1 << 20
_MOST_BAD = 0.1
"""The largest part of the lines that may not be text, for the file still to be text with mistakes."""

_FEW = 10
"""Control characters that a text of any length may have."""

_KINDS = (
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls); save it as .xlsx or as CSV"),
    (b"%PDF", "a PDF; export the sales as CSV or .xlsx"),
    (b"\x1f\x8b", "compressed with gzip; unpack it first"),
    (b"SQLite format 3", "a SQLite database; export the sales as CSV or .xlsx"),
    (b"\x89PNG", "a picture; export the sales as CSV or .xlsx"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it first"),
    (b"\xff\xfe\x00\x00", "UTF-32 text; save it as UTF-8"),
)
_MARKUP = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml|table|head|meta)", re.IGNORECASE)
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x19\x1b\x1c-\x1f]")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of a text file.

    Attributes:
        codec: Its name in a mapping, or empty where a mapping needs none (UTF-8, or UTF-16 with a byte order mark).
        reads_as: The codec that decodes the file, its byte order mark too.
        label: What a person calls it.
        bad_line: The first line that is not text in this encoding, or 0.
        bad_lines: How many such lines there are.
    """

    codec: str
    reads_as: str
    label: str
    bad_line: int = 0
    bad_lines: int = 0


@dataclass(slots=True)
class _Fit:
    """How well one codec decodes a file, line by line."""

    lines: int = 0
    foreign: int = 0
    """Lines that decode and have characters beyond ASCII."""
    bad_line: int = 0
    bad_lines: int = 0
    chinese: int = 0
    common: int = 0
    """Chinese characters among the 3,755 most common ones."""

    @property
    def is_strict(self) -> bool:
        return not self.bad_lines

    @property
    def is_chinese(self) -> bool:
        return self.common * 2 > self.chinese


def is_workbook(path: Path) -> bool:
    """Whether a file is an .xlsx workbook.

    Args:
        path: The file.

    Returns:
        True for an .xlsx file, whatever its name ends in.

    Raises:
        TillError: The file cannot be read, is empty, or is of a kind that is no till export.
    """
    head = _head(path, 4096)
    if not head.strip(b"\x00 \t\r\n\x1a\xef\xbb\xbf\xff\xfe"):
        raise TillError(f"{path}: the file is empty; a line of it must name the columns")
    for magic, kind in _KINDS:
        if head.startswith(magic):
            raise TillError(f"{path}: the file is {kind}")
    if _MARKUP.match(head):
        raise TillError(f"{path}: the file is a web page or XML, whatever its name; save it as .xlsx or as CSV")
    return head.startswith(b"PK\x03\x04")


def detect_encoding(path: Path) -> Encoding:
    """Find the encoding of a text file: a byte order mark, or else strict decoding of the whole file.

    Args:
        path: The file.

    Returns:
        The encoding: UTF-8 where the file is that, else GB18030 where that gives common Chinese characters, else Windows-1252.
        Where no encoding decodes the whole file, the one in which few lines are not text.

    Raises:
        TillError: The file cannot be read, or is not text.
    """
    head = _head(path, 1 << 16)
    if (marked := _by_mark(head)) is not None:
        return _checked(path, marked)
    if (order := _utf16_order(head)) is not None:
        return _checked(path, Encoding(order, order, f"{order.upper()} without a byte order mark"))
    # A few odd bytes are a mistake in a row; many are no text at all.
    if len(_BINARY.findall(head)) > max(_FEW, len(head) // 100):
        raise TillError(f"{path}: the file is not text; export the sales as CSV or .xlsx")
    return _by_decoding(path)


def _head(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise TillError(f"{path}: {error.strerror or error}") from error


def _by_mark(head: bytes) -> Encoding | None:
    if head.startswith(codecs.BOM_UTF8):
        return Encoding("", "utf-8-sig", "UTF-8 with a byte order mark")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return Encoding("", "utf-16", "UTF-16 with a byte order mark")
    return None


def _checked(path: Path, encoding: Encoding) -> Encoding:
    """The encoding that a byte order mark or zero bytes tell, with the first line that is not text in it."""
    bad_line = _bad_line(path, encoding.reads_as)
    return encoding if bad_line is None else replace(encoding, bad_line=bad_line, bad_lines=1)


def _bad_line(path: Path, codec: str) -> int | None:
    """Decode the whole file: the first line that is not text, or None."""
    decoder, lines = codecs.getincrementaldecoder(codec)(), 1
    try:
        for chunk in _chunks(path):
            lines += decoder.decode(chunk).count("\n")
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        return lines + error.object[: error.start].count(b"\n")
    return None


def _utf16_order(head: bytes) -> str | None:
    """UTF-16 without a mark: digits, separators and line ends have a zero byte, always on the same side."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if (even + odd) * 10 < len(head):
        return None
    if even * 20 < odd:
        return "utf-16-le"
    return "utf-16-be" if odd * 20 < even else None


def _by_decoding(path: Path) -> Encoding:
    if _bad_line(path, "utf-8") is None:
        return Encoding("", "utf-8-sig", "UTF-8")
    utf8 = _fit(path, "utf-8")
    chinese = _fit(path, "gb18030")
    if chinese.is_strict and chinese.is_chinese:
        return Encoding("gb18030", "gb18030", "GB18030")
    western = _fit(path, "cp1252")
    for codec, label, fit in (("", "UTF-8", utf8), ("gb18030", "GB18030", chinese)):
        # Half of the lines with such characters are right, so the others are mistakes and no other encoding.
        if fit.foreign and fit.foreign >= fit.bad_lines and (codec == "" or fit.is_chinese):
            return Encoding(codec, codec or "utf-8-sig", label, fit.bad_line, fit.bad_lines)
    if western.is_strict:
        return Encoding("cp1252", "cp1252", "Windows-1252")
    best = min(utf8, western, key=lambda fit: fit.bad_lines)
    if best.bad_lines > _MOST_BAD * best.lines:
        raise TillError(
            f"{path}:{best.bad_line}: the file is not text in UTF-8, UTF-16, GB18030 or Windows-1252; "
            "export the sales as CSV or .xlsx, or name the encoding in a mapping"
        )
    codec, label = ("", "UTF-8") if best is utf8 else ("cp1252", "Windows-1252")
    return Encoding(codec, codec or "utf-8-sig", label, best.bad_line, best.bad_lines)


def _fit(path: Path, codec: str) -> _Fit:
    """Decode the whole file with one codec, a chunk at a time, and line by line where that fails or tells something."""
    fit = _Fit()
    for chunk in _chunks(path):
        if chunk.isascii():
            fit.lines += chunk.count(b"\n")
            continue
        try:
            _count(fit, chunk.decode(codec), codec)
            fit.lines += chunk.count(b"\n")
        except UnicodeDecodeError:
            for line in chunk.splitlines():
                fit.lines += 1
                _count_line(fit, line, codec)
    return fit


def _count_line(fit: _Fit, line: bytes, codec: str) -> None:
    if line.isascii():
        return
    try:
        _count(fit, line.decode(codec), codec)
    except UnicodeDecodeError:
        fit.bad_lines += 1
        fit.bad_line = fit.bad_line or fit.lines


def _count(fit: _Fit, text: str, codec: str) -> None:
    fit.foreign += sum(not line.isascii() for line in text.splitlines())
    if codec == "gb18030":
        found = Counter("".join(_CHINESE.findall(text)))
        fit.chinese += found.total()
        fit.common += sum(times for mark, times in found.items() if _is_common(mark))


def _is_common(mark: str) -> bool:
    """Whether a Chinese character is one of GB 2312's first level, which holds the common ones."""
    try:
        return 0xB0 <= mark.encode("gb2312")[0] <= 0xD7
    except UnicodeEncodeError:
        return False


def _chunks(path: Path) -> Iterator[bytes]:
    """The file in chunks that end at a line's end, or at a bounded distance from it."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk + file.readline(_CHUNK)
    except OSError as error:
        raise TillError(f"{path}: {error.strerror or error}") from error
