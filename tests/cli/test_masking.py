"""No secret is in a support bundle, wherever it stood, and what helps is."""

from __future__ import annotations

import dataclasses
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shipper.cli.app import main
from shipper.cli.masking import MASK, Masking
from shipper.config.load import load_readable
from shipper.config.model import Config
from shipper.config.toml_string import basic_string
from shipper.errors import ConfigurationError

RULE = "[[rule]]\nid = 'a'\nmatch = 'ERROR'\nevent = 'E'\n"


def bundle(directory: Path, text: str, rules: str = RULE) -> dict[str, bytes]:
    """Make a bundle of a configuration; gives its members."""
    (directory / "rules.d").mkdir(exist_ok=True)
    (directory / "rules.d" / "app.toml").write_text(rules)
    (directory / "shipper.toml").write_text(text)
    output = directory / "b.tar.gz"
    assert main(["support-bundle", "-c", str(directory / "shipper.toml"), "--output", str(output)]) == 0
    with tarfile.open(output) as opened:
        return {
            name.partition("/")[2]: file.read()
            for name in opened.getnames()
            if (file := opened.extractfile(name)) is not None
        }


def leaking(found: dict[str, bytes], secrets: list[str]) -> list[tuple[str, str]]:
    return [(name, secret) for name, each in found.items() for secret in secrets if secret.encode() in each]


def tables(cls: type = Config, heading: str = "") -> Iterator[tuple[str, type]]:
    """Give all tables of the configuration, with their headings."""
    yield heading, cls
    for item in dataclasses.fields(cls):
        inner = item.metadata.get("table") or item.metadata.get("tables")
        if inner is not None:
            name = f"{heading.strip('[]')}.{item.name}".strip(".")
            yield from tables(inner, f"[[{name}]]" if "tables" in item.metadata else f"[{name}]")


TABLES = list(tables())


def key_names(cls: type) -> list[str]:
    return [item.name for item in dataclasses.fields(cls) if item.metadata]


def written(directory: Path, heading: str, keys: dict[str, str]) -> str:
    """Write a configuration whose one table has these keys."""
    lines = [f"{name} = {value}" for name, value in keys.items()]
    if heading == "":
        return "\n".join(([] if "state_dir" in keys else [f"state_dir = '{directory}/state'"]) + lines) + "\n"
    above = "[[source]]\nname = 'app'\npaths = ['/var/log/app.log']\n" if heading.startswith("[source.") else ""
    return f"state_dir = '{directory}/state'\n{above}{heading}\n" + "\n".join(lines) + "\n"


def secret(number: int) -> str:
    """Give a secret as long as the service's are, one for each place."""
    return f"{number:02}kP7wQx4ZtR9mLs2Vb8NcYd"


@pytest.mark.parametrize(("heading", "cls"), TABLES, ids=[heading or "top" for heading, _ in TABLES])
@pytest.mark.parametrize("shape", ["'{}'", "['{}']", "{{ a = '{}' }}", "[{{ b = ['{}'] }}]", "'https://me:{}@host/'"])
def test_a_secret_in_the_place_of_any_value(tmp_path: Path, heading: str, cls: type, shape: str) -> None:
    """Each key of each table, with a text, a list, a table or a URL that holds it."""
    names = [name for name in key_names(cls) if name != "state_dir"]
    secrets = [secret(number) for number in range(len(names))]
    values = {name: shape.format(each) for name, each in zip(names, secrets, strict=True)}
    found = bundle(tmp_path, written(tmp_path, heading, values))

    assert leaking(found, secrets) == []
    assert MASK.encode() in found["configuration.json"]
    assert f"{names[0]}".encode() in found["configuration.json"]


@pytest.mark.parametrize(("heading", "cls"), TABLES, ids=[heading or "top" for heading, _ in TABLES])
def test_anything_under_a_misspelt_key(tmp_path: Path, heading: str, cls: type) -> None:
    """Each key with other letters at its end; short secrets and numbers too. The names are kept: they help."""
    names = [f"{name[:-1]}zz" for name in key_names(cls)]
    secrets = [f"S3CR-{number}x" for number in range(len(names))]
    values = {name: f"'{each}'" for name, each in zip(names, secrets, strict=True)}
    text = written(tmp_path, heading, {**values, "pin": "47114711", "inner": "{ deep = [{ deeper = 'S3CR-yx' }] }"})
    # a message, a rule or a status may repeat it
    found = bundle(tmp_path, text, RULE + f"[[rule.test]]\nline = 'ERROR {' '.join(secrets)} S3CR-yx'\n")

    assert leaking(found, [*secrets, "S3CR-yx", "47114711"]) == []
    assert names[0].encode() in found["configuration.json"]
    assert f"unknown key '{names[0]}'".encode() in b"".join(found.values())


