"""A log named on a command line, be it a file (plain or compressed), a pipe or stdin, as blocks with line numbers."""

from __future__ import annotations

import os
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from shipper.cli.terminal import say
from shipper.tailing.archives import open_content
from shipper.tailing.files import HOST_FILES, LogFile, UnreadableError
from shipper.tailing.open_log import OpenLog
from shipper.tailing.streams import StreamedLog, is_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from shipper.config.model import SourceTable
    from shipper.tailing.archives import CompressedLog

STDIN = "-"


@contextmanager
def open_log(name: str, source: SourceTable | None) -> Iterator[OpenLog]:
    """Open a log, to be read as a file of a source if there is one; `-` is stdin.

    Raises:
        UnreadableError: it is missing, not permitted, or nothing that can be read.
    """
    if name == STDIN:
        stream = sys.stdin.buffer
        if stream.isatty():
            say("Lines are read from the terminal; Ctrl-D ends them.", "dim")
        yield OpenLog(_read_stream(stream), name, source)
    elif os.path.isdir(name):
        raise UnreadableError(f"is a directory; name the files in it, such as {os.path.join(name, '*.log')}")
    elif is_stream(name):
        try:
            pipe = open(name, "rb", buffering=0)  # noqa: SIM115  closed two lines below
        except OSError as error:
            raise UnreadableError(error.strerror or str(error), error.errno) from None
        with pipe:
            yield OpenLog(_read_stream(pipe), name, source)
    else:
        with closing(_open_file(name)) as content:
            yield OpenLog(content, name, source, os.stat(name).st_mtime)


def _read_stream(stream: BinaryIO) -> StreamedLog:
    try:
        return StreamedLog(stream)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None


def _open_file(name: str) -> LogFile | CompressedLog:
    try:
        return open_content(HOST_FILES, name)
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from None
