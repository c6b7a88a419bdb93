"""The text of the files that `shipper init` writes: a configuration, a first rule file, and copies of rule packs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import shipper
from shipper.cli.proposing.toml_text import one_comment, quoted, quoted_all, with_comment
from shipper.config.load import read_document

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shipper.cli.proposing.fitting_packs import Fitting, Pack
    from shipper.cli.proposing.proposed_sources import Proposal

SCHEMAS = Path(shipper.__file__).parent / "schemas"
MOST_NOISY = 5
_SHOWN = 4
_LANGUAGES = {"java": "Java", "python": "Python", "go": "Go", "ruby": "Ruby", "dotnet": ".NET"}

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
_EXAMPLE_SOURCE = """
# No log was found on this host: name yours.
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
# Further packs come with Shipper; copy those you want beside this file:
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
_PACK = """\
#:schema {schema}
# Shipper's pack {name}, here because {reasons}.
# A copy, to be changed; the original: {file}
# Its rules judge the lines of every source, which costs next to nothing where their words do not stand; to bind a rule
# to some sources, write  sources = ["NAME"]  into it.
#
"""
_THROTTLE = """\
  # it would have made {amount:,} events of the ends of this host's logs: some, then one that tells how many more
  [rule.throttle]
  max = {most}
  per = "10m"

"""


def configuration_text(proposals: Sequence[Proposal], notes: Sequence[str]) -> str:
    """Give the configuration."""
    text = _CONFIGURATION.format(schema=one_comment(str(SCHEMAS / "shipper.schema.json")))
    text += "".join(f"\n# {one_comment(note)}\n" for note in notes)
    return text + (sources_text(proposals) or _EXAMPLE_SOURCE)


def sources_text(proposals: Sequence[Proposal]) -> str:
    """Give the tables of sources."""
    return "".join("\n" + "\n".join(_source_lines(each)) + "\n" for each in proposals)


def rules_text(file: Path, fitting: Fitting) -> str:
    """Give the first rule file."""
    packs = "\n".join(f"#   {one_comment(str(pack))}" for pack in fitting.others)
    schema = one_comment(str(SCHEMAS / "rules.schema.json"))
    return _RULES.format(schema=schema, file=one_comment(shlex.quote(str(file))), packs=packs)


def pack_text(pack: Pack) -> str:
    """Give a copy of a pack, in which rules that are noisy on this host have a limit."""
    document = read_document(pack.file)
    lines = document.text.splitlines(keepends=True)
    # from the last one up, so that the places of those before stay right
    for number in reversed(range(len(pack.rules))):
        amount = pack.noisy.get(pack.rules[number])
        has_tests = document.written(("rule", number, "test", 0)) is not None
        if amount and has_tests and document.written(("rule", number, "throttle")) is None:
            place = document.locator.find(("rule", number, "test", 0)).line
            lines.insert(place - 1, _THROTTLE.format(amount=amount, most=MOST_NOISY))
    head = _PACK.format(
        schema=one_comment(str(SCHEMAS / "rules.schema.json")),
        name=pack.name,
        reasons=one_comment("; ".join(pack.reasons)),
        file=one_comment(str(pack.file)),
    )
    return head + "".join(lines)


def way_words(proposal: Proposal) -> dict[str, str]:
    """Say for people how a source is read, by key, as far as that is not as usual."""
    way, logs = proposal.way, proposal.logs
    said: dict[str, str] = {}
    if way.encoding != "utf-8":
        log = next(log for log in logs if log.sample.encoding == way.encoding)
        said["encoding"] = f"{log.path} is no UTF-8, it is {way.encoding}"
    if way.form in {"docker", "cri"}:
        said["format"] = "the runtime's: parts of a message are joined"
    elif way.form == "json":
        said["format"] = "each line is an object, whose fields rules may use"
    if way.preset is not None:
        log = next(log for log in logs if log.sample.preset == way.preset)
        said["preset"] = f"{log.path} holds stack traces as {_LANGUAGES[way.preset]} prints them"
    return said


def _source_lines(proposal: Proposal) -> Iterator[str]:
    writers = dict.fromkeys(program for log in proposal.logs for program in log.programs)
    if writers:
        more = f" and {len(writers) - _SHOWN} more" if len(writers) > _SHOWN else ""
        yield f"# Written by {one_comment(', '.join(list(writers)[:_SHOWN]))}{more}."
    for log in proposal.logs:
        if log.sample.odd_bytes:
            said = "holds bytes that are no UTF-8, which are read as U+FFFD; if you know its encoding, name it"
            yield f"# {one_comment(log.path)} {said}."
    refused = [log for log in proposal.logs if log.refusal is not None]
    if refused:
        more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
        said = f"{refused[0].path}{more} could not be read: {refused[0].refusal}"
        yield f"# When this was written, {one_comment(said)}."
    yield "[[source]]"
    yield f"name = {quoted(proposal.name)}"
    yield f"paths = {quoted_all(proposal.paths)}"
    if proposal.exclude:
        yield f"exclude = {quoted_all(proposal.exclude)}"
    words = way_words(proposal)
    if "encoding" in words:
        yield with_comment(f"encoding = {quoted(proposal.way.encoding)}", words["encoding"])
    if "format" in words:
        yield with_comment(f"format = {quoted(proposal.way.form)}", words["format"])
    if "preset" in words:
        yield ""
        yield with_comment("  [source.multiline]", words["preset"])
        yield f"  preset = {quoted(proposal.way.preset or '')}"
