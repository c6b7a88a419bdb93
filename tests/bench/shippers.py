"""Programs that ship logs, each doing the same job: read `*.log` of a directory, send what matches to the sink.

Each is started as its user would start it, with its own configuration made of the same rules; each sends the line and
the rule's name. Every one of them is ready when a line that was there before its start has arrived.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Final

from tests.bench.families import BenchRule, rule_file
from tests.bench.processes import ROOT, pinned, wait_until

BATCH: Final = 100


class Shipper(ABC):
    """One program at work on a directory of its own; use it once."""

    name: ClassVar[str]

    def __init__(self, root: Path, rules: Sequence[BenchRule], port: int) -> None:
        """Write its configuration.

        Args:
            root: for everything that it has; `logs` in it is what it reads.
            rules: what it looks for.
            port: where the sink listens.
        """
        self.root = root
        self.logs = root / "logs"
        self.logs.mkdir(parents=True)
        self.log = root / "said.txt"
        self._process: subprocess.Popen[bytes] | None = None
        self._configure(list(rules), port)

    @abstractmethod
    def _configure(self, rules: list[BenchRule], port: int) -> None:
        """Write what it needs below `root`."""

    @abstractmethod
    def _command(self) -> list[str]:
        """Give the command that runs it in the foreground."""

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """Tell why it cannot be measured here; None when it can."""

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None
        return self._process.pid

    def start(self, core: int) -> None:
        """Start it on a core; raises `RuntimeError` when it ends at once."""
        with pinned(core), self.log.open("ab") as said:
            # its own directory, so that what it finds there is what was written there
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            self._process = subprocess.Popen(
                self._command(), stdout=said, stderr=said, stdin=subprocess.DEVNULL, cwd=self.root, env=environment
            )

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def said(self) -> str:
        """Give what it printed."""
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """End it, and wait; raises `RuntimeError` when it had ended by itself."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self._process.returncode}: {self.said()[-2000:]}")
        self.signal(signal.SIGTERM)
        try:
            self._process.wait(60)
        finally:
            self._process.kill()
            self._process.wait()


class Agent(Shipper):
    """`shipper run`, without a quota."""

    name = "shipper"

    def _configure(self, rules: list[BenchRule], port: int) -> None:
        (self.root / "rules.toml").write_text(rule_file(rules))
        config = self.root / "shipper.toml"
        config.write_text(
            f"""
state_dir = "{self.root}/state"
rules = ["rules.toml"]
[cloudmonitor]
endpoint = "http://127.0.0.1:{port}"
max_requests_per_second = 0
[cloudmonitor.credentials]
access_key_id = "testkey"
access_key_secret = "testsecret"
[store]
min_free_disk = 0
[[source]]
name = "bench"
paths = ["{self.logs}/**/*.log"]
start_at = "beginning"
"""
        )
        config.chmod(0o600)

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "shipper", "run", "-c", str(self.root / "shipper.toml")]

    @classmethod
    def missing(cls) -> str | None:
        """It is here."""
        return None

    def reload(self, look: Callable[[], None]) -> None:
        """Have it read configuration and rules again; calls `look` again and again until they are in force."""
        before = self.said().count("Reloaded:")
        self.signal(signal.SIGHUP)

        def is_done() -> bool:
            look()
            return self.said().count("Reloaded:") > before

        wait_until(is_done, "the agent did not reload")


class InstalledAgent(Agent):
    """The program of an installed package; `SHIPPER_INSTALLED` names it where it lies elsewhere."""

    name = "shipper-installed"

    def _command(self) -> list[str]:
        return [_installed(), "run", "-c", str(self.root / "shipper.toml")]

    @classmethod
    def missing(cls) -> str | None:
        """Tell whether there is one."""
        return None if shutil.which(_installed()) else "no package is installed (make deb, make rpm)"


def _installed() -> str:
    return os.environ.get("SHIPPER_INSTALLED", "/opt/shipper/bin/shipper")


class FluentBit(Shipper):
    """Fluent Bit: a line that a rule finds gets its tag and goes to the sink by HTTP; `FLUENT_BIT` names the program.

    Its offsets are kept in a database of its own, as ours are.
    """

    name = "fluent-bit"

    def _configure(self, rules: list[BenchRule], port: int) -> None:
        judged = "\n".join(f"    Rule $log {rule.match} {rule.name} false" for rule in rules)
        places = ",".join(f"{self.logs}/{depth}*.log" for depth in ("", "*/"))
        (self.root / "fluent-bit.conf").write_text(
            f"""[SERVICE]
    Flush 0.2
    Daemon off
    Log_Level warn
[INPUT]
    Name tail
    Path {places}
    Tag line
    DB {self.root}/offsets.db
    Read_from_Head true
    Refresh_Interval 10
[FILTER]
    Name rewrite_tag
    Match line
{judged}
[OUTPUT]
    Name http
    Match_Regex ^(?!line$)
    Host 127.0.0.1
    Port {port}
    URI /event/custom/upload
    Format json
    Header_tag X-Event
"""
        )

    def _command(self) -> list[str]:
        return [_fluent_bit() or "fluent-bit", "-c", str(self.root / "fluent-bit.conf")]

    @classmethod
    def missing(cls) -> str | None:
        """Tell whether the program is given."""
        return None if _fluent_bit() else "fluent-bit is not given (FLUENT_BIT names its program)"


