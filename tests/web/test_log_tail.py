"""The end of a log as the workshop reads it: whole records and nothing of others, whatever the log is like."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.config.load import load_config
from shipper.config.model import Config
from shipper.errors import ShipperError
from shipper.matching.records import records_of
from shipper.tailing.condition import FileCondition, FileState
from shipper.tailing.files import LogFile
from shipper.tailing.open_log import OpenLog
from shipper.web.log_tail import log_tail

KEY = "-----BEGIN PRIVATE KEY-----"
CRI_LINES = [
    f"2026-01-01T00:00:00Z {stream} {tag} {text}"
    for stream in ("stdout", "stderr")
    for tag in "PF"
    for text in ("a", "ERROR secret", "")
]
DOCKER_LINES = [
    f'{{"log":"{text}","stream":"{stream}","time":"2026-01-01T00:00:00Z"}}'
    for stream in ("stdout", "stderr")
    for text in ("a\\n", "secret\\n", "part", "\\n")
]
TEXT_LINES = ["2026 ERROR", "2026 b", "secret", "", " at x", KEY, "é"]
TRACE_LINES = [
    "plain", "java.lang.Error: secret", "\tat a.b(C.java:1)", "Caused by: x", "Traceback (most recent call last):",
    '  File "a"', "ValueError: secret", "", "panic: secret", "goroutine 1 [running]:", "main.main()", "\t/a.go:1",
    "exit status 2", "a.rb:1:in `b'", "\tfrom a.rb:1", "System.Exception: secret", "   at A.B()", " ---> x",
]  # fmt: skip
SOURCES: dict[str, tuple[str, list[str], str]] = {
    "lines": ("max_line_bytes = 1024", TEXT_LINES, "utf-8"),
    "start": ("[source.multiline]\nstart = '^2026'\nmax_lines = 4", TEXT_LINES, "utf-8"),
    "utf-16 by its mark": ("encoding = 'auto'", TEXT_LINES, "utf-16"),
    "start and long lines": (
        "max_line_bytes = '1KiB'\n[source.multiline]\nstart = '^2026'",
        [*TEXT_LINES, f"2026 {'k' * 1500}", "k" * 1500],
        "utf-8",
    ),
    "cri": ("format = 'cri'", CRI_LINES, "utf-8"),
    "cri and long lines": (
        "max_line_bytes = '1KiB'\nformat = 'cri'",
        [*CRI_LINES, *(f"2026-01-01T00:00:00Z stdout {tag} {'k' * size}" for tag in "PF" for size in (1500, 12_000))],
        "utf-8",
    ),
    "docker": ("format = 'docker'", DOCKER_LINES, "utf-8"),
} | {
    name: (f"[source.multiline]\npreset = '{name}'", TRACE_LINES, "utf-8")
    for name in ("java", "python", "go", "ruby", "dotnet")
}


def configured(root: Path, source: str) -> Config:
    file = root / "shipper.toml"
    file.write_text(f"state_dir = '{root}/state'\n[[source]]\nname = 'app'\npaths = ['{root}/*.log']\n{source}\n")
    return load_config(file)[0]


def condition(path: Path, state: FileState = FileState.IDLE) -> FileCondition:
    file = LogFile.open(str(path))
    try:
        size = None if state is FileState.CLOSED else file.status().st_size
        return FileCondition(str(path), ("app",), state, "why", 0, size, 0.0, file.identity)
    finally:
        file.close()


def is_part(found: list[tuple[str, bool]], there: list[tuple[str, bool]], *, gaps: bool) -> bool:
    """Tell whether records follow each other as they do in a log; of containers each stream begins for itself."""
    if gaps:
        left = iter(there)
        return all(each in left for each in found)
    return any(there[at : at + len(found)] == found for at in range(len(there) + 1))


def aged(path: Path) -> None:
    os.utime(path, (1_700_000_000, 1_700_000_000))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.mark.parametrize("kind", SOURCES)
@given(data=st.data())
@settings(max_examples=60)
def test_wherever_it_begins_and_ends_it_is_whole_records(root: Path, kind: str, data: st.DataObject) -> None:
    """The same that the whole log holds, one after the other; of one that was written to just now also the last."""
    settings, lines, encoding = SOURCES[kind]
    config = configured(root, settings)
    chosen = data.draw(st.lists(st.sampled_from(lines), min_size=1, max_size=30))
    text = "\n".join(chosen) + data.draw(st.sampled_from(["", "\n"]))
    path = root / "a.log"
    path.write_bytes(written := text.encode(encoding))
    is_old = data.draw(st.booleans())
    if is_old:
        aged(path)
    end = data.draw(st.none() | st.integers(0, len(written)))
    most = data.draw(st.integers(8, len(written) + 8))

    tail = log_tail(config, [condition(path)], str(path), end, most)

    log = OpenLog(LogFile.open(str(path)), str(path), config.source[0])
    there = [(record.text, record.cut) for block in log.blocks() for record in records_of(block)]
    found = [(record.text, record.cut) for record, _ in tail.excerpt.records()]
    assert is_part(found, there, gaps=kind.startswith(("cri", "docker"))), (there, found)
    if text and not is_old and not text.endswith("\n"):
        # its last line may go on; that of a record over its limit is in none
        assert len(found) < len(there) or there[-1][1]
    # the same comes again, as long as nothing else is written
    again = log_tail(config, [condition(path)], str(path), tail.end, most)
    assert again.end == tail.end or end is None


def test_nothing_of_a_key_is_there_of_which_the_beginning_is_not(root: Path) -> None:
    """What a redaction needs to see as a whole; also when the end is chosen inside, and while it is being written."""
    config = configured(root, f"[source.multiline]\nstart = '^(?:LOG|{KEY})'\n")
    path = root / "a.log"
    key = [KEY, *(f"secret{n}" for n in range(9)), "-----END PRIVATE KEY-----"]
    path.write_text("\n".join(["LOG first", *key, "LOG second", *key[:5]]) + "\n")
    size = path.stat().st_size
    for end in (None, *range(size + 1)):
        for most in (64, 100, 10_000):
            tail = log_tail(config, [condition(path)], str(path), end, most)
            texts = [record.text for record, _ in tail.excerpt.records()]
            assert all(text in {"LOG first", "LOG second", "\n".join(key)} for text in texts)
    assert texts == ["LOG first", "\n".join(key), "LOG second"][: len(texts)]
    aged(path)
    tail = log_tail(config, [condition(path)], str(path))
    # after its time-out the agent takes it as it is
    assert [record.text for record, _ in tail.excerpt.records()][-1] == "\n".join(key[:5])


def test_of_a_record_over_its_limit_it_is_known(root: Path) -> None:
    """Also of one line, and of a container's message."""
    for source, text in (
        ("max_line_bytes = '1KiB'", "x" * 2000 + "\nlast\n"),
        ("max_line_bytes = '1KiB'\n[source.multiline]\nstart = '^LOG'", "LOG\n" + "x" * 100 + "\n" + "y\n" * 600),
        ("[source.multiline]\nstart = '^LOG'\nmax_lines = 2", "LOG\na\nb\nc\nLOG\n"),
        ("max_line_bytes = '1KiB'\nformat = 'cri'", f"2026-01-01T00:00:00Z stdout F {'x' * 2000}\n"),
    ):
        config = configured(root, source)
        path = root / "a.log"
        path.write_text(text)
        aged(path)
        tail = log_tail(config, [condition(path)], str(path))
        assert next(record.cut for record, _ in tail.excerpt.records()), source


