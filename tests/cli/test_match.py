"""`shipper match` as a user types it."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from shipper.cli import app
from shipper.matching.identifiers import EventIds
from tests.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Match = Callable[..., "Outcome"]

OOM = """
[[rule]]
id = "oom"
match = 'OutOfMemoryError(?:: (?<reason>.*))?'
ignore = ["harmless"]
event = "OutOfMemory"
group_id = 7
content = "{reason|unknown}"
"""
APP_ONLY = """
[[rule]]
id = "app-only"
sources = ["app"]
match = "slow"
event = "Slow"
content = "{service|none}: {line}"

  [[rule.test]]
  line = "fast"
  fields = { service = "x" }
  expect = "no match"
"""
LINES = b"hello\n2026-11-23T10:00:00,5+08:00 OutOfMemoryError: heap\r\nharmless OutOfMemoryError\nOutOfMemoryError"


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: bytes
    err: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def match(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Match:
    """Run `shipper match` in an empty directory, with some bytes on stdin."""
    monkeypatch.delenv("SHIPPER_CONFIG", raising=False)
    monkeypatch.setattr("shipper.config.load.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.setattr("shipper.cli.rule_options.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oom.toml").write_text(OOM)
    (tmp_path / "app.toml").write_text(APP_ONLY)

    def run(*arguments: str, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = app.main(["match", *arguments])
        captured = capfdbinary.readouterr()
        assert b"Traceback" not in captured.err
        return Outcome(code, captured.out, " ".join(captured.err.decode().split()))

    return run


def test_each_event_is_a_line_with_the_keys_as_uploaded_and_where_it_came_from(match: Match, tmp_path: Path) -> None:
    """Spec, section 2: name, content, groupId, time, and `meta`."""
    (tmp_path / "a.log").write_bytes(LINES)

    done = match("-r", "oom.toml", "a.log")

    assert done.code == 0
    first, second = done.events
    meta = first.pop("meta")
    assert first == {"name": "OutOfMemory", "content": "heap", "groupId": 7, "time": "20261123T100000.500+0800"}
    record = b"2026-11-23T10:00:00,5+08:00 OutOfMemoryError: heap"
    hostname = os.uname().nodename
    assert meta == {
        "rule": "oom",
        "path": "a.log",
        "line_number": 2,
        "offset": 6,
        "id": EventIds(hostname, "oom").of(b"hello", 6, record),
    }
    assert (second["content"], second["meta"]["line_number"]) == ("unknown", 4)
    assert second["meta"]["offset"] == LINES.rindex(b"\n") + 1


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("place", ["file", "stdin", "dash", "pipe"])
def test_the_same_lines_are_the_same_events_from_wherever(
    match: Match, tmp_path: Path, place: str, compressed: bool
) -> None:
    """A file, stdin, `-` or a pipe, plain or gzip (told by content): but for the path, nothing differs."""
    data = gzip.compress(LINES) if compressed else LINES
    (tmp_path / "a").write_bytes(data)
    plain = match("-r", "oom.toml", stdin=LINES).events
    if place == "pipe":
        reading, writing = os.pipe()
        os.write(writing, data)
        os.close(writing)
        done = match("-r", "oom.toml", f"/dev/fd/{reading}")
        os.close(reading)
    else:
        done = match("-r", "oom.toml", *{"file": ["a"], "stdin": [], "dash": ["-"]}[place], stdin=data)

    def core(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return [
            (each["content"], each["meta"]["offset"], each["meta"]["line_number"], each["meta"]["id"])
            for each in events
        ]

    assert done.code == 0
    assert len(plain) == 2
    assert core(done.events) == core(plain)


def test_large_input_is_judged_whole(match: Match, tmp_path: Path) -> None:
    """Many blocks, with events at their borders: none is missed, and offsets and numbers stay right."""
    line = b"x" * 100 + b" OutOfMemoryError: %07d\n"
    data = b"".join(line % number for number in range(20_000))
    (tmp_path / "a").write_bytes(data)

    for done in (match("-r", "oom.toml", "a"), match("-r", "oom.toml", stdin=data)):
        assert [each["content"] for each in done.events] == [f"{number:07d}" for number in range(20_000)]
        last = done.events[-1]["meta"]
        assert (last["line_number"], last["offset"]) == (20_000, 19_999 * len(line % 0))


def test_all_toml_words_behind_the_option_are_rule_files(match: Match, tmp_path: Path) -> None:
    """As the shell expands `-r rules.d/*.toml LOG`."""
    (tmp_path / "a.log").write_bytes(b"slow OutOfMemoryError\n")

    done = match("-r", "app.toml", "oom.toml", "a.log", "--summary")

    assert [each["name"] for each in done.events] == ["Slow", "OutOfMemory"]
    assert "1 lines: 1 matched, 0 ignored, 0 missed; 2 events" in done.err


def test_a_source_s_records_of_several_lines(match: Match, tmp_path: Path) -> None:
    """With `--source` a log is read as the agent would read it (spec, section 3 "multiline")."""
    (tmp_path / "c.toml").write_text(
        '[[source]]\nname = "app"\npaths = ["/nowhere/*.log"]\n[source.multiline]\nstart = "^\\\\d"\n'
    )
    (tmp_path / "app.log").write_bytes(b"1 fine\n  at a\n2 slow\n  at b\n  at c\n3 fine\n")

    done = match("-c", "c.toml", "-r", "app.toml", "--source", "app", "app.log")
    missed = match("-c", "c.toml", "-r", "app.toml", "--source", "app", "app.log", "--missed")

    assert [event["content"] for event in done.events] == ["none: 2 slow\n  at b\n  at c"]
    assert done.events[0]["meta"]["line_number"] == 3
    assert missed.out == b"1 fine\n  at a\n3 fine\n"


def test_the_line_numbers_of_a_container_s_messages(match: Match, tmp_path: Path) -> None:
    """They count the lines of the file, of which a long message has several (spec, section 3 "format")."""
    (tmp_path / "c.toml").write_text('[[source]]\nname = "app"\npaths = ["/nowhere/*.log"]\nformat = "cri"\n')
    parts = ["P slow and ", "P long and ", "F longer", "F slow", "P a part, slow"]
    (tmp_path / "app.log").write_text("".join(f"2026-11-23T10:00:00Z stdout {part}\n" for part in parts * 2000))

    done = match("-c", "c.toml", "-r", "app.toml", "--source", "app", "app.log")

    numbers = [event["meta"]["line_number"] for event in done.events]
    # the last part of the five goes on in the first of the next five
    assert numbers == [1, *(number for number in range(1, 10_001) if number % 5 in {0, 4})]


def test_missed_lines_are_those_no_rule_wanted(match: Match) -> None:
    """Neither matched nor ignored, as they are in the log; the summary counts them all."""
    done = match("-r", "oom.toml", "--missed", "--summary", stdin=LINES + b"\nb\xff\x1b[2J\n\n")

    assert done.out == b"hello\nb\xff\x1b[2J\n\n"
    assert "6 lines: 2 matched, 1 ignored, 3 missed; 2 events" in done.err
    assert "searches, 1 ignored first -:2: heap last -:4: unknown" in done.err


def test_what_a_log_holds_does_not_steer_the_terminal(match: Match) -> None:
    """The summary shows examples escaped (hazard 8.5)."""
    done = match("-r", "oom.toml", "--summary", stdin=b"OutOfMemoryError: \x1b[2J{line} %s\n")

    assert "\x1b[2J" not in done.err
    assert "-:1: \\x1b[2J{line} %s" in done.err


def test_sources_count_only_when_one_is_named(match: Match, tmp_path: Path) -> None:
    """Without --source every rule applies; with it those for this source, and its fields are there."""
    assert [each["name"] for each in match("-r", "app.toml", stdin=b"slow\n").events] == ["Slow"]
    assert match("-r", "app.toml", "--source", "db", stdin=b"slow\n").events == []
    (tmp_path / "c.toml").write_text(
        '[[source]]\nname = "app"\npaths = ["/x"]\nencoding = "gbk"\ngroup_id = 5\nzone = "Asia/Tokyo"\n'
        'fields = { service = "checkout" }\n'
    )

    done = match(
        "-r", "app.toml", "-c", "c.toml", "--source", "app", stdin="2026-11-23 10:00:00 慢 slow\n".encode("gbk")
    )

    (event,) = done.events
    assert event["content"] == "checkout: 2026-11-23 10:00:00 慢 slow"
    assert (event["groupId"], event["time"]) == (5, "20261123T100000.000+0900")
    unknown = match("-r", "app.toml", "-c", "c.toml", "--source", "ap", stdin=b"slow\n")
    assert unknown.code == 2
    assert "there is no such source; did you mean 'app'? (known: app)" in unknown.err


def test_without_rules_those_of_the_configuration_are_tried(match: Match, tmp_path: Path) -> None:
    """-c alone is enough; nothing at all is a usage error that says what to give."""
    (tmp_path / "c.toml").write_text('rules = ["oo*.toml"]\n[cloudmonitor]\ngroup_id = 3\n')

    assert [each["groupId"] for each in match("-c", "c.toml", stdin=b"OutOfMemoryError").events] == [7]
    nothing = match(stdin=b"x")
    assert nothing.code == 2
    assert "give rule files with -r, or a configuration that names them with -c" in nothing.err


def test_a_line_without_a_time_has_its_files(match: Match, tmp_path: Path) -> None:
    """It was written before the file was last changed."""
    (tmp_path / "a.log").write_bytes(b"OutOfMemoryError\nNov 23 10:00:00 h OutOfMemoryError\n")
    os.utime(tmp_path / "a.log", (1_700_733_600, 1_700_733_600))

    first, second = match("-r", "oom.toml", "a.log").events

    assert first["time"].startswith("20231123T")
    assert second["time"].startswith("20231123T100000")


def test_logs_that_cannot_be_read_are_said_and_the_others_are_read(match: Match, tmp_path: Path) -> None:
    """1 when some could be read, 2 when nothing could be started."""
    (tmp_path / "a.log").write_bytes(LINES)
    (tmp_path / "x.bz2").write_bytes(b"BZh91AY")

    some = match("-r", "oom.toml", "none.log", "a.log", str(tmp_path), "x.bz2")

    assert some.code == 1
    assert len(some.events) == 2
    assert "error: none.log: No such file or directory" in some.err
    assert f"error: {tmp_path}: is a directory; name the files in it" in some.err
    assert "x.bz2: not read beyond offset 0 of its content: it ends in the middle of its bzip2 content" in some.err
    none = match("-r", "oom.toml", "none.log")
    assert (none.code, none.out) == (2, b"")


def test_a_damaged_archive_is_judged_up_to_the_damage(match: Match, tmp_path: Path) -> None:
    """What could be read is shown, and that it was not all is said."""
    data = gzip.compress(b"OutOfMemoryError: one\n" + os.urandom(100_000))
    (tmp_path / "a.gz").write_bytes(data[:50_000])

    for done in (match("-r", "oom.toml", "a.gz"), match("-r", "oom.toml", stdin=data[:50_000])):
        assert done.code == 1
        assert done.events[0]["content"] == "one"
        assert "not read beyond offset" in done.err


def test_a_line_over_the_limit_is_judged_by_its_head(match: Match) -> None:
    """64 KiB, as the agent does it; the rest is counted, and the lines behind it keep their numbers."""
    long = b"OutOfMemoryError: " + b"y" * 200_000 + b" OutOfMemoryError\nOutOfMemoryError: next\n"

    done = match("-r", "oom.toml", stdin=long)

    assert [each["meta"]["line_number"] for each in done.events] == [1, 2]
    assert len(done.events[0]["content"]) == 65536 - 18
    assert "134499 bytes behind the limit of a line" in done.err


def test_a_rule_that_takes_too_long_is_said(match: Match, tmp_path: Path) -> None:
    """By place, never by text; other lines are judged (spec, section 4 "Time limits")."""
    (tmp_path / "slow.toml").write_text(
        '[[rule]]\nid = "slow"\nmatch = \'^(?:a|a|ab)+$\'\nmatch_timeout = "20ms"\nevent = "E"\n'
    )

    done = match("-r", "slow.toml", "--summary", stdin=b"aa\n" + b"ab" * 40 + b"!" + b"\naab\n")

    assert [each["content"] for each in done.events] == ["aa", "aab"]
    if "warning" in done.err:
        assert "rule 'slow' did not finish within match_timeout on 1 lines" in done.err
        assert "the first: 81 bytes at offset 3 of -" in done.err


def test_broken_rules_start_nothing(match: Match, tmp_path: Path) -> None:
    """Exit code 2, with file, line, rule and the column in the pattern."""
    (tmp_path / "bad.toml").write_text('[[rule]]\nid = "bad"\nmatch = "(a"\nevent = "E"\n')

    done = match("-r", "bad.toml", "oom.toml", stdin=LINES)

    assert (done.code, done.out) == (2, b"")
    assert "error: bad.toml:3:1: rule 'bad': 'match' is not a valid pattern at column 3 of the pattern" in done.err


def test_names_that_are_no_text_are_read(match: Match, tmp_path: Path) -> None:
    """The name of a file may hold any bytes; JSON holds text."""
    name = os.fsdecode(b"a\xff.log")
    (tmp_path / name).write_bytes(b"OutOfMemoryError\n")

    (event,) = match("-r", "oom.toml", name).events

    assert event["meta"]["path"] == "a\ufffd.log"


COMMAND = [sys.executable, "-m", "shipper", "match", "-r", "oom.toml"]


def test_a_reader_that_has_enough_ends_it_quietly(match: Match, tmp_path: Path) -> None:
    """`| head -1`: no traceback, no complaint."""
    (tmp_path / "a.log").write_bytes(b"OutOfMemoryError\n" * 50_000)
    with subprocess.Popen([*COMMAND, "a.log"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"{")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let programs that are started obey SIGINT: a shell has its background jobs ignore it, and they inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_live_pipe_is_shown_as_it_comes_until_ctrl_c(match: Match, tmp_path: Path) -> None:
    """`tail -f LOG | shipper match`: events at once, the summary at the end, exit code 130."""
    with subprocess.Popen(
        [*COMMAND, "--summary"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        for word in ("one", "two"):
            process.stdin.write(f"OutOfMemoryError: {word}\nunfinished".encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["content"] == word
            process.stdin.write(b"\n")
            process.stdin.flush()
        process.send_signal(signal.SIGINT)
        said = process.stderr.read().decode()
        eventually(lambda: process.poll() is not None)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert "2 matched" in said


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("size", [1, 50_000])
def test_output_that_cannot_be_written_is_one_clear_message(match: Match, tmp_path: Path, size: int) -> None:
    """A full disk behind `>`: the work failed, 1, and no traceback."""
    (tmp_path / "a.log").write_bytes(b"OutOfMemoryError\n" * size)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([*COMMAND, "a.log"], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE)

    assert done.returncode == 1
    assert done.stderr == b"error: the output cannot be written: No space left on device\n"


NEWER = OOM.replace('"harmless"', '"nothing"').replace("{reason|unknown}", "{reason|no reason}")


def test_what_an_edit_of_rules_would_change(match: Match, tmp_path: Path) -> None:
    """Events gained, lost and altered, by rule and record; the summary counts them and says what searching takes."""
    (tmp_path / "new.toml").write_text(NEWER)
    (tmp_path / "a.log").write_bytes(LINES + b"\n")

    done = match("-r", "new.toml", "--diff", "oom.toml", "app.toml", "a.log")
    back = match("-r", "oom.toml", "app.toml", "--diff", "new.toml", "--json", "a.log")

    assert done.code == 0
    assert done.out.decode().splitlines() == [
        "+ a.log:3 oom: OutOfMemory: no reason",
        "~ a.log:4 oom",
        "    content: unknown → no reason",
    ]
    assert "4 lines: 1 events gained, 0 lost, 1 altered, 1 the same" in done.err
    assert "a line with the old rules" in done.err
    changes = [json.loads(line) for line in back.out.splitlines()]
    assert [(each["change"], each["line_number"]) for each in changes] == [("lost", 3), ("altered", 4)]
    assert (changes[0]["old"]["content"], changes[0]["new"]) == ("no reason", None)


def test_the_same_rules_change_nothing(match: Match) -> None:
    done = match("-r", "oom.toml", "--diff", "oom.toml", stdin=LINES)
    assert (done.code, done.out) == (0, b"")
    assert "0 events gained, 0 lost, 0 altered, 2 the same" in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--diff", "oom.toml", "--missed"), "--diff has a summary of its own"),
        (("--json",), "--json belongs to --diff"),
    ],
)
def test_options_that_do_not_go_together(match: Match, options: tuple[str, ...], said: str) -> None:
    done = match("-r", "oom.toml", *options, stdin=LINES)
    assert done.code == 2
    assert said in done.err


def test_held_back_events_are_told_at_the_end(match: Match, tmp_path: Path) -> None:
    """A throttled rule counts its lines as matched, and a shadow is marked."""
    limited = '[rule.throttle]\nmax = 1\nper = "1m"\nsummary = "{count} more"\n'
    (tmp_path / "limited.toml").write_text(OOM.replace("group_id = 7", "group_id = 7\nshadow = true") + limited)
    done = match("-r", "limited.toml", "--summary", stdin=b"OutOfMemoryError\n" * 4)

    assert [each["content"] for each in done.events] == ["unknown", "3 more"]
    assert all(each["meta"]["shadow"] for each in done.events)
    assert "4 lines: 4 matched, 0 ignored, 0 missed; 2 events" in done.err
