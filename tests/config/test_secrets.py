"""What is secret stays so: in what is printed, in what is logged, and in what is said of a mistake."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from shipper.config.load import load_config
from shipper.config.model import Config, CredentialsTable, Secret
from shipper.errors import ConfigurationError

HIDDEN = "hunter2hunter2"
KEYS = '[cloudmonitor.credentials]\naccess_key_id = "id"\n'


def written(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    file = tmp_path / "shipper.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(mode)
    return file


def holding_secret(tmp_path: Path) -> Config:
    config, _ = load_config(written(tmp_path, f'{KEYS}access_key_secret = "{HIDDEN}"\n'), {})
    return config


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!s} {secret!r} {secret!a} {secret:>40}",
        lambda secret: format(secret, "40"),
        lambda secret: "{} {!r}".format(secret, secret),  # noqa: UP032 - this way of formatting is what is tested
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - this way of formatting is what is tested
        lambda secret: repr([secret, {"a": secret}, (secret,)]),
        lambda secret: repr(CredentialsTable(access_key_id="id", access_key_secret=secret)),
        lambda secret: repr(ValueError(secret)),
        lambda secret: str(ValueError(secret)),
        lambda secret: repr(copy.deepcopy(secret)),
    ],
)
def test_a_secret_does_not_show_itself(show: Callable[[Secret], str]) -> None:
    """Whoever prints one by accident prints stars."""
    shown = show(Secret(HIDDEN))

    assert HIDDEN not in shown
    assert "***" in shown


def test_a_secret_is_revealed_on_request(tmp_path: Path) -> None:
    """And has lost the blanks of a paste."""
    file = written(tmp_path, f'{KEYS}access_key_secret = "${{S}}"\n')

    secret = load_config(file, {"S": f" {HIDDEN}\n"})[0].cloudmonitor.credentials.access_key_secret

    assert secret is not None
    assert secret.reveal() == HIDDEN
    assert type(secret.reveal()) is str


def test_a_configuration_does_not_show_its_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in its representation nor in a log, with every way of handing it over."""
    config = holding_secret(tmp_path)

    with caplog.at_level(logging.DEBUG):
        logging.getLogger("shipper").info("%s %r %s", config, config, config.cloudmonitor.credentials.access_key_secret)

    assert "***" in caplog.text
    assert HIDDEN not in f"{config!r} {config} {caplog.text}"


def test_errors_about_a_configuration_do_not_show_its_secret(tmp_path: Path) -> None:
    """An encoder that cannot take it, or a number that it is not, names no content."""
    config = holding_secret(tmp_path)
    secret = config.cloudmonitor.credentials.access_key_secret
    assert secret is not None
    said: list[str] = []
    nothing: dict[str, object] = {}
    given: Any = secret
    for fails in (
        lambda: json.dumps(config),
        lambda: json.dumps(given),
        lambda: orjson.dumps(given),
        lambda: "a" + given,
        lambda: int(given),
        lambda: json.loads(given),
        lambda: nothing[given],
    ):
        try:
            fails()
        except (TypeError, ValueError, KeyError) as error:
            said += traceback.format_exception(error)

    assert len(said) > 7
    assert HIDDEN not in "".join(said)


def test_a_secret_survives_copying() -> None:
    """A copy is a secret too, with the same text."""
    secret = Secret(HIDDEN)

    for copied in (copy.copy(secret), copy.deepcopy(secret), pickle.loads(pickle.dumps(secret))):
        assert isinstance(copied, Secret)
        assert copied.reveal() == HIDDEN


