"""`shipper init`: a commented configuration and a first rule file for this host (spec, section 2)."""

from __future__ import annotations

import glob
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

import shipper
from shipper.cli.terminal import say
from shipper.errors import ShipperError
from shipper.matching.shipped import shipped_rule_files

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMAS = Path(shipper.__file__).parent / "schemas"

KNOWN_LOGS = (
    ("system", ("/var/log/syslog", "/var/log/messages", "/var/log/kern.log", "/var/log/daemon.log")),
    ("auth", ("/var/log/auth.log", "/var/log/secure")),
    ("packages", ("/var/log/dpkg.log", "/var/log/dnf.log")),
    ("nginx", ("/var/log/nginx/*.log",)),
    ("apache", ("/var/log/apache2/*.log", "/var/log/httpd/*log")),
    ("postgresql", ("/var/log/postgresql/*.log",)),
    ("mysql", ("/var/log/mysql/*.log", "/var/log/mariadb/*.log")),
    ("redis", ("/var/log/redis/*.log",)),
    ("haproxy", ("/var/log/haproxy.log",)),
    ("mail", ("/var/log/mail.log", "/var/log/maillog")),
    ("cron", ("/var/log/cron.log", "/var/log/cron")),
    ("tomcat", ("/var/log/tomcat*/*.log",)),
)
"""Where programs of common packages log, by the name of the source that reads it."""

_CONFIGURATION = """\
#:schema {schema}
# The agent's configuration; every key is in docs/configuration.md. What is commented out shows the default.

# state_dir = "/var/lib/shipper"     # where offsets and waiting events are kept
rules = ["rules.d/*.toml"]           # relative to this file

[cloudmonitor]
region = "cn-hangzhou"               # the region of your alarms
# network = "vpc"                    # from inside Alibaba Cloud
# group_id = 0                       # application group of events that name none

# Left out, credentials come from ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET in the environment,
# or from the profile that the aliyun command line wrote.
# [cloudmonitor.credentials]
# access_key_id = "..."
# access_key_secret_file = "secret"  # mode 0600
"""
_SOURCE = """
[[source]]
name = {name}
paths = {paths}
"""
_EXAMPLE_SOURCE = """
# No log of a program that is known was found here: name yours.
[[source]]
name = "app"
paths = ["/var/log/app/**/*.log"]    # ** for any depth
exclude = ["*.gz"]
# start_at = "beginning"             # of files that are there when the source is first read
"""
_RULES = """\
#:schema {schema}
# A first rule, to be changed; docs/rules.md tells all keys. Edits come into force by themselves once the tests pass:
#
#   shipper check -r {file}                  is it right?
#   shipper test {file}                      do its tests pass?
#   shipper match -r {file} --summary LOG    what would it make of a log?
#
# Packs for programs that are common come with Shipper; copy those you want beside this file:
{packs}

[[rule]]
id = "first-disk-full"
description = "A program could not write because a disk is full"
match = 'No space left on device'
event = "DiskFull"                   # an alarm matches this name exactly
content = "{{hostname}} {{path}}: {{line}}"

  [rule.throttle]                    # a full disk says so in every line: some events, then one that tells how many more
  max = 3
  per = "10m"

  [[rule.test]]
  line = "2026-11-23T10:00:00Z web1 app[7]: write failed: No space left on device"
  expect = {{ event = "DiskFull", content = "*No space left on device" }}

  [[rule.test]]
  line = "2026-11-23T10:00:00Z web1 app[7]: 91 % of the device is used"
  expect = "no match"
"""


@click.command("init", short_help="Write a commented configuration and a first rule file for this host.")
@click.argument("directory", default=".", type=click.Path(path_type=Path, file_okay=False))
def command(directory: Path) -> int:
    """Write shipper.toml and rules.d/first.toml into DIRECTORY, the current one by default.

    The logs of common programs that are here become sources. What is there already is never overwritten.

    \b
    Examples:
      shipper init
      sudo shipper init /etc/shipper
    """
    configuration, rules = directory / "shipper.toml", directory / "rules.d" / "first.toml"
    there = [str(file) for file in (configuration, rules) if file.exists()]
    if there:
        raise ShipperError(
            f"{' and '.join(there)}: there already, and left as it is; remove it, or name a new directory"
        )
    found = _found_logs()
    sources = [_SOURCE.format(name=json.dumps(name), paths=json.dumps(paths)) for name, paths in found]
    schema = SCHEMAS / "shipper.schema.json"
    _write(configuration, _CONFIGURATION.format(schema=schema) + ("".join(sources) or _EXAMPLE_SOURCE))
    packs = "\n".join(f"#   {file}" for file in shipped_rule_files())
    _write(rules, _RULES.format(schema=SCHEMAS / "rules.schema.json", file=rules, packs=packs))
    say(f"Written: {configuration} ({_counted(found)}) and {rules}.", "green")
    say(f"Next: shipper check -c {configuration}, then shipper run -c {configuration}.")
    return 0


def _found_logs() -> list[tuple[str, Sequence[str]]]:
    """Give the sources whose logs are on this host, each with the globs that find some."""
    found = [(name, [each for each in globs if glob.glob(each)]) for name, globs in KNOWN_LOGS]
    return [(name, globs) for name, globs in found if globs]


def _counted(found: Sequence[tuple[str, Sequence[str]]]) -> str:
    if not found:
        return "no known log was found; it names an example"
    return f"{len(found)} source{'' if len(found) == 1 else 's'}: {', '.join(name for name, _ in found)}"


def _write(file: Path, text: str) -> None:
    """Write a new file.

    Raises:
        ShipperError: it cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # secrets may be added to it
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ShipperError(f"{file}: cannot be written: {error.strerror}") from None
