"""`shipper put-event`: reports events by hand, directly to the service (spec, section 2)."""

from __future__ import annotations

import ast
import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shipper.cli.terminal import say, say_problems
from shipper.config.kinds import parse_endpoint, parse_group_id
from shipper.config.load import default_file, load_config, plain_http_is_fine
from shipper.config.model import CloudMonitorTable, Config, CredentialsTable
from shipper.config.reader import suggestion
from shipper.errors import ShipperError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shipper.cloudmonitor import CustomEvent
    from shipper.cloudmonitor.verdict import Answer

_KEYS = ("name", "content", "time", "groupId")
_LEGACY_EXAMPLE = "[{'name':'ErrorEvent','content':'helloworld','groupId':'27147'}]"


@click.command("put-event")
@click.option("--event-info", metavar="JSON", help="One event or an array of events; - reads them from stdin.")
@click.option("--name", help="The event's name; alert rules match it exactly.")
@click.option("--content", help="The event's details.")
@click.option("--group-id", help="Application group; 0 for none.")
@click.option("--time", "when", help="20171023T144439.948+0800, or epoch milliseconds. Left out: now.")
@click.option(
    "-c", "--config", "config_file", type=click.Path(path_type=Path), help="shipper.toml to take defaults from."
)
@click.option("--region", help="Region whose endpoint is used, such as cn-hangzhou.")
@click.option("--network", type=click.Choice(["public", "vpc"]), help="Kind of that endpoint.")
@click.option("--endpoint", metavar="URL", help="Endpoint, outright.")
@click.option("--access-key-id", metavar="ID", help="Key to sign with; its secret: environment or file.")
@click.option("--access-key-secret-file", metavar="FILE", help="File that holds nothing but the secret.")
def command(
    event_info: str | None,
    name: str | None,
    content: str | None,
    group_id: str | None,
    when: str | None,
    config_file: Path | None,
    region: str | None,
    network: str | None,
    endpoint: str | None,
    access_key_id: str | None,
    access_key_secret_file: str | None,
) -> None:
    """Report events by hand, directly, and print {"Code":"200"} when they are accepted.

    Keys and endpoint come from the options, from shipper.toml where there is one, and from the environment
    (ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET, ~/.aliyun/config.json ...).

    \b
    Examples:
      shipper put-event --name disk_full --content "/ is 91% full"
      shipper put-event --name deploy --content 1.4.2 --group-id 27147 --time 20171023T180923.456+0800
      shipper put-event --event-info '[{"name":"ErrorEvent","content":"helloworld","groupId":"27147"}]'
      shipper put-event --event-info "[{'name':'ErrorEvent','content':'helloworld'}]" --region cn-shanghai
      shipper put-event --endpoint http://127.0.0.1:8686 --name hello --content world
    """
    if event_info is not None:
        if any(value is not None for value in (name, content, group_id, when)):
            raise click.UsageError("give --event-info, or --name and --content (--group-id, --time), not both")
        fields = _parse(sys.stdin.buffer.read().decode("utf-8", "replace") if event_info == "-" else event_info)
    elif name is None or content is None:
        raise click.UsageError(f'give --name and --content, or --event-info "{_LEGACY_EXAMPLE}"')
    else:
        given = {"name": name, "content": content, "groupId": group_id, "time": when}
        fields = [{key: value for key, value in given.items() if value is not None}]
    events = [_event(each, f"event {number}: " if len(fields) > 1 else "") for number, each in enumerate(fields, 1)]
    config = _read_config(config_file)
    config = _with_endpoint(config, region, network, endpoint)
    config = _with_keys(config, access_key_id, access_key_secret_file)
    answer = _send(config, events)
    if answer.code != "200":
        say(f"accepted with code {answer.code}: {answer.message}", "yellow")
    click.echo(json.dumps({"Code": answer.code}, separators=(",", ":")))


def _send(config: Config, events: Sequence[CustomEvent]) -> Answer:
    """Send all events, in as many requests as they need."""
    from shipper.cloudmonitor.client import require_accepted
    from shipper.cloudmonitor.connecting import connect

    with connect(config) as client:
        waiting = [client.encode(event) for event in events]
        while True:
            count = client.limits.take(waiting)
            try:
                answer = require_accepted(client.deliver(waiting[:count]))
            except ShipperError:
                sent = len(events) - len(waiting)
                if sent:
                    say(f"the first {sent} of {len(events)} events were accepted; whether any other was, is not known")
                raise
            del waiting[:count]
            if not waiting:
                return answer


