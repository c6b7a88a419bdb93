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


def test_the_defaults_are_those_of_the_contract(tmp_path: Path) -> None:
    """Spec, section 3: values shown there are the defaults."""
    config, warnings = load_config(written(tmp_path, SOURCE), {})

    assert warnings == ()
    assert config.state_path == Path("/var/lib/shipper")
    assert config.rules == ("rules.d/*.toml",)
    assert (config.drain_timeout, config.match_timeout) == (10.0, 0.1)
    assert (config.log_level, config.log_format) == ("info", "text")
    cloud = config.cloudmonitor
    assert (cloud.region, cloud.network, cloud.transport, cloud.group_id) == ("cn-hangzhou", "public", "upload", 0)
    assert (cloud.max_requests_per_second, cloud.linger, cloud.timeout) == (20.0, 0.2, 10.0)
    assert (config.store.max_queue_bytes, config.store.min_free_disk) == (512 * 1024**2, 256 * 1024**2)
    source = config.source[0]
    assert (source.start_at, source.encoding, source.zone, source.watch) == ("end", "utf-8", None, "auto")
    assert (source.max_line_bytes, source.partial_timeout, source.scan_interval) == (65536, 5.0, 10.0)
    assert (source.deleted_hold, source.rotated, source.group_id) == (600.0, (), None)


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
        ("a = [\n", ":2: not valid TOML: Invalid value"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    """Each has its place and what to do."""
    (problem,) = refused(written(tmp_path, text))

    assert problem.startswith(said)


def test_all_mistakes_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """Reading them from the top down is how people mend them."""
    text = 'log_levle = "info"\ndrain_timeout = "soon"\n[cloudmonitor]\nregion = 1\n' + SOURCE + 'start_at = "begin"\n'

    lines = [problem.split(":")[1] for problem in refused(written(tmp_path, text))]

    assert lines == ["1", "2", "4", "8"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Missing, a directory, not text: one message that names the file."""
    assert refused(tmp_path / "none.toml") == [
        ": does not exist; name the configuration with -c FILE or $SHIPPER_CONFIG"
    ]
    assert refused(tmp_path) == [": is a directory, a file is expected"]
    assert refused(written(tmp_path, b"a = 1\nb = '\xff'\n")) == [":2: is not UTF-8 text, as TOML must be"]


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    """Editors on Windows write one."""
    config, _ = load_config(written(tmp_path, b"\xef\xbb\xbflog_level = 'debug'\n"), {})

    assert config.log_level == "debug"


def test_a_secret_that_others_may_read_is_warned_about_and_never_shown(tmp_path: Path) -> None:
    """A warning, not a refusal (spec, section 3); nothing that is printed holds the secret."""
    file = written(tmp_path, '[cloudmonitor.credentials]\naccess_key_id = "id"\naccess_key_secret = "s3cr3t"\n')
    assert load_config(file, {})[1] == ()
    file.chmod(0o644)

    config, warnings = load_config(file, {})

    assert [str(warning) for warning in warnings] == [
        f"{file}:3:1: warning: this file holds a secret and others may read it (mode 0644); chmod 600 it"
    ]
    keys = config.cloudmonitor.credentials
    assert "s3cr3t" not in f"{config!r} {keys} {keys.access_key_secret} {keys.access_key_secret!r}"
    assert keys.access_key_secret is not None
    assert keys.access_key_secret.reveal() == "s3cr3t"


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
        ("http://10.0.0.1", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_where_plain_http_is_fine(endpoint: str, fine: bool) -> None:
    """Loopback, and the VPC hosts that the service lists with plain http."""
    assert plain_http_is_fine(endpoint) is fine