def _fluent_bit() -> str | None:
    return shutil.which(os.environ.get("FLUENT_BIT", "fluent-bit"))


class SyslogNg(Shipper):
    """syslog-ng: a filter for each rule, an event by HTTP in JSON arrays of at most as many events as ours."""

    name = "syslog-ng"

    def _configure(self, rules: list[BenchRule], port: int) -> None:
        # the fastest of the ways to write it that were tried: if and elif, a junction, a path each without `final`
        judged = "\n".join(
            f"""log {{
  source(logs);
  filter {{ match('{rule.match}' value("MESSAGE") type("pcre")); }};
  rewrite {{ set("{rule.name}", value("EVENT")); }};
  destination(sink);
  flags(flow-control, final);
}};"""
            for rule in rules
        )
        (self.root / "syslog-ng.conf").write_text(
            f"""@version: 3.38
options {{ stats-freq(0); log-fifo-size(1000000); keep-hostname(yes); use-dns(no); dns-cache(no); }};
source logs {{
  wildcard-file(
    base-dir("{self.logs}") filename-pattern("*.log") flags(no-parse) log-msg-size(65536)
    follow-freq(0.1) log-fetch-limit(10000) log-iw-size(100000) max-files(10)
  );
}};
destination sink {{
  http(
    url("http://127.0.0.1:{port}/event/custom/upload") method("POST") headers("Content-Type: application/json")
    body-prefix("[") delimiter(",") body-suffix("]")
    body('$(format-json --scope none --pair name="$EVENT" --pair content="$MESSAGE" --pair time="$ISODATE")')
    batch-lines({BATCH}) batch-timeout(10) workers(1)
  );
}};
{judged}
"""
        )

    def _command(self) -> list[str]:
        here = self.root
        return [
            *("syslog-ng", "-F", "--no-caps", "-f", f"{here}/syslog-ng.conf", "-R", f"{here}/persist"),
            *("-p", f"{here}/pid", "-c", f"{here}/control"),
        ]

    @classmethod
    def missing(cls) -> str | None:
        """Tell whether the program and its HTTP destination are installed."""
        if not shutil.which("syslog-ng"):
            return "syslog-ng is not installed (syslog-ng-core)"
        told = subprocess.run(["syslog-ng", "--version"], capture_output=True, text=True).stdout
        if ",http," not in told:
            return "syslog-ng has no http destination (syslog-ng-mod-http)"
        return None


class Rsyslog(Shipper):
    """rsyslog: a regular expression for each rule, an event by TCP, a line of JSON each.

    Debian has no omhttp, so it is spared HTTP and answers. Its package and syslog-ng's exclude each other:
    `RSYSLOG_ROOT` names a directory into which it was unpacked with `dpkg -x`.
    """

    name = "rsyslog"

    def _configure(self, rules: list[BenchRule], port: int) -> None:
        judged = "\nelse ".join(
            f"if {'re_match_i' if rule.fold else 're_match'}($msg, '{_quoted(rule.portable)}') "
            f'then {{ set $!event = "{rule.name}"; call sink }}'
            for rule in rules
        )
        (self.root / "rsyslog.conf").write_text(
            f"""global(workDirectory="{self.root}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imfile" mode="inotify")
template(name="event" type="list" option.jsonf="on") {{
  property(outname="name" name="$!event" format="jsonf")
  property(outname="content" name="msg" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
}}
ruleset(name="sink") {{
  action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="event" action.resumeRetryCount="-1")
}}
ruleset(name="judge") {{
{judged}
}}
input(type="imfile" File="{self.logs}/*.log" Tag="bench" ruleset="judge" addMetadata="off")
"""
        )

    def _command(self) -> list[str]:
        program = _rsyslogd() or "rsyslogd"
        command = [program, "-n", "-f", f"{self.root}/rsyslog.conf", "-i", f"{self.root}/pid"]
        if "RSYSLOG_ROOT" in os.environ:
            modules = next(Path(os.environ["RSYSLOG_ROOT"]).glob("usr/lib/*/rsyslog"))
            command += ["-M", f"{modules}/"]
        return command

    @classmethod
    def missing(cls) -> str | None:
        """Tell whether the program is installed or unpacked."""
        return None if _rsyslogd() else "rsyslog is neither installed nor unpacked where RSYSLOG_ROOT says"


def _rsyslogd() -> str | None:
    root = os.environ.get("RSYSLOG_ROOT")
    return shutil.which(f"{root}/usr/sbin/rsyslogd" if root else "rsyslogd")


def _quoted(pattern: str) -> str:
    """Give a pattern as a constant of rsyslog's language, in single quotes."""
    return pattern.replace("\\", "\\\\").replace("'", "\\'").replace("$", "\\$")
