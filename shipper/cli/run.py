"""`shipper run`: the agent in the foreground. Parsed with the standard library: no terminal library is loaded."""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from shipper import telemetry
from shipper.config.load import default_file, load_config
from shipper.errors import ConfigurationError, Problem, ShipperError
from shipper.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from shipper.agent.supervisor import Agent
    from shipper.config.model import Config
    from shipper.web.server import WebServer

DESCRIPTION = "Follow the configured logs, turn lines into events, and send them, until SIGTERM or SIGINT."
EPILOG = """signals:
  SIGTERM, SIGINT   stop reading, commit, send what waits until drain_timeout,
                    exit 0; a second one stops at once (130)
  SIGHUP            read the configuration and the rules again

examples:
  shipper run
  shipper run -c ./shipper.toml
"""


def main(arguments: Sequence[str]) -> int:
    """Run the agent until a signal ends it; gives the exit code."""
    parser = argparse.ArgumentParser(
        "shipper run", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration (default: $SHIPPER_CONFIG, then /etc/shipper/shipper.toml)",
    )
    options = parser.parse_args(arguments)
    _keep_standard_streams()
    try:
        return _run(options.config or default_file())
    except ShipperError as error:
        problems = error.problems if isinstance(error, ConfigurationError) else (error,)
        for problem in problems:
            word = "" if isinstance(problem, Problem) and problem.warning else "error: "
            if sys.stderr is not None:
                sys.stderr.write(f"{word}{printable(str(problem))}\n")
        return error.exit_code


def _keep_standard_streams() -> None:
    """Open those that are closed, or the next file would be what libraries take for stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # the lowest that is free
            os.open(os.devnull, os.O_RDWR)


def _allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: each followed file holds a descriptor (hazard 6.1)."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _web(config: Config, agent: Agent) -> WebServer:
    """Take the address of `[http]`; an agent that cannot have it gives everything back."""
    # who does not listen does not pay for it
    from shipper.web.access import access_of
    from shipper.web.server import WebServer

    try:
        web = WebServer(config.http.listen or "", access_of(config), agent)
    except ShipperError:
        agent.close()
        raise
    telemetry.http_listens(config.http.listen or "")
    return web


def _run(file: Path) -> int:
    # before all that takes time: the first process of a container ends by no signal that it does not listen to
    wake, stopping, hung_up = threading.Event(), threading.Event(), threading.Event()

    def heard(number: int, _: FrameType | None) -> None:
        if number == signal.SIGHUP:
            hung_up.set()
        elif stopping.is_set():
            # the person has said it twice: nothing is lost by stopping here, the store holds it
            os._exit(130)
        else:
            stopping.set()
        wake.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, heard)
    config, warnings = load_config(file)
    telemetry.configure(config.log_level, config.log_format)
    for warning in warnings:
        telemetry.configuration_warning(str(warning))
    from shipper.agent.service_manager import ServiceManager
    from shipper.agent.supervisor import Agent

    _allow_many_files()
    agent = Agent(config)
    web = None if config.http.listen is None else _web(config, agent)
    agent.start()
    if web is not None:
        web.start()
    manager = ServiceManager(os.environ)
    manager.ready()
    while not (stopping.is_set() or agent.failed.is_set()):
        # the time-out only bounds how late a failed loop is noticed
        wake.wait(1.0)
        wake.clear()
        if hung_up.is_set():
            hung_up.clear()
            manager.reloading()
            agent.reload()
            manager.ready()
        manager.tell(agent.survey.summary(), makes_progress=agent.survey.makes_progress())
    manager.stopping()
    if web is not None:
        web.stop()
    agent.stop()
    return 1 if agent.failed.is_set() else 0
