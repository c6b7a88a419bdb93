"""What those get of a wrong configuration who only want to know how the agent is."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipper.config.load import Readable, load_config, load_readable
from shipper.config.model import HttpTable
from shipper.errors import ConfigurationError

SOURCE = '[[source]]\nname = "app"\npaths = ["/var/log/app/*.log"]\n'


def read(tmp_path: Path, text: str, **environment: str) -> Readable:
    file = tmp_path / "shipper.toml"
    file.write_text(text)
    file.chmod(0o600)
    return load_readable(file, environment)


def test_a_right_configuration_is_the_same(tmp_path: Path) -> None:
    """Forgiving changes nothing where nothing is to be forgiven."""
    found = read(tmp_path, f'state_dir = "here"\nlog_format = "json"\n[http]\nlisten = "127.0.0.1:1"\n{SOURCE}')

    assert found.config == load_config(tmp_path / "shipper.toml", {})[0]
    assert found.config.state_path == tmp_path / "here"
    assert (found.problems, found.mistakes) == ((), ())


def test_a_variable_of_the_agent_is_no_mistake(tmp_path: Path) -> None:
    """The key has its default meanwhile, and those who need it can ask what is missing."""
    found = read(
        tmp_path,
        'state_dir = "here"\n[cloudmonitor]\nendpoint = "https://${HOST}"\n[cloudmonitor.credentials]\n'
        'access_key_id = "id"\naccess_key_secret_file = "${CREDENTIALS_DIRECTORY}/secret"\n'
        f'[store]\nmax_queue_bytes = "${{ROOM}}"\nstorm_backlog = 7\n{SOURCE}start_at = "${{WHERE}}"\n',
    )

    assert found.mistakes == ()
    assert [each.variable for each in found.problems] == ["HOST", "CREDENTIALS_DIRECTORY", "ROOM", "WHERE"]
    assert [each.variable for each in found.wrong_in("source", "store")] == ["ROOM", "WHERE"]
    assert found.config.cloudmonitor.credentials.access_key_secret_file is None
    assert (found.config.store.max_queue_bytes, found.config.store.storm_backlog) == (512 * 1024**2, 7)
    assert [(source.name, source.start_at) for source in found.config.source] == [("app", "end")]


def test_what_is_right_stays_beside_what_is_wrong(tmp_path: Path) -> None:
    """Each mistake is told with its place; a source without a name or paths is none."""
    found = read(
        tmp_path,
        f'log_fromat = "json"\nstate_dir = "here"\n[cloudmonitor]\ntimeout = 7\n{SOURCE}watch = "often"\n'
        '[[source]]\nname = "nowhere"\n[[source]]\npaths = ["/b"]\n[[source]]\nname = "c"\npaths = ["/c"]\n',
    )

    assert found.config.state_path == tmp_path / "here"
    assert [source.name for source in found.config.source] == ["app", "c"]
    assert found.config.source[0].watch == "auto"
    assert [each.line for each in found.mistakes] == [1, 4, 8, 9, 11]
    assert str(found.mistakes[0]).endswith(":1:1: unknown key 'log_fromat'; did you mean 'log_format'?")


@pytest.mark.parametrize("wrong", ["tokn_file = 'x'", "token_file = '${NONE}/x'", "hosts = 'a'"])
def test_half_of_http_is_not_taken(tmp_path: Path, wrong: str) -> None:
    """Its link would lead to another page, or have another token."""
    assert read(tmp_path, f'state_dir = "here"\n[http]\nlisten = "127.0.0.1:1"\n{wrong}\n').config.http == HttpTable()


@pytest.mark.parametrize(
    "text",
    [
        "state_dir = 3",
        'state_dir = ""',
        'state_dir = "${NONE}/x"',
        'state_dri = "/x"',
        'statedir = "/x"',
        '[http]\nstate_dir = "/x"',
        f'{SOURCE}state_dir = "/x"',
        "state_dir = ",
        'state_dir = "/x"\nlog_level = info',
    ],
)
def test_without_state_dir_there_is_nothing_to_ask(tmp_path: Path, text: str) -> None:
    """Nobody is told of the agent of another directory; all problems are said, as by `load_config`."""
    with pytest.raises(ConfigurationError) as readable:
        read(tmp_path, text)
    with pytest.raises(ConfigurationError) as strict:
        load_config(tmp_path / "shipper.toml", {})

    assert str(readable.value) == str(strict.value)


def test_a_file_that_is_missing_stays_an_error(tmp_path: Path) -> None:
    """With what to do."""
    with pytest.raises(ConfigurationError, match="does not exist; name the configuration with -c"):
        load_readable(tmp_path / "none.toml", {})
