"""`shipper.toml` on the disk: defaults, mistakes that one key cannot show, files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config.load import DEFAULT_FILE, default_file, load_config, plain_http_is_fine
from shipper.errors import ConfigurationError

SOURCE = '[[source]]\nname = "app"\npaths = ["/var/log/app/*.log"]\n'


def written(tmp_path: Path, text: str | bytes) -> Path:
    file = tmp_path / "shipper.toml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    file.chmod(0o600)
    return file


def refused(file: Path, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, environment or {})
    return [str(problem).removeprefix(str(file)) for problem in caught.value.problems]


DEFAULTS: dict[str, dict[str, object]] = {
    "": {
        "state_dir": "/var/lib/shipper",
        "rules": ("rules.d/*.toml",),
        "drain_timeout": 10.0,
        "match_timeout": 0.1,
        "hostname": None,
        "log_level": "info",
        "log_format": "text",
    },
    "cloudmonitor": {
        "region": "cn-hangzhou",
        "network": "public",
        "endpoint": None,
        "transport": "upload",
        "group_id": 0,
        "max_requests_per_second": 20.0,
        "linger": 0.2,
        "timeout": 10.0,
        "max_event_age": 0.0,
        "heartbeat": 0.0,
        "proxy": None,
        "ca_file": None,
        "ip": None,
    },
    "store": {
        "max_queue_bytes": 536_870_912,
        "overflow": "pause",
        "storm": "keep",
        "storm_backlog": 10_000,
        "max_dead_letters": 10_000,
        "min_free_disk": 268_435_456,
        "remember_delivered": 1_000_000,
    },
    "source": {
        "rotated": (),
        "start_at": "end",
        "encoding": "utf-8",
        "format": "plain",
        "zone": None,
        "max_line_bytes": 65_536,
        "partial_timeout": 5.0,
        "scan_interval": 10.0,
        "deleted_hold": 600.0,
        "watch": "auto",
    },
}


@pytest.mark.parametrize(("table", "name"), [(table, name) for table, names in DEFAULTS.items() for name in names])
def test_the_defaults_are_those_of_the_contract(tmp_path: Path, table: str, name: str) -> None:
    """Spec, section 3: values shown there are the defaults."""
    config, warnings = load_config(written(tmp_path, SOURCE), {})

    holder = {"": config, "cloudmonitor": config.cloudmonitor, "store": config.store, "source": config.source[0]}[table]
    assert getattr(holder, name) == DEFAULTS[table][name]
    assert warnings == ()


def test_the_table_of_the_contract_may_be_written_out(tmp_path: Path) -> None:
    """Every default of the spec, in its own words, is accepted and changes nothing."""
    text = """
