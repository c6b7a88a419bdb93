"""`shipper offsets`: the positions of files, looked at and changed by hand (spec, section 2)."""

from __future__ import annotations

import dataclasses
import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click
import orjson

from shipper.cli.config_option import config_option, read_for_state
from shipper.cli.terminal import data, say
from shipper.cloudmonitor import batching
from shipper.errors import ConfigurationError, ShipperError
from shipper.outbox.lock import StateLock, holder_of
from shipper.outbox.reader import StoreReader
from shipper.outbox.store import Store
from shipper.printable import printable, printable_path
from shipper.tailing.decoding import newline_of, resolve
from shipper.tailing.files import MAGIC_BYTES, LogFile, UnreadableError, compression_of
from shipper.tailing.formats import assembler_of
from shipper.tailing.globs import excluded, has_magic, path_pattern
from shipper.tailing.surroundings import log_of
from shipper.tailing.tailer import Tailer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shipper.config.model import Config, SourceTable
    from shipper.events import Checkpoint

_CHUNK = 64 * 1024


@click.group("offsets", short_help="List the positions of files, or change them by hand.")
def command() -> None:
    """List how far every file was read, or change it. Changes are refused while the agent runs.

    \b
    Examples:
      shipper offsets list '/var/log/app/*'
      shipper offsets set /var/log/app/app.log end
      shipper offsets forget /var/log/app/app.log
    """


@command.command("list")
@config_option()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array.")
@click.argument("globs", metavar="[GLOB]...", nargs=-1)
def list_offsets(globs: tuple[str, ...], config_file: Path | None, *, as_json: bool) -> int:
    """List offset, device:inode, source and path of every known file; also while the agent runs."""
    directory = read_for_state(config_file).config.state_path
    found: list[Checkpoint] = []
    if (directory / "shipper.db").exists():
        with closing(StoreReader(directory)) as reader:
            found = sorted(reader.checkpoints(), key=lambda each: (each.path, each.identity.node))
    found = [each for each in found if not globs or excluded(each.path, tuple(globs))]
    if as_json:
        shown = [
            {
                "path": printable_path(each.path),
                "source": each.source,
                "offset": each.offset,
                "device": each.identity.device,
                "inode": each.identity.inode,
                "generation": each.identity.generation,
                "finished": each.finished,
            }
            for each in found
        ]
        data().out(orjson.dumps(shown, option=orjson.OPT_INDENT_2).decode())
        return 0
    for each in found:
        data().out(
            printable(
                f"{each.offset:>14}  {each.identity.device}:{each.identity.inode}  {each.source}  "
                f"{printable_path(each.path)}"
            )
        )
    if not found:
        say("no position is known" + (" of such a file" if globs else ""))
    return 0


@command.command("set")
@config_option()
@click.option("--exact", is_flag=True, help="Take the offset as it is, also in the middle of a line.")
@click.argument("path")
@click.argument("offset")
def set_offset(path: str, offset: str, config_file: Path | None, *, exact: bool) -> int:
    """Read PATH from OFFSET on: a number of bytes, `start` or `end`. Moved back to the beginning of its line.

    \b
    Examples:
      shipper offsets set /var/log/app/app.log 4096
      shipper offsets set /var/log/app/app.log start
    """
    readable = read_for_state(config_file)
    if wrong := readable.wrong_in("source"):
        # where a line begins depends on the encoding and the format of its source
        raise ConfigurationError(wrong)
    config = readable.config
    full = os.path.abspath(path)
    with _locked_store(config.state_path) as store:
        try:
            file = LogFile.open(full)
        except (UnreadableError, OSError) as error:
            raise ShipperError(f"{full} cannot be read: {error}") from None
        with closing(file):
            known = [each for each in store.checkpoints() if each.identity.may_be(file.identity)]
            source = _source(config, full, known)
            if compression_of(file.read_at(0, MAGIC_BYTES)):
                raise ShipperError(f"{full} is compressed; positions are for plain files, see `shipper backfill`")
            tailer = Tailer(
                file,
                full,
                source.origin,
                max_line_bytes=source.max_line_bytes,
                partial_timeout=source.partial_timeout,
                assembler=assembler_of(source),
            )
            size = file.status().st_size
            wanted = _wanted(offset, size, full)
            newline = newline_of(resolve(source.encoding, file.read_at(0, 4)))
            chosen = wanted if exact else _line_start(file, wanted, newline)
            tailer.move_to(chosen)
            checkpoint = dataclasses.replace(tailer.checkpoint(), source=known[0].source if known else source.name)
        store.record([checkpoint], forgotten=[each.identity for each in known])
        store.sync()
    moved = f" (the beginning of the line that holds byte {wanted})" if chosen != wanted else ""
    say(f"{printable(printable_path(full))} is read from byte {chosen} on{moved}")
    return 0


