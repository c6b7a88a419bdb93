"""Archives as the usual programs write them, in the ways logrotate calls them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from shipper.tailing.archives import CompressedLog, open_content
from shipper.tailing.files import HOST_FILES
from tests.system.programs import program

pytestmark = pytest.mark.system
CONTENT = b"".join(b"line %d\n" % n for n in range(300_000))


@pytest.mark.parametrize(
    "command",
    [
        "gzip -1",
        "gzip -9 --rsyncable",
        "bzip2 -9",
        "xz -9e",
        "xz -T2 --block-size=100000",
        "xz --check=sha256",
        "zstd -1",
        "zstd -19 -T2",
        "zstd --long=27 --check",
        "zstd --long=28",
    ],
)
def test_what_the_programs_write_is_read(tmp_path: Path, command: str) -> None:
    """From a pipe, so without a size, and two archives in one file (hazard 1.12)."""
    name, *options = command.split()
    packed = subprocess.run([program(name), *options, "-c"], input=CONTENT, stdout=subprocess.PIPE, check=True).stdout
    (tmp_path / "a").write_bytes(packed * 2)
    log = open_content(HOST_FILES, str(tmp_path / "a"))
    assert isinstance(log, CompressedLog)
    data = log.read_at(0, 3 * len(CONTENT))
    fault = log.fault
    log.close()

    if "--long=28" in command:
        # a window of 256 MiB is more than a log is worth (hazard 10.3)
        assert (data, fault is None) == (b"", False)
    else:
        assert (data, fault) == (CONTENT * 2, None)