state_dir = "/var/lib/shipper"
rules = ["rules.d/*.toml"]
drain_timeout = "10s"
match_timeout = "100ms"
log_level = "info"
log_format = "text"
[cloudmonitor]
region = "cn-hangzhou"
network = "public"
transport = "upload"
group_id = 0
max_requests_per_second = 20
linger = "200ms"
timeout = "10s"
max_event_age = "0s"
heartbeat = "0s"
[store]
max_queue_bytes = "512MiB"
overflow = "pause"
storm = "keep"
storm_backlog = 10000
max_dead_letters = 10000
min_free_disk = "256MiB"
remember_delivered = 1000000
[[source]]
name = "app"
paths = ["/var/log/app/*.log"]
rotated = []
start_at = "end"
encoding = "utf-8"
format = "plain"
zone = "local"
max_line_bytes = "64KiB"
partial_timeout = "5s"
scan_interval = "10s"
deleted_hold = "10m"
watch = "auto"
"""
    explicit, _ = load_config(written(tmp_path, text), {})

    assert explicit == load_config(written(tmp_path, SOURCE), {})[0]


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """Wherever the command is started."""
    config, _ = load_config(written(tmp_path, 'state_dir = "state"\n'), {})

    assert config.state_path == tmp_path / "state"
    assert config.resolve("rules.d/*.toml") == tmp_path / "rules.d/*.toml"
    assert config.resolve("/etc/x") == Path("/etc/x")


def test_what_files_inherit_from_their_source(tmp_path: Path) -> None:
    """Origin carries name, encoding, zone, group and fields to the events."""
    text = (
        SOURCE
        + 'encoding = "gbk"\nzone = "Asia/Shanghai"\ngroup_id = 101\nfields = { service = "${NAME}", port = 80 }\n'
    )

    config, _ = load_config(written(tmp_path, text), {"NAME": "checkout"})

    origin = config.source[0].origin
    assert (origin.source, origin.encoding, str(origin.zone), origin.group_id) == (
        "app",
        "gb18030",
        "Asia/Shanghai",
        101,
    )
    assert origin.fields == {"service": "checkout", "port": "80"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SOURCE + SOURCE, ":5:1: source 'app' is already defined at line 2"),
        (
            '[[source]]\nname = "a"\npaths = ["logs/x.log"]\n',
            ":3:1: path 'logs/x.log' must be absolute, such as /var/log/app/*.log",
        ),
        ('[[source]]\nname = "a"\n', ":1:1: the key 'paths' is missing"),
        ('[source]\nname = "a"\n', ":1:1: 'source' must be an array of tables: write [[source]]"),
        ("\n[cloudmonitr.credentials]\n", ":2:1: unknown key 'cloudmonitr'; did you mean 'cloudmonitor'?"),
        (
            '[cloudmonitor]\nendpoint = "http://metrichub.example"\n',
            ":2:1: plain http to metrichub.example would show the events to the network; use https://",
        ),
        (
            '[cloudmonitor.credentials]\naccess_key_id = "x"\n',
            ":2:1: access_key_id needs access_key_secret or access_key_secret_file beside it",
        ),
        ('[cloudmonitor.credentials]\naccess_key_secret = "x"\n', ":2:1: the secret needs access_key_id beside it"),
        (
            '[cloudmonitor.credentials]\naccess_key_secret_file = "/none"\n',
            ":2:1: the secret needs access_key_id beside it",
        ),
        (
            '[cloudmonitor.credentials]\naccess_key_id = "x"\naccess_key_secret = "y"\naccess_key_secret_file = "/z"\n',
            ":4:1: give access_key_secret or access_key_secret_file, not both",
        ),
        ('[cloudmonitor]\nendpoint = "HTTP://metrichub.example"\n', ":2:1: plain http to metrichub.example would"),
        ('[http]\nlisten = "9595"\n', """:2:1: 'listen' must look like "127.0.0.1:9595" or "[::1]:9595", not '9595'"""),
        (
            '[http]\nlisten = "0.0.0.0:9595"\n',
            ":2:1: [http] listens on 0.0.0.0, where others can ask: give token_file",
        ),
        ('[http]\nlisten = "[::]:9595"\n', ":2:1: [http] listens on ::, where others can ask: give token_file"),
        ('[http]\nlisten = "host.example:80"\n', ":2:1: 'listen' must look like"),
        ('[http]\nlisten = "::1:80"\n', ":2:1: 'listen' must look like"),
        ('[http]\nlisten = "127.0.0.1:99999"\n', ":2:1: 'listen' must look like"),
        ("[source.multiline]\npreset = 'java'\n", ":1:1: 'source' must be an array of tables: write [[source]]"),
        (
            SOURCE + "[source.multiline]\nmax_lines = 3\n",
            ":4:1: 'multiline' needs either 'start', a pattern, or 'preset', a language",
        ),
        (
            SOURCE + "format = 'cri'\n[source.multiline]\npreset = 'java'\n",
            ":5:1: 'multiline' does not go with format = \"cri\"; leave one out",
        ),
        ("a = [\n", ":2: not valid TOML: Invalid value"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    """Each has its place and what to do."""
    (problem,) = refused(written(tmp_path, text))

    assert problem.startswith(said)


def test_all_mistakes_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Reading them from the top down is how people mend them."""
    text = (
        'log_levle = "info"\ndrain_timeout = "soon"\n[cloudmonitor]\nregion = 1\nendpoint = "http://far.example"\n'
        '[cloudmonitor.credentials]\naccess_key_id = "x"\n' + SOURCE + 'start_at = "begin"\n' + SOURCE
    )

    lines = [problem.split(":")[1] for problem in refused(written(tmp_path, text))]

    assert lines == ["1", "2", "4", "5", "7", "11", "13"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a directory, not text: one message that names the file."""
    assert refused(tmp_path / "none.toml") == [
        ": does not exist; name the configuration with -c FILE or $SHIPPER_CONFIG"
    ]
    assert refused(tmp_path) == [": is a directory, a file is expected"]
    assert refused(tmp_path / "does not exist" / "x" / "y.toml")[0].startswith(": does not exist; name the")
    assert refused(written(tmp_path, "") / "below")[0].startswith(": cannot be read: ")
    assert refused(written(tmp_path, b"a = 1\nb = '\xff'\n")) == [":2: is not UTF-8 text, as TOML must be"]


def test_a_file_that_must_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permission denied is said as such; the system's answer is simulated, since root may read everything."""

    def denied(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)

    assert refused(tmp_path / "shipper.toml") == [": cannot be read: permission denied"]


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    config, _ = load_config(written(tmp_path, b"\xef\xbb\xbflog_level = 'debug'\n"), {})

    assert config.log_level == "debug"


def test_which_file_is_read() -> None:
    """`$SHIPPER_CONFIG`, else the place of the packages (spec, section 2)."""
    assert default_file({"SHIPPER_CONFIG": "/x.toml"}) == Path("/x.toml")
    assert default_file({}) == DEFAULT_FILE == Path("/etc/shipper/shipper.toml")


@pytest.mark.parametrize(
    ("endpoint", "fine"),
    [
        ("http://127.0.0.1:8686", True),
        ("http://[::1]:8686", True),
        ("http://localhost", True),
        ("http://100.100.45.1", True),
        ("http://metrichub-cn-hangzhou.aliyun.com", True),
        ("http://metrichub-cms-cn-hangzhou.aliyuncs.com", False),
        ("http://metrichub-cn-nanjing.aliyuncs.com:80", True),
        ("http://metrichub-inner.eu-west-1.aliyuncs.com", True),
        ("http://metrichub-cn-hangzhou.aliyun.com.example", False),
        ("http://metrichub-evil.example", False),
        ("http://10.0.0.1", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_where_plain_http_is_fine(endpoint: str, fine: bool) -> None:
    """Loopback, and the VPC hosts that the service lists with plain http."""
    assert plain_http_is_fine(endpoint) is fine


@pytest.mark.parametrize("value", ["['docker']", "{ a = 'docker' }"])
def test_a_format_of_another_type_is_said_as_any_other_mistake(tmp_path: Path, value: str) -> None:
    """Also where its sense beside other keys is judged."""
    said = refused(written(tmp_path, f"{SOURCE}format = {value}\n"))

    assert len(said) == 1
    assert said[0].startswith(":4:1: 'format' must be one of \"plain\"")