def _parse(text: str) -> list[dict[str, object]]:
    """Read `--event-info`: JSON, or the same with Python's quotes, as the legacy tool's examples show."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        try:
            found = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise click.UsageError(
                f"--event-info is not valid JSON ({said}), nor with single quotes; it should look like "
                f'"{_LEGACY_EXAMPLE}"'
            ) from None
    listed = found if isinstance(found, (list, tuple)) else [found]
    if not listed:
        raise click.UsageError("--event-info holds no event")
    for number, each in enumerate(listed, 1):
        if not isinstance(each, dict):
            raise click.UsageError(f"--event-info: event {number} must be an object with name and content")
    return list(listed)


def _event(fields: dict[str, object], where: str) -> CustomEvent:
    from shipper.cloudmonitor import CustomEvent

    for key in fields:
        if key not in _KEYS:
            raise click.UsageError(f"{where}unknown key '{key}'{suggestion(str(key), list(_KEYS))}")
    texts: dict[str, str] = {}
    for key in ("name", "content"):
        value = fields.get(key)
        if value is None:
            raise click.UsageError(f"{where}the key '{key}' is missing")
        if not isinstance(value, str):
            raise click.UsageError(f"{where}'{key}' must be a string")
        texts[key] = value
    moment = fields.get("time")
    if moment is not None and (isinstance(moment, bool) or not isinstance(moment, (str, int))):
        raise click.UsageError(f"{where}'time' must be a string or epoch milliseconds")
    try:
        group_id = _group_id(fields.get("groupId"))
        return CustomEvent(**texts, group_id=group_id, time=None if moment is None else str(moment))
    except ValueError as error:
        raise click.UsageError(f"{where}{error}") from None


def _group_id(value: object) -> int | None:
    """Take a group id as a number or as its text; `ValueError` says what was expected."""
    if value is None:
        return None
    if isinstance(value, str):
        if not (value.isascii() and value.isdecimal() and len(value) <= 19):
            raise ValueError(f"the group id must be a whole number such as 27147, not {value[:40]!r}")
        value = int(value)
    try:
        return parse_group_id(value)
    except ValueError as error:
        raise ValueError(f"the group id {error}") from None


def _read_config(named: Path | None) -> Config:
    """Read the configuration that applies; only the default file, which nobody named, may be out of reach."""
    file = named or default_file()
    if named is None and "SHIPPER_CONFIG" not in os.environ and not os.access(file, os.R_OK):
        if os.path.exists(file):
            say(f"{file} cannot be read: permission denied; defaults and the environment apply", "yellow")
        return Config()
    config, problems = load_config(file)
    say_problems(problems)
    return config


def _with_endpoint(config: Config, region: str | None, network: str | None, endpoint: str | None) -> Config:
    from shipper.cloudmonitor.endpoints import find_endpoint

    if not (region or network or endpoint):
        return config
    table = config.cloudmonitor
    try:
        if endpoint:
            chosen = parse_endpoint(endpoint)
        else:
            named = dataclasses.replace(
                table, endpoint=None, region=region or table.region, network=network or table.network
            )
            chosen = find_endpoint(named)
    except ValueError as error:
        raise click.UsageError(f"--endpoint {error}") from None
    if chosen.startswith("http://") and not plain_http_is_fine(chosen):
        raise click.UsageError(
            f"--endpoint: plain http to {endpoint} would show the events to the network; use https:// "
            "(plain http is for loopback and VPC hosts)"
        )
    return _replaced(config, dataclasses.replace(table, endpoint=chosen))


def _with_keys(config: Config, access_key_id: str | None, secret_file: str | None) -> Config:
    table = config.cloudmonitor
    keys = table.credentials
    if access_key_id and access_key_id != keys.access_key_id:
        keys = CredentialsTable(access_key_id=access_key_id)  # another key's secret is of no use
    if secret_file:
        path = str(Path(secret_file).absolute())
        keys = dataclasses.replace(keys, access_key_secret=None, access_key_secret_file=path)
    return _replaced(config, dataclasses.replace(table, credentials=keys))


def _replaced(config: Config, table: CloudMonitorTable) -> Config:
    return dataclasses.replace(config, cloudmonitor=table)
