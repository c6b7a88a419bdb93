"""The configuration's tables and keys, with their defaults: spec, section 3. These dataclasses are the schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from shipper.config import kinds
from shipper.config.reader import REQUIRED, key, table, tables
from shipper.events import Origin

if TYPE_CHECKING:
    from datetime import tzinfo


class Secret:
    """A text that shows itself only to those who ask with `reveal()`; no string, so that nothing joins it to one."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def read_secret(value: object) -> Secret:
    """Take a secret; blanks around it are not part of it."""
    return Secret(kinds.parse_name(value).strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsTable:
    """`[cloudmonitor.credentials]`; left out, the standard Alibaba Cloud chain applies."""

    access_key_id: str | None = key(None, kinds.parse_name)
    access_key_secret: Secret | None = key(None, read_secret)
    access_key_secret_file: str | None = key(None, kinds.parse_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudMonitorTable:
    """`[cloudmonitor]`: where events go and how fast. Durations in seconds."""

    region: str = key("cn-hangzhou", kinds.parse_name)
    network: str = key("public", kinds.choice("public", "vpc"))
    endpoint: str | None = key(None, kinds.parse_endpoint)
    transport: str = key("upload", kinds.choice("upload", "openapi"))
    group_id: int = key(0, kinds.parse_group_id)
    max_requests_per_second: float = key(20, kinds.parse_rate)
    linger: float = key("200ms", kinds.parse_duration)
    timeout: float = key("10s", kinds.parse_positive_duration)
    max_event_age: float = key("0s", kinds.parse_duration)
    heartbeat: float = key("0s", kinds.parse_duration)
    proxy: str | None = key(None, kinds.parse_name)
    ca_file: str | None = key(None, kinds.parse_name)
    ip: str | None = key(None, kinds.parse_name)
    credentials: CredentialsTable = table(CredentialsTable)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpTable:
    """`[http]`: metrics, health and the page; off unless `listen` is given."""

    listen: str | None = key(None, kinds.parse_listen)
    token_file: str | None = key(None, kinds.parse_name)
    hosts: tuple[str, ...] | None = key(None, kinds.parse_texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTable:
    """`[store]`: the limits of what waits on this host. Sizes in bytes."""

    max_queue_bytes: int = key("512MiB", kinds.parse_size)
    overflow: str = key("pause", kinds.choice("pause", "drop_oldest"))
    storm: str = key("keep", kinds.choice("keep", "fold"))
    storm_backlog: int = key(10_000, kinds.parse_count)
    max_dead_letters: int = key(10_000, kinds.parse_count)
    min_free_disk: int = key("256MiB", kinds.parse_size)
    remember_delivered: int = key(1_000_000, kinds.parse_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultilineTable:
    """`[source.multiline]`: records of several lines; off unless `start` or `preset` is given. Time-out in seconds."""

    start: str | None = key(None, kinds.parse_pattern, expand=False)
    preset: str | None = key(None, kinds.choice("java", "python", "go", "ruby", "dotnet"))
    max_lines: int = key(500, kinds.parse_count)
    timeout: float = key("1s", kinds.parse_positive_duration)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    """`[[source]]`: which files are followed, and how they are read. Durations in seconds, sizes in bytes."""

    name: str = key(REQUIRED, kinds.parse_name)
    paths: tuple[str, ...] = key(REQUIRED, kinds.parse_some_texts)
    exclude: tuple[str, ...] = key([], kinds.parse_texts)
    rotated: tuple[str, ...] = key([], kinds.parse_texts)
    start_at: str = key("end", kinds.choice("end", "beginning"))
    encoding: str = key("utf-8", kinds.parse_encoding)
    format: str = key("plain", kinds.choice("plain", "docker", "cri", "json"))
    zone: tzinfo | None = key("local", kinds.parse_zone)
    max_line_bytes: int = key("64KiB", kinds.parse_line_limit)
    partial_timeout: float = key("5s", kinds.parse_positive_duration)
    scan_interval: float = key("10s", kinds.parse_positive_duration)
    deleted_hold: float = key("10m", kinds.parse_duration)
    watch: str = key("auto", kinds.choice("auto", "poll"))
    group_id: int | None = key(None, kinds.parse_group_id)
    fields: dict[str, str] | None = key(None, kinds.parse_fields)
    multiline: MultilineTable = table(MultilineTable)

    @property
    def origin(self) -> Origin:
        """What the events of this source's files inherit."""
        fields = MappingProxyType(dict(self.fields or {}))
        return Origin(self.name, self.encoding, self.zone, self.group_id, fields, json=self.format == "json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All of `shipper.toml`. Paths are as written; `resolve` makes them relative to the file."""

    state_dir: str = key("/var/lib/shipper", kinds.parse_name)
    rules: tuple[str, ...] = key(["rules.d/*.toml"], kinds.parse_texts)
    drain_timeout: float = key("10s", kinds.parse_duration)
    match_timeout: float = key("100ms", kinds.parse_positive_duration)
    hostname: str | None = key(None, kinds.parse_name)
    log_level: str = key("info", kinds.choice("debug", "info", "warning", "error"))
    log_format: str = key("text", kinds.choice("text", "json"))
    cloudmonitor: CloudMonitorTable = table(CloudMonitorTable)
    http: HttpTable = table(HttpTable)
    store: StoreTable = table(StoreTable)
    source: tuple[SourceTable, ...] = tables(SourceTable)
    file: Path | None = None

    def resolve(self, path: str) -> Path:
        """Give a path of the configuration, relative to the file that names it."""
        base = self.file.parent if self.file else Path.cwd()
        return base / Path(path).expanduser()

    @property
    def state_path(self) -> Path:
        """The directory of the store, the lock and the last good rules."""
        return self.resolve(self.state_dir)
