"""`shipper demo`: the whole system on one screen, without account or configuration."""

from __future__ import annotations

import os
import secrets
import signal
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson
from rich.table import Table
from rich.text import Text

from shipper import telemetry
from shipper.agent.supervisor import Agent
from shipper.cli.proposing.known_programs import KNOWN
from shipper.cli.replay import Replay
from shipper.cli.terminal import data, safe, say, talk
from shipper.cloudmonitor.emulator.server import Emulator
from shipper.cloudmonitor.emulator.settings import DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, Settings
from shipper.config.model import CloudMonitorTable, Config, CredentialsTable, Secret, SourceTable, StoreTable
from shipper.matching.shipped import shipped_rule_files

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.outbox.store import Waiting

HOST_LOGS = tuple(log for known in KNOWN if known.form == "plain" for log in known.logs)
QUIET_SECONDS = 5.0
LINES_A_SECOND = 40


class Screen:
    """Shows events as they are acknowledged: the newest below, and what did not fit as a number."""

    def __init__(self, stop: threading.Event) -> None:
        """Show; `stop` is set when nobody reads on (`shipper demo | head`)."""
        self._stop = stop
        self.by_name: Counter[str] = Counter()
        self._shown_in = (0, 0)
        self._left_out = 0

    def show(self, delivered: Sequence[Waiting]) -> None:
        """Show acknowledged events; called by the uploader's thread."""
        try:
            self._show(delivered)
        except BrokenPipeError:
            self._stop.set()

    def _show(self, delivered: Sequence[Waiting]) -> None:
        for waiting in delivered:
            event = orjson.loads(waiting.payload)
            self.by_name[event["name"]] += 1
            second = int(time.monotonic())
            if self._shown_in[0] != second:
                self._tell_left_out()
                self._shown_in = (second, 0)
            self._shown_in = (second, self._shown_in[1] + 1)
            if self._shown_in[1] > LINES_A_SECOND:
                self._left_out += 1
                continue
            line = Text.assemble(
                (f"{event['time']}  ", "dim"),
                (safe(f"{event['name']:<24}"), "bold cyan"),
                ("  " + safe(event["content"]).replace("\n", " ⏎ ")),
            )
            console = data()
            line.truncate(console.width if console.is_terminal else 400, overflow="ellipsis")
            console.print(line)

    def _tell_left_out(self) -> None:
        if self._left_out:
            say(f"  … and {self._left_out} more in this second", "dim")
            self._left_out = 0


@click.command("demo")
@click.argument("logs", nargs=-1, type=click.Path())
def command(logs: tuple[str, ...]) -> int:
    """Run the whole system on one screen, without account or configuration.

    An emulated CloudMonitor, the agent and the shipped rules run on the given LOGS (files or globs), or this host's, or
    on a replayed sample where the host's have nothing to show. Events appear as they are acknowledged; Ctrl-C ends.

    \b
      shipper demo
      shipper demo /var/log/nginx/error.log
    """
    stop = threading.Event()

    def heard(_number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, heard)
    telemetry.configure("error", "text")
    with tempfile.TemporaryDirectory(prefix="shipper-demo-") as scratch:
        return _demonstrate(tuple(os.path.abspath(log) for log in logs), Path(scratch), stop)


def _demonstrate(logs: tuple[str, ...], scratch: Path, stop: threading.Event) -> int:
    screen = Screen(stop)
    sample = scratch / "sample"
    sample.mkdir()
    began = time.monotonic()
    # the page shows lines of this host's logs: only who was given the link may see it
    token = secrets.token_urlsafe(16)
    with Emulator(Settings(page_token=token)) as emulator:
        config = _configuration(logs or HOST_LOGS, sample, scratch / "state", emulator.url)
        agent = Agent(config, delivered=screen.show)
        say(f"An emulated CloudMonitor listens at {emulator.url}; as a page: {emulator.url}/?token={token}")
        say(
            "Reading " + (", ".join(logs) if logs else "this host's logs") + ". Events, as they are acknowledged:",
            "dim",
        )
        agent.start()
        replay: Replay | None = None
        while not stop.wait(0.2) and not agent.failed.is_set():
            if replay is None and not logs and not screen.by_name and time.monotonic() - began > QUIET_SECONDS:
                say("This host's logs hold nothing that the shipped rules look for: replaying a sample.", "yellow")
                replay = Replay(sample)
                replay.start()
        say("")
        if replay is not None:
            replay.stop()
        agent.stop()
        _summarise(screen, emulator, time.monotonic() - began)
    return 1 if agent.failed.is_set() else 0


def _configuration(logs: tuple[str, ...], sample: Path, state: Path, endpoint: str) -> Config:
    keys = CredentialsTable(access_key_id=DEFAULT_KEY_ID, access_key_secret=Secret(DEFAULT_KEY_SECRET))
    return Config(
        state_dir=str(state),
        rules=tuple(str(file) for file in shipped_rule_files()),
        drain_timeout=3.0,
        cloudmonitor=CloudMonitorTable(endpoint=endpoint, credentials=keys),
        store=StoreTable(min_free_disk=0),
        source=(
            SourceTable(name="host", paths=logs, start_at="beginning", scan_interval=1.0),
            SourceTable(name="sample", paths=(f"{sample}/*.log",), start_at="beginning", scan_interval=1.0),
        ),
    )


def _summarise(screen: Screen, emulator: Emulator, seconds: float) -> None:
    stats = emulator.stats()
    table = Table("event name", "acknowledged", title=None, box=None, header_style="bold")
    for name, amount in screen.by_name.most_common():
        table.add_row(safe(name), str(amount))
    if screen.by_name:
        talk().print(table)
    say(
        f"{screen.by_name.total()} events acknowledged in {seconds:.0f} s, {stats.requests} requests; "
        f"the emulator holds {stats.events}. Nothing was sent anywhere else."
    )
    say("Next: `shipper match -r RULES.toml LOG` tries your own rules; `shipper run --help` is the agent.", "dim")