PLACES = {
    "misspelt": "[cloudmonitor.credentials]\naccess_key_secrt = 'S3CR'\n",
    "another table": "[cloudmonitor]\naccess_key = 'S3CR'\n",
    "a table that takes none": "[http]\ntoken = 'S3CR'\n",
    "fields": "[[source]]\nname = 'a'\npaths = ['/a']\nfields = { password = 'S3CR' }\n",
    "a query": "[cloudmonitor]\nendpoint = 'https://h/?token=S3CR'\n",
    "a query of a plain word": "[cloudmonitor]\nendpoint = 'https://h?hunter'\n# S3CR",
    "a query of a proxy": "[cloudmonitor]\nproxy = 'proxy:3128?S3CR'\n",
    "a fragment": "[cloudmonitor]\nproxy = 'http://proxy:3128#S3CR'\n",
    "a user": "[cloudmonitor]\nproxy = 'http://S3CR@proxy:3128'\n",
    "a password with marks": "[cloudmonitor]\nproxy = 'http://me:S3CR/S3CR?#@S3CR@proxy:3128'\n",
    "a password without scheme": "[cloudmonitor]\nproxy = 'me:S3CR@proxy:3128'\n",
    "a password that is basic_string": "[cloudmonitor]\nproxy = 'http://me:S3CR%21@proxy:3128'\n",
    "a URL where a path is expected": "[cloudmonitor]\nca_file = 'https://me:S3CR@h/x'\n",
    "the file of the secret": "[cloudmonitor.credentials]\naccess_key_id = 'x'\naccess_key_secret_file = 'S3CR'\n",
    "the file of the token": "[http]\nlisten = '127.0.0.1:1'\ntoken_file = 'S3CR'\n",
    "no table": "[cloudmonitor]\ncredentials = 'S3CR'\n",
    "an array": "[[cloudmonitor.credentials]]\naccess_key_secret = 'S3CR'\n",
    "another array": "[[credentials]]\nid = 'S3CR'\n",
    "the top": "access_key_secret = 'S3CR'\n",
    "half a variable": "[cloudmonitor.credentials]\naccess_key_secret = 'S3CR${NONE}'\n",
    "a default": "[cloudmonitor.credentials]\naccess_key_secret = '${NONE:-S3CR}'\n",
    "a value of its kind's": "log_level = 'S3CR'\n",
    "a wrong address": "[http]\nlisten = 'S3CR'\n",
    "a wrong size": "[store]\nmax_queue_bytes = 'S3CR'\n",
    "an array of its kind's": "[[source]]\nname = 'a'\npaths = 'S3CR'\n",
    "the name of a key": "[cloudmonitor]\nLTAI5tS3CRxxxxxx = 'id'\n",
    "a comment": "# access_key_secret = 'S3CR'\n",
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_where_people_put_secrets(tmp_path: Path, place: str) -> None:
    """Not in the configuration, not in what is said of it, and not in other files either."""
    above = f"state_dir = '{tmp_path}/state'\n"
    text = PLACES[place] if place in {"the top", "a value of its kind's"} else above + PLACES[place]
    found = bundle(tmp_path, text)

    assert leaking(found, ["S3CR", "hunter"]) == []


@pytest.mark.parametrize("broken", ["x = \n", "a\n", "[\n", "\nlog_level = info\n", "x = 'a\n"])
@pytest.mark.parametrize("given", ["access_key_secret = 'S3CR'", 'proxy = "http://me:S3CR@h"', "S3CR = 1\nS3CR = 2"])
def test_no_toml_no_secret(tmp_path: Path, broken: str, given: str) -> None:
    """Of a file that cannot be parsed only the place of the error is told."""
    for text in (f"{given}\n{broken}", f"{broken}\n{given}\n"):
        found = bundle(tmp_path, text)
        (tmp_path / "b.tar.gz").unlink()
        assert leaking(found, ["'S3CR'", ":S3CR"]) == []
        assert b"shipper.toml:" in found["problems.txt"]


def test_a_secret_is_taken_out_of_all_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where rules, paths and names repeat what is secret elsewhere, or what a variable holds."""
    monkeypatch.setenv("HALF", "of-it-9")
    text = (
        f"state_dir = '{tmp_path}/state'\nhostname = 'h0unter2'\n"
        "[cloudmonitor.credentials]\naccess_key_id = 'an-id-1'\naccess_key_secret = 'h0unter2'\n"
        "access_key_secrt = 'S3CR${HALF}'\n[[source]]\nname = 'S3CR'\npaths = ['/var/log/h0unter2/an-id-1/*.log']\n"
    )
    rules = RULE + "# h0unter2 S3CR of-it-9\n[[rule.test]]\nline = 'ERROR S3CR an-id-1'\n[rule.test.fields]\n"
    found = bundle(tmp_path, text, rules + "password = 'fr0m-rules'\n# fr0m-rules\n")

    assert leaking(found, ["h0unter2", "S3CR", "of-it-9", "an-id-1", "fr0m-rules"]) == []
    assert b"/var/log/***/***/*.log" in found["configuration.json"]
    assert b"[[rule.test]]\nline = 'ERROR *** ***'" in found["rules/000-app.toml"]


def test_other_ways_of_writing_it(tmp_path: Path) -> None:
    """Escaped as TOML and JSON do, quoted as in URLs, and a password without the user before it."""
    text = f"state_dir = '{tmp_path}/state'\n[cloudmonitor]\nproxy = 'http://me:pr0xy%21pass@h'\n"
    text += "token = 'a1/\\ü\"b2'\n"
    rules = RULE + """# a1/\\\\\\u00fc\\"b2, a1/\\\\ü\\"b2, a1%2F%5C%C3%BC%22b2, 'pr0xy!pass', pr0xy%21pass\n"""
    found = bundle(tmp_path, text, rules)

    assert found["rules/000-app.toml"].decode() == RULE + "# ***, ***, ***, '***', ***\n"


def test_a_rule_file_that_is_no_toml(tmp_path: Path) -> None:
    """A key that was pasted into it is masked; patterns that speak of passwords stay."""
    found = bundle(tmp_path, f"state_dir = '{tmp_path}/state'\n", RULE + "access_key_secret = 'S3CR'\n# S3CR\n[[\n")

    assert leaking(found, ["S3CR"]) == []
    pattern = RULE + "[[rule]]\nid = 'b'\nmatch = 'password=(?<word>\\S+)'\nevent = 'TokenSeen'\n"
    (tmp_path / "b.tar.gz").unlink()
    assert bundle(tmp_path, f"state_dir = '{tmp_path}/state'\n", pattern)["rules/000-app.toml"] == pattern.encode()


def test_half_of_a_secret_at_the_end_of_a_long_file(tmp_path: Path) -> None:
    """A member is cut at the end of a line."""
    rules = RULE + "# 23456789\n" * 30_000
    cut = 256 * 1024
    rules = rules[: cut - 6] + "S3CR-of-long-file\n" + rules[cut:]
    found = bundle(tmp_path, f"state_dir = '{tmp_path}/state'\n[http]\ntoken = 'S3CR-of-long-file'\n", rules)

    assert b"S3CR" not in found["rules/000-app.toml"]
    assert cut - 100 < len(found["rules/000-app.toml"]) <= cut


def test_what_helps_is_there(tmp_path: Path) -> None:
    """Region, sources, paths and limits, files of secrets and variables by name; also when something else is wrong."""
    text = f"""
state_dir = "{tmp_path}/state"
rules = ["rules.d/*.toml"]
log_fromat = "json"
log_level = "inof"
drain_timeout = "10 seconds"
hostname = "web-17.shop.example"
[cloudmonitor]
region = "ap-southeast-1"
endpoint = "https://me:S3CR@metrichub-cms-cn-hangzhou.aliyuncs.com"
proxy = "http://proxy.example:3128"
group_id = 7
ca_file = "/etc/ssl/own.pem"
max_requests_per_second = 3.5
[cloudmonitor.credentials]
access_key_id = "${{KEY_ID}}"
access_key_secret_file = "${{CREDENTIALS_DIRECTORY}}/access_key_secret"
[http]
listen = "127.0.0.1:9595"
token_file = "/etc/shipper/token"
[store]
max_queue_bytes = "64MiB"
[[source]]
nmae = "checkout"
name = "checkout"
paths = ["/var/log/pods/shop_checkout-7d9f8b6c5-x2kqz_0a1b2c3d-4e5f/checkout/*.log"]
encoding = "gb18030"
multiline = {{ start = '^\\d{{4}}-[A-Za-z0-9]{{16}}', max_lines = 50 }}
"""
    found = bundle(tmp_path, text)
    told = json.loads(found["configuration.json"])
    problems = found["problems.txt"].decode()

    assert told.pop("state_dir") == f"{tmp_path}/state"
    assert told == {
        "rules": ["rules.d/*.toml"],
        "log_fromat": MASK,
        "log_level": "inof",
        "drain_timeout": "10 seconds",
        "hostname": "web-17.shop.example",
        "cloudmonitor": {
            "region": "ap-southeast-1",
            "endpoint": "https://***@metrichub-cms-cn-hangzhou.aliyuncs.com",
            "proxy": "http://proxy.example:3128",
            "group_id": 7,
            "ca_file": "/etc/ssl/own.pem",
            "max_requests_per_second": 3.5,
            "credentials": {
                "access_key_id": "${KEY_ID}",
                "access_key_secret_file": "${CREDENTIALS_DIRECTORY}/access_key_secret",
            },
        },
        "http": {"listen": "127.0.0.1:9595", "token_file": "/etc/shipper/token"},
        "store": {"max_queue_bytes": "64MiB"},
        "source": [
            {
                "nmae": MASK,
                "name": "checkout",
                "paths": ["/var/log/pods/shop_checkout-7d9f8b6c5-x2kqz_0a1b2c3d-4e5f/checkout/*.log"],
                "encoding": "gb18030",
                "multiline": {"start": "^\\d{4}-[A-Za-z0-9]{16}", "max_lines": 50},
            }
        ],
    }
    assert "unknown key 'log_fromat'; did you mean 'log_format'?" in problems
    assert """'log_level' must be one of "debug", "info", "warning", "error", not 'inof'""" in problems
    assert "holds '${CREDENTIALS_DIRECTORY}'" in problems
    reasons = [each["reason"] for each in json.loads(found["status.json"])["findings"]]
    assert any("unknown key 'nmae'" in reason for reason in reasons)
    assert found["rules/000-app.toml"] == RULE.encode()


def said_of(directory: Path, text: str) -> str:
    file = directory / "shipper.toml"
    file.write_text(text)
    file.chmod(0o600)
    try:
        return "\n".join(map(str, load_readable(file, {}).problems))
    except ConfigurationError as error:
        return str(error)


WRONG = [
    "log_level = {}\n",
    "log_levle = {}\n",
    "[cloudmonitor]\nendpoint = {}\n",
    "[cloudmonitor]\ntimeout = {}\n",
    "[cloudmonitor.credentials]\naccess_key_secret_file = {}\n",
    "[cloudmonitor.credentials]\naccess_key_id = 'x'\naccess_key_secret = {}\n",
    "[http]\nlisten = {}\n",
    "[http]\ntoken = {}\n",
    "[[source]]\nname = 'a'\npaths = [{}]\nencoding = {}\nfields = {{ password = {} }}\n",
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=9).map(
        lambda text: f"9{text.strip()}-x9"
    ),
    wrong=st.sampled_from(WRONG),
)
def test_any_characters(place: Path, text: str, wrong: str) -> None:
    """Quotes, backslashes and newlines: messages write them otherwise than the file does."""
    assume(text.count("${") == 0 and "$$" not in text)
    configuration = wrong.replace("{{", "{").replace("}}", "}").replace("{}", basic_string(text))
    masking = Masking({})
    import tomllib

    values: dict[str, Any] = tomllib.loads(configuration)
    shown = json.dumps(masking.value(masking.configuration(values)), ensure_ascii=False)
    said = masking.without_urls(said_of(place, configuration))

    for form in (text, repr(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        assert form not in shown
        assert form not in said