def moved(path: Path) -> None:
    path.rename(path.with_name("gone"))
    path.with_name("other").write_text("INFO other\n")
    path.symlink_to(path.with_name("other"))


def replaced(path: Path) -> None:
    path.rename(path.with_name("gone"))
    path.write_text("INFO other\n")


def removed(path: Path) -> None:
    path.unlink()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (moved, "is another file by now"),
        (replaced, "is another file by now"),
        (removed, "cannot be read: No such file"),
        (a_pipe, "cannot be read: not a regular file"),
    ],
)
def test_a_name_that_leads_elsewhere_by_now_is_not_followed(
    tmp_path: Path, happens: Callable[[Path], None], said: str
) -> None:
    """However it came there."""
    path = tmp_path / "a.log"
    path.write_text("INFO secret\n")
    config, conditions = configured(tmp_path, ""), [condition(path)]
    happens(path)
    with pytest.raises(ShipperError, match=re.escape(said)):
        log_tail(config, conditions, str(path))


def test_files_that_are_not_open_are_read_and_compressed_ones_are_not(tmp_path: Path) -> None:
    """By what they hold, not by what is known of their size."""
    path = tmp_path / "a.log"
    path.write_text("INFO 1\n")
    config = configured(tmp_path, "")
    tail = log_tail(config, [condition(path, FileState.CLOSED)], str(path))
    assert [record.text for record, _ in tail.excerpt.records()] == ["INFO 1"]
    path.write_bytes(b"\x1f\x8b\x08" + bytes(20))
    with pytest.raises(ShipperError, match="is compressed with gzip; `shipper match` reads it"):
        log_tail(config, [condition(path)], str(path))
    path.write_bytes(b"INFO 1\n" * 3 + b"\x1f\x8b\x08 no archive\n")
    # in the middle of a log it is text
    tail = log_tail(config, [condition(path)], str(path), most=20)
    assert [record.raw for record, _ in tail.excerpt.records()] == [b"\x1f\x8b\x08 no archive"]


def test_who_is_no_file_of_a_source_or_of_two_is_not_read(tmp_path: Path) -> None:
    """Also names that are shown alike."""
    path = tmp_path / "a.log"
    path.write_text("INFO 1\n")
    config, found = configured(tmp_path, ""), condition(path)
    for other in (
        dataclasses.replace(found, state=FileState.SKIPPED),
        dataclasses.replace(found, is_deleted=True),
        dataclasses.replace(found, identity=None),
        dataclasses.replace(found, sources=("gone",)),
        dataclasses.replace(found, path=str(tmp_path / "b.log")),
    ):
        with pytest.raises(ShipperError, match="no source reads"):
            log_tail(config, [other], str(path))
    two = [dataclasses.replace(found, path=f"/{name}") for name in ("\\xff", "\udcff")]
    with pytest.raises(ShipperError, match="2 files are shown as"):
        log_tail(config, two, "/\\xff")
