"""Deterministic logs to measure with: the same numbers give the same bytes on every machine.

Every line that a rule matches carries its serial, `#000000041#`, counted from 0 in the order of the log; so whoever
receives events can tell with a count and a sum that each came once. Noise carries none.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from tests.bench.families import BenchRule, decoys

SEED: Final = 20261123
_POOL: Final = 20_000
_POOL_BYTES: Final = 8_000_000
_DECOYS: Final = 50
_CHUNK: Final = 1000
_PER_SECOND: Final = 200
_STAMP_BYTES: Final = 30


@dataclass(frozen=True, slots=True)
class Log:
    """A log file, and where the lines end that match.

    Attributes:
        path: the file.
        size: its bytes.
        lines: how many it has.
        ends: offsets behind each matching line, ascending; the place in it is the line's serial.
    """

    path: Path
    size: int
    lines: int
    ends: array[int]

    @property
    def matching(self) -> int:
        """How many lines match."""
        return len(self.ends)

    def matching_before(self, offset: int) -> int:
        """Tell how many matching lines end at or before an offset."""
        return bisect_right(self.ends, offset)

    def head(self, size: int) -> Log:
        """Give a log of the first lines, at least `size` bytes of them where there are so many."""
        if size >= self.size:
            return self
        path = self.path.with_name(f"{self.path.name}.head")
        # another program may still have the last one open
        path.unlink(missing_ok=True)
        copied = lines = 0
        with self.path.open("rb") as file, path.open("wb") as copy:
            for line in file:
                copied += copy.write(line)
                lines += 1
                if copied >= size:
                    break
        return Log(path, copied, lines, self.ends[: self.matching_before(copied)])

    def split(self, directory: Path, files: int) -> list[Log]:
        """Write the lines to so many files, `0.log` and on, each an equal part; gives them as logs.

        One file is this one under another name: where its bytes lie in memory is part of how fast it is read.
        """
        if files == 1:
            path = directory / "0.log"
            path.hardlink_to(self.path)
            return [replace(self, path=path)]
        share, at = self.size / files, 0
        parts = []
        with self.path.open("rb") as file:
            for number in range(files):
                path, began, lines = directory / f"{number}.log", at, 0
                with path.open("wb") as part:
                    while (number + 1 == files or at < (number + 1) * share) and (line := file.readline()):
                        at += part.write(line)
                        lines += 1
                ends = self.ends[self.matching_before(began) : self.matching_before(at)]
                parts.append(Log(path, at - began, lines, array("Q", (end - began for end in ends))))
        return parts


def write_log(path: Path, megabytes: float, rules: Sequence[BenchRule], rate: float, length: int | None = None) -> Log:
    """Write a log.

    Args:
        path: of the file.
        megabytes: about how large, in 10^6 bytes.
        rules: each matching line matches one of them.
        rate: the share of the lines that match.
        length: bytes of a line that does not match; None for lines as long as such lines are, 165 on average.
    """
    chance = random.Random(SEED)
    most = _POOL if length is None else min(_POOL, max(1, _POOL_BYTES // length))
    pool = [_fit(chance, text, length) for text in chance.sample(_noise(chance), most)]
    chunk_lines = min(_CHUNK, len(pool))
    ends = array("Q")
    size = lines = 0
    with path.open("wb") as file:
        while size < megabytes * 1_000_000:
            chunk = []
            for text in chance.choices(pool, k=chunk_lines):
                stamp = _stamp(lines)
                if chance.random() < rate:
                    hit = f"{chance.choice(rules).line(chance)} #{len(ends):09}#"
                    data = f"{stamp}{_fit(chance, hit, length, whole=True)}\n".encode()
                    ends.append(size + len(data))
                else:
                    data = f"{stamp}{text}\n".encode()
                chunk.append(data)
                size += len(data)
                lines += 1
            file.write(b"".join(chunk))
    return Log(path, size, lines, ends)


def matching_line(rule: BenchRule, serial: int) -> bytes:
    """Give one line that a rule matches."""
    return f"{_stamp(serial)}{rule.line(random.Random(serial))} #{serial:09}#\n".encode()


def _stamp(number: int) -> str:
    second, part = divmod(number, _PER_SECOND)
    clock = f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
    return f"2026-11-23T{clock}.{part * 1000 // _PER_SECOND:03}+08:00 "


def _fit(chance: random.Random, text: str, length: int | None, *, whole: bool = False) -> str:
    """Make a line about so long: cut, unless all of it must stay, or with a payload behind it, as long lines have."""
    if length is None:
        return text
    data = text.encode()
    missing = length - _STAMP_BYTES - 1 - len(data)
    if missing <= 0:
        return text if whole else data[: len(data) + missing].decode("utf-8", "ignore")
    # a word has four letters at least, and a blank before the next
    words = " ".join(chance.choices(_WORDS, k=missing // 5 + 1))
    return f"{text} payload={words}"[: len(text) + missing]


def _noise(chance: random.Random) -> list[str]:
    return [
        *(_LINES[number % len(_LINES)](chance) for number in range(_POOL - _POOL // _DECOYS)),
        *decoys(chance, _POOL // _DECOYS),
    ]


def _nginx(chance: random.Random) -> str:
    path = "/".join(chance.choice(_WORDS) for _ in range(4))
    return (
        f'10.0.{chance.randrange(256)}.{chance.randrange(256)} - - "GET /api/v1/{path}?id={chance.randrange(10**8)} '
        f'HTTP/1.1" 200 {chance.randrange(90000)} "https://shop.example/{chance.choice(_WORDS)}" '
        '"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"'
    )


def _java(chance: random.Random) -> str:
    return (
        f"{chance.choice(_LEVELS)} [http-nio-8080-exec-{chance.randrange(200)}] "
        f"com.example.{chance.choice(_WORDS)}.Service - handled {chance.choice(_WORDS)} "
        f"for user {chance.randrange(10**7)} in {chance.randrange(900)} ms"
    )


def _syslog(chance: random.Random) -> str:
    session = chance.randrange(10**6)
    return f"web{chance.randrange(9)} systemd[1]: Started Session {session} of user {chance.choice(_WORDS)}."


def _json(chance: random.Random) -> str:
    return (
        f'{{"level":"info","logger":"{chance.choice(_WORDS)}","message":"{chance.choice(_WORDS)} done",'
        f'"trace":"{chance.randrange(16**16):016x}","component":"{chance.choice(_WORDS)}",'
        f'"ms":{chance.randrange(5000)}}}'
    )


def _chinese(chance: random.Random) -> str:
    return (
        f"订单 {chance.randrange(10**9)} 已支付，金额 {chance.randrange(100000) / 100} 元，"
        f"用户 {chance.choice(_WORDS)}，机房正常"
    )


_WORDS = ("cart", "order", "payment", "stock", "login", "search", "profile", "invoice", "shipping", "refund")
_LEVELS = ("INFO ", "INFO ", "INFO ", "INFO ", "INFO ", "INFO ", "DEBUG", "DEBUG", "WARN ", "ERROR")
_LINES = (_nginx, _nginx, _nginx, _java, _java, _java, _syslog, _json, _json, _chinese)
