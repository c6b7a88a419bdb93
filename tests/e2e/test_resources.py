"""A real agent with few descriptors, with a busy neighbour, with a deaf watcher, in a hostile directory."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shipper.cloudmonitor.emulator import Emulator, Settings
from tests.conftest import eventually
from tests.e2e.host import Host, journal
from tests.e2e.inotify import LONGEST_QUEUE, UnreadQueue

FILES = 500
FEW_DESCRIPTORS = ("sh", "-c", 'ulimit -n 64 && exec "$@"', "sh")
BUSY_BYTES = 512 * 1024 * 1024
BIGGEST_FLOOD = 200_000
NAMES = (
    b"plain.log",
    b"new\nline.log",
    b"quo'\"te.log",
    b"back\\slash.log",
    b"inv\xff\xfealid.log",
    b"esc\x1b[31m.log",
    b"{line}.log",
    b"%s%n.log",
    b" .log",
    b"-rf.log",
    b"[a-z]*.log",
    "日志.log".encode(),
)
EVERYTHING = "[[rule]]\nid = 'all'\nmatch = '.'\nevent = 'E'\ncontent = '{file}'\n"


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=tmp_path / "accepted.jsonl", qps=0)) as running:
        yield running


@pytest.fixture
def host(tmp_path: Path, emulator: Emulator) -> Host:
    return Host(tmp_path, emulator)


def numbers(host: Host) -> Counter[int]:
    return Counter(int(str(event["content"]).rsplit(" ", 1)[1]) for event in journal(host.root / "accepted.jsonl"))


def test_few_descriptors_and_many_growing_files(host: Host) -> None:
    """64 descriptors, 500 files: every line arrives once, and uploads go on meanwhile (hazard 6.1)."""
    host.through = FEW_DESCRIPTORS
    host.start()
    host.write("0.log", f"ERROR {3 * FILES}")
    eventually(lambda: len(numbers(host)) == 1)
    for turn in range(3):
        for number in range(FILES):
            host.write(f"{number}.log", f"ERROR {turn * FILES + number}")
        eventually(lambda turn=turn: len(numbers(host)) > (turn + 1) * FILES, 60)  # type: ignore[misc]

    assert host.stop() == 0
    assert numbers(host) == Counter(range(3 * FILES + 1))
    assert "Traceback" not in host.log.read_text()


def test_few_descriptors_and_many_files_before_the_start(host: Host) -> None:
    """64 descriptors, 500 files at the start: some descriptors are kept for the service and the store (hazard 6.1)."""
    host.through = FEW_DESCRIPTORS
    for number in range(FILES):
        host.write(f"{number}.log", f"ERROR {number}")
    host.start()
    eventually(lambda: len(numbers(host)) == FILES or host.running.poll() is not None)

    assert host.running.poll() is None
    assert host.stop() == 0
    assert numbers(host) == Counter(range(FILES))


def test_an_overflown_queue_of_hints_hides_nothing(host: Host) -> None:
    """Hints that the kernel dropped, renames among them, are made good at once; later hints come (hazard 2.2)."""
    longest = int(LONGEST_QUEUE.read_text())
    if longest > BIGGEST_FLOOD:
        pytest.skip(f"{LONGEST_QUEUE} is {longest}: a flood would take too long")
    # nothing but a hint brings a scan in the time of this test
    host.config.write_text(host.config.read_text().replace('scan_interval = "500ms"', 'scan_interval = "1h"'))
    host.write("a.log", "ERROR 0")
    host.start()
    eventually(lambda: numbers(host) == Counter([0]))
    with closing(UnreadQueue(host.logs)) as queue:
        host.running.send_signal(signal.SIGSTOP)
        for number in range(longest // 2 + 50):
            path = host.logs / f"{number}.tmp"
            path.touch()
            path.unlink()
        host.write("a.log", "ERROR 1")
        host.rename("a.log")
        host.write("a.log.1", "ERROR 2")
        host.write("a.log", "ERROR 3")
        host.write("new.log", "ERROR 4")
        host.running.send_signal(signal.SIGCONT)
        assert queue.overflowed()
    eventually(lambda: len(numbers(host)) == 5)
    host.write("newer.log", "ERROR 5")
    eventually(lambda: len(numbers(host)) == 6)

    assert host.stop() == 0
    assert numbers(host) == Counter(range(6))


def test_a_quiet_file_beside_an_endless_one(host: Host) -> None:
    """While a program writes as fast as the disk allows, each line of a quiet file arrives (hazard 6.2)."""
    stop = threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        chunk = b"nothing to see here, only very much of it\n" * 25_000
        with (host.logs / "busy.log").open("ab", buffering=0) as file:
            while written < BUSY_BYTES and not stop.is_set():
                written += file.write(chunk)

    host.write("quiet.log")
    host.start()
    writer = threading.Thread(target=write)
    writer.start()
    waited = []
    try:
        for number in range(10):
            before = time.monotonic()
            host.write("quiet.log", f"ERROR {number}")
            eventually(lambda number=number: numbers(host)[number])  # type: ignore[misc]
            waited.append(round(time.monotonic() - before, 3))
    finally:
        stop.set()
        writer.join()
    sys.stdout.write(f"bytes written meanwhile {written}\n")
    sys.stdout.write(f"seconds from line to acknowledgement {waited}\n")

    assert host.stop() == 0
    assert numbers(host) == Counter(range(10))


def make_hostile_content(logs: Path) -> list[int]:
    """Make files of odd content, each with a line behind it that a rule wants; gives their numbers."""
    contents = {
        "binary.log": random.Random(7).randbytes(300_000),
        "controls.log": bytes(range(32)) * 1000,
        "escapes.log": b"\x1b]0;owned\x07\x1b[2J" * 100,
        "half-characters.log": "错误".encode()[:-1] * 5000,
        "json.log": b'{"log":"' * 5000,
        "long.log": b"x" * 10_000_000,
        "nul.log": bytes(100_000),
    }
    for number, (name, content) in enumerate(contents.items(), 100):
        (logs / name).write_bytes(content + b"\nERROR %d\n" % number)
    with (logs / "sparse.log").open("wb") as file:
        file.seek(5 * 2**40)
        file.write(b"\nERROR 200\n")
    with (logs / "sparse-line.log").open("wb") as file:
        file.write(b"y" * 100_000)
        file.seek(5 * 2**40)
        file.write(b"\nERROR 201\n")
    with (logs / "only-hole.log").open("wb") as file:
        file.truncate(5 * 2**40)
    return [*range(100, 100 + len(contents)), 200, 201]


def test_a_hostile_directory_harms_nobody(host: Host) -> None:
    """Odd names and contents are read, odd files skipped, nothing blocks or forges a line of our log (2.6, 10.3)."""
    expected = [*range(len(NAMES)), *make_hostile_content(host.logs)]
    os.mkfifo(host.logs / "fifo.log")
    (host.logs / "directory.log").mkdir()
    (host.logs / "device.log").symlink_to("/dev/zero")
    (host.logs / "dangling.log").symlink_to("nowhere")
    (host.logs / "loop.log").symlink_to("pool.log")
    (host.logs / "pool.log").symlink_to("loop.log")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        there = os.open(host.logs, os.O_RDONLY)
        try:
            # the path of a socket is short: by way of the directory's descriptor
            listening.bind(f"/proc/self/fd/{there}/socket.log")
        finally:
            os.close(there)
        host.start()
        for number, name in enumerate(NAMES):
            with open(os.fsencode(host.logs) + b"/" + name, "w") as file:
                file.write(f"ERROR {number}\n")
        os.link(host.logs / "plain.log", host.logs / "twice.log")
        eventually(lambda: set(expected) <= set(numbers(host)))
        host.write("plain.log", "ERROR 300")
        eventually(lambda: numbers(host)[300])
        status = subprocess.run(
            [sys.executable, "-m", "shipper", "status", "--all", "-c", str(host.config)],
            capture_output=True,
            timeout=30,
        )
        assert host.stop() == 0

    assert status.returncode == 0, status
    assert status.stdout.startswith(b"healthy\n")
    assert b"\x1b" not in status.stdout
    assert numbers(host) == Counter([*expected, 300])
    told = host.log.read_bytes()
    assert b"Traceback" not in told
    assert b"\x1b" not in told
    assert b"line.log" not in {line[:8] for line in told.split(b"\n")}
    assert len(told) < 20_000
    for skipped in (b"fifo.log", b"device.log", b"dangling.log", b"loop.log", b"socket.log"):
        assert skipped in told


def test_the_agent_does_not_read_its_own_log(host: Host) -> None:
    """A glob that names it, every level told and a rule for every line: what it says makes nothing to say (6.6)."""
    text = host.config.read_text().replace(f"{host.logs}/*.log", f"{host.root}/**/*.log")
    host.config.write_text(f'log_level = "debug"\n{text}')
    host.rules.write_text(EVERYTHING)
    host.start()
    host.write("a.log", "one", "two")
    eventually(lambda: len(journal(host.root / "accepted.jsonl")) == 2)
    size = host.log.stat().st_size
    for turn in range(20):
        host.write("a.log", f"{turn}")
        eventually(lambda turn=turn: len(journal(host.root / "accepted.jsonl")) == 3 + turn)  # type: ignore[misc]
    assert host.stop() == 0

    assert host.log.stat().st_size < size + 10_000
    assert {event["content"] for event in journal(host.root / "accepted.jsonl")} == {"a.log"}
