"""The end of a log, and what it tells about how the log is to be read: encoding, format, stack traces."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass

import orjson

from shipper.tailing.containers import cri_part, docker_part
from shipper.tailing.decoding import MARK_BYTES, find_newline, newline_of, resolve
from shipper.tailing.files import LogFile, UnreadableError, compression_of

SAMPLE_BYTES = 1024 * 1024
_LOOKED_AT = 256 * 1024
_MOST_CONTROLS = 0.02
_MOST_CHINESE = 0.7
_LEAST_JSON = 0.9
_FEW = 3

# a pair of GB18030 that stands for punctuation, or for one of the 3755 commonest characters (GB 2312, level 1)
_COMMON_PAIR = re.compile(rb"[\xa1-\xa3\xb0-\xd7][\xa1-\xfe]")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xfe]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")

_LONGEST_FRAME = 500
_TRACES = (
    # Java, other languages of its machine, and Node.js, whose traces look the same
    ("java", r"[ \t]+at .*\.(?:java|kt|scala|groovy|clj|[cm]?[jt]s):\d+(?::\d+)?\)?"),
    ("java", r"[ \t]+at [\w.$/<>]+\((?:Native Method|Unknown Source)\)"),
    ("python", r"Traceback \(most recent call last\):"),
    ("go", r"goroutine \d+ \[[^\]]*\]:"),
    ("ruby", r"[ \t]+(?:from |\d+: from )?\S+\.rb:\d+:in .*"),
    ("dotnet", r"[ \t]+at [\w.`<>\[\]]+\(.*\)(?: in .*:line \d+)?"),
)
_FRAMES = tuple((preset, re.compile(pattern)) for preset, pattern in _TRACES)
_BEGINS_LIKE_A_TRACE = re.compile(r"[ \t]|Traceback|goroutine")


@dataclass(frozen=True, slots=True)
class Sample:
    """The end of a log.

    Attributes:
        data: whole lines, as far as the end has any.
        is_text: whether it is text at all; nothing is.
        encoding: how it is to be read.
        form: a value of `format`.
        preset: whose stack traces are in it; None when there are none.
        odd_bytes: whether it holds bytes that are no text in any encoding that is told apart here.
    """

    data: bytes = b""
    is_text: bool = True
    encoding: str = "utf-8"
    form: str = "plain"
    preset: str | None = None
    odd_bytes: bool = False


def read_sample(path: str, size: int = SAMPLE_BYTES) -> Sample:
    """Read the end of a log.

    Raises:
        UnreadableError: it is missing, not permitted, or no regular file.
    """
    file = LogFile.open(path)
    try:
        end = file.status().st_size
        head = file.read_at(0, MARK_BYTES + 2)
        # UTF-16 and UTF-32 have their lines at multiples of their width
        start = max(0, end - size) // MARK_BYTES * MARK_BYTES
        data = file.read_at(start, end - start)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error), error.errno) from None
    finally:
        file.close()
    if compression_of(head) is not None:
        return Sample(is_text=False)
    return sample_of(data, head, is_whole=start == 0)


def sample_of(data: bytes, head: bytes, *, is_whole: bool = True) -> Sample:
    """Judge the end of a log.

    Args:
        data: its last bytes.
        head: its first bytes.
        is_whole: whether `data` is all of it, and so begins with a line's beginning.
    """
    encoding = resolve("auto", head[:MARK_BYTES])
    newline = newline_of(encoding)
    if not is_whole:
        cut = find_newline(data, newline, 0, len(data))
        data = data[cut + len(newline) :] if cut >= 0 else b""
    begin = max(0, len(data) - _LOOKED_AT) // MARK_BYTES * MARK_BYTES
    seen = data[begin:]
    if begin and (cut := find_newline(seen, newline, 0, len(seen))) >= 0:
        seen = seen[cut + len(newline) :]
    odd = False
    if encoding == "utf-8":
        encoding, odd = _narrow_encoding(seen)
    text = seen.decode(encoding, "replace").removeprefix("\ufeff")
    if len(_CONTROLS.findall(text)) > len(text) * _MOST_CONTROLS:
        return Sample(is_text=False)
    form = _form(seen) if encoding == "utf-8" else "plain"
    preset = None if form in {"docker", "cri"} or len(newline) > 1 else _preset(text)
    return Sample(data, encoding=encoding, form=form, preset=preset, odd_bytes=odd)


def _narrow_encoding(seen: bytes) -> tuple[str, bool]:
    """Give the encoding of a log without a byte order mark, and whether some of its bytes fit none."""
    lines = seen.split(b"\n")
    others = [line for line in lines[:-1] if not _decodes(line, "utf-8")]
    others += [line for line in lines[-1:] if not _decodes(line, "utf-8", is_whole=False)]
    if not others:
        return "utf-8", False
    pairs = [pair for line in others for pair in _PAIR.findall(line)]
    common = sum(_COMMON_PAIR.fullmatch(pair) is not None for pair in pairs)
    is_chinese = common >= max(2, len(pairs) * _MOST_CHINESE)
    # lines that are UTF-8 beside them would become unreadable instead; some of GB18030 look so by chance
    in_utf_8 = sum(not line.isascii() and _decodes(line, "utf-8") for line in lines)
    decoded = sum(_decodes(line, "gb18030") for line in others)
    if is_chinese and in_utf_8 <= len(others) // 10 and decoded >= len(others) - 1:
        return "gb18030", False
    return "utf-8", True


def _decodes(line: bytes, encoding: str, *, is_whole: bool = True) -> bool:
    """Tell whether bytes are text; the line that is being written may end in the middle of a character."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(line, is_whole)
    except UnicodeDecodeError:
        return False
    return True


def _form(seen: bytes) -> str:
    lines = [line for line in seen.split(b"\n")[-200:] if line.strip()]
    if not lines:
        return "plain"
    for form, part in (("docker", docker_part), ("cri", cri_part)):
        if all(part(line) is not None for line in lines[:-1] or lines):
            return form
    objects = sum(_is_object(line) for line in lines)
    return "json" if objects >= _FEW and objects >= len(lines) * _LEAST_JSON else "plain"


def _is_object(line: bytes) -> bool:
    try:
        return line.startswith(b"{") and isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def _preset(text: str) -> str | None:
    found: Counter[str] = Counter()
    for line in text.split("\n"):
        frame = line.removesuffix("\r")
        if len(frame) <= _LONGEST_FRAME and _BEGINS_LIKE_A_TRACE.match(frame):
            # the first that fits: a frame of Java fits .NET, too
            found.update([next((preset for preset, pattern in _FRAMES if pattern.fullmatch(frame)), "")])
    del found[""]
    return found.most_common(1)[0][0] if found else None