@command.command("forget")
@config_option()
@click.argument("path")
def forget_offset(path: str, config_file: Path | None) -> int:
    """Forget the positions of PATH, or of all known files that a glob matches, as if they had never been seen.

    Such a file is then read from its beginning, or as `start_at` says when its source was never scanned.

    \b
    Example:
      shipper offsets forget '/var/log/app/*.log'
    """
    directory = read_for_state(config_file).config.state_path
    full = os.path.abspath(path)
    with _locked_store(directory) as store:
        known = store.checkpoints()
        # a path that holds glob characters is itself first of all
        found = [each for each in known if each.path == full] or [each for each in known if _fits(full, each.path)]
        if not found:
            raise ShipperError(f"no position of {full} is known; `shipper offsets list` shows those that are")
        store.record([], forgotten=[each.identity for each in found], past={log_of(each.path): [] for each in found})
        store.sync()
    for each in found:
        say(f"forgotten: {printable(printable_path(each.path))} ({each.identity.device}:{each.identity.inode})")
    return 0


def _fits(glob: str, path: str) -> bool:
    """Tell whether a glob means a path itself, and not only a directory that it is in."""
    if not has_magic(glob) or not path_pattern(glob).fullmatch(path):
        return False
    return "**" in glob or glob.count("/") == path.count("/")


@contextmanager
def _locked_store(directory: Path) -> Iterator[Store]:
    if not (directory / "shipper.db").exists():
        raise ShipperError(f"there is no store in {directory}: the agent has never run; positions come with its first")
    pid = holder_of(directory)
    if pid is not None:
        raise ShipperError(f"the agent runs (pid {pid}) and {directory} is in use; stop it, then change positions")
    with closing(StateLock(directory)), closing(Store(directory, batching.encode)) as store:
        yield store


def _source(config: Config, path: str, known: list[Checkpoint]) -> SourceTable:
    for source in config.source:
        if known and source.name == known[0].source:
            return source
    for source in config.source:
        if any(path_pattern(glob).fullmatch(path) for glob in source.paths) and not excluded(path, source.exclude):
            return source
    raise ShipperError(f"no source reads {path}; give a path that the 'paths' of a source match")


def _wanted(offset: str, size: int, path: str) -> int:
    if offset in {"start", "end"}:
        return size if offset == "end" else 0
    if not (offset.isascii() and offset.isdigit() and len(offset) < 20):
        raise click.UsageError(f"OFFSET must be a number of bytes, 'start' or 'end', not '{offset}'")
    wanted = int(offset)
    if wanted > size:
        raise ShipperError(f"{path} has {size} bytes, fewer than {wanted}; give an offset up to its size, or 'end'")
    return wanted


def _line_start(file: LogFile, wanted: int, newline: bytes) -> int:
    """Give the beginning of the line that a byte lies in; the file is read backwards piece by piece."""
    width = len(newline)
    end = wanted - wanted % width
    while end > 0:
        start = max(0, end - _CHUNK)
        data = file.read_at(start, end - start)
        found = data.rfind(newline)
        while found > 0 and found % width:
            found = data.rfind(newline, 0, found + width - 1)
        if found >= 0 and found % width == 0:
            return start + found + width
        end = start
    return 0