# the place of `{}` takes a variable that turns out to be a secret, or otherwise wrong
MISPLACED = (
    'state_dir = ["{}"]',
    'drain_timeout = "{}"',
    'match_timeout = "{}"',
    'log_level = "{}"',
    'log_format = "{}"',
    'rules = "{}"',
    '[cloudmonitor]\nnetwork = "{}"',
    '[cloudmonitor]\nendpoint = "{}"',
    '[cloudmonitor]\nendpoint = "https://id:{}@host"',
    '[cloudmonitor]\nendpoint = "http://{}.example"',
    '[cloudmonitor]\ngroup_id = "{}"',
    '[cloudmonitor]\nmax_requests_per_second = "{}"',
    '[cloudmonitor]\nlinger = "{}"',
    '[cloudmonitor]\ncredentials = "{}"',
    '[cloudmonitor.credentials]\naccess_key_secret = "{}"',
    '[cloudmonitor.credentials]\naccess_key_id = "{}"',
    '[http]\nlisten = "{}"',
    '[store]\nmax_queue_bytes = "{}"',
    '[store]\noverflow = "{}"',
    '[store]\nmax_dead_letters = "{}"',
    '[[source]]\nname = "{}"\npaths = ["/a"]\n[[source]]\nname = "{}"\npaths = ["/b"]',
    '[[source]]\nname = "a"\npaths = ["{}"]',
    '[[source]]\nname = "a"\npaths = "{}"',
    '[[source]]\nname = "a"\npaths = ["/a"]\nencoding = "{}"',
    '[[source]]\nname = "a"\npaths = ["/a"]\nzone = "{}"',
    '[[source]]\nname = "a"\npaths = ["/a"]\nmax_line_bytes = "{}"',
    '[[source]]\nname = "a"\npaths = ["/a"]\nwatch = "x {}"',
    '[[source]]\nname = "a"\npaths = ["/a"]\nfields = {{ a = ["{}"] }}',
)


@pytest.mark.parametrize("text", MISPLACED)
@pytest.mark.parametrize("content", [HIDDEN, f'it\'s "{HIDDEN}"\n'])
def test_no_error_shows_what_a_variable_holds(tmp_path: Path, text: str, content: str) -> None:
    """Errors show the text before expansion (spec, section 3): a variable in the wrong place may hold a secret."""
    file = written(tmp_path, text.replace("{}", "${TOKEN}").replace("{{", "{").replace("}}", "}"))

    with pytest.raises(ConfigurationError) as caught:
        load_config(file, {"TOKEN": content})

    assert HIDDEN not in str(caught.value)


def test_the_literal_half_of_a_secret_is_not_shown(tmp_path: Path) -> None:
    """The other half not being set, only the variable is named."""
    file = written(tmp_path, f'{KEYS}access_key_secret = "{HIDDEN}${{NONE}}"\n')

    with pytest.raises(ConfigurationError) as caught:
        load_config(file, {})

    assert "${NONE}" in str(caught.value)
    assert HIDDEN not in str(caught.value)


@pytest.mark.parametrize(
    ("secret", "mode", "said"),
    [
        (HIDDEN, 0o600, None),
        (HIDDEN, 0o400, None),
        (HIDDEN, 0o644, "this file holds a secret and others may read it (mode 0644); chmod 600 it"),
        (HIDDEN, 0o640, "this file holds a secret and others may read it (mode 0640); chmod 600 it"),
        ("${NONE:-abc}", 0o644, "this file holds a secret and others may read it (mode 0644); chmod 600 it"),
        ("${SECRET}", 0o644, None),
    ],
)
def test_a_secret_that_others_may_read_is_warned_about(
    tmp_path: Path, secret: str, mode: int, said: str | None
) -> None:
    """A warning, not a refusal (spec, section 3); a file that only names a variable holds no secret."""
    file = written(tmp_path, f'{KEYS}access_key_secret = "{secret}"\n', mode)

    _, warnings = load_config(file, {"SECRET": HIDDEN})

    assert [str(warning) for warning in warnings] == ([f"{file}:3:1: warning: {said}"] if said else [])


def test_a_file_with_the_secret_is_warned_about_too(tmp_path: Path) -> None:
    """`access_key_secret_file` is looked at where it lies, relative to the configuration; missing is no warning."""
    file = written(tmp_path, f'{KEYS}access_key_secret_file = "secret"\n', 0o644)
    assert load_config(file, {})[1] == ()
    (tmp_path / "secret").write_text(HIDDEN)
    (tmp_path / "secret").chmod(0o604)

    (warning,) = load_config(file, {})[1]
    (tmp_path / "secret").chmod(0o600)

    said = "'secret' holds a secret and others may read it (mode 0604); chmod 600 it"
    assert str(warning) == f"{file}:3:1: warning: {said}"
    assert load_config(file, {})[1] == ()
