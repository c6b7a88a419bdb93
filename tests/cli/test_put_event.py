"""`shipper put-event` as a user types it, against a recording server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from shipper.cli import app
from tests.cloudmonitor.recording import RecordingServer, hang_up, replies, reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Shipper = Callable[..., "Outcome"]

SEED = "[{'content':'helloworld','time':'20171023T180923.456+0800','name':'ErrorEvent','groupId':'27147'}]"


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    made = RecordingServer()
    yield made
    made.stop()


@pytest.fixture
def put(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shipper:
    """Run `shipper put-event` with keys in the environment and no configuration on this host."""
    for name in [name for name in os.environ if name.startswith(("ALIBABA_CLOUD_", "SHIPPER_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("shipper.config.load.DEFAULT_FILE", tmp_path / "none.toml")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "testkey")
    monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "testsecret")

    def run(*arguments: str) -> Outcome:
        code = app.main(["put-event", *arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Outcome(code, captured.out, " ".join(captured.err.split()))

    return run


def sent(server: RecordingServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(server.last.body)
    return found


def test_the_argument_of_the_legacy_tool(put: Shipper, server: RecordingServer) -> None:
    """The documented `--event-info` with single quotes is taken as it is, and success prints exactly the code."""
    outcome = put("--endpoint", server.url, "--event-info", SEED)
    assert (outcome.code, outcome.out, outcome.err) == (0, '{"Code":"200"}\n', "")
    assert sent(server) == [
        {"content": "helloworld", "groupId": 27147, "name": "ErrorEvent", "time": "20171023T180923.456+0800"}
    ]


def test_the_command_itself(server: RecordingServer, tmp_path: Path) -> None:
    """The installed command does the same in a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "SHIPPER_CONFIG": str(tmp_path / "shipper.toml"),
        "ALIBABA_CLOUD_ACCESS_KEY_ID": "testkey",
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret",
    }
    (tmp_path / "shipper.toml").write_text(f'[cloudmonitor]\nendpoint = "{server.url}"\ngroup_id = 4\n')
    done = subprocess.run(
        [sys.executable, "-m", "shipper", "put-event", "--name", "n", "--content", "磁盘"],
        env=environment,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b'{"Code":"200"}\n', b"")
    assert sent(server)[0]["content"] == "磁盘"
    assert sent(server)[0]["groupId"] == 4


@pytest.mark.parametrize(
    "given",
    [
        '{"name":"n","content":"c","groupId":7,"time":"1508741079948"}',
        '[{"name":"n","content":"c","groupId":"7","time":1508741079948}]',
        "{'name':'n','content':'c','groupId':7,'time':'1508741079948'}",
    ],
)
def test_forms_of_event_info(put: Shipper, server: RecordingServer, given: str) -> None:
    """One object or an array, JSON or single quotes, numbers or their texts: all mean the same."""
    assert put("--endpoint", server.url, "--event-info", given).code == 0
    assert sent(server) == [{"name": "n", "content": "c", "groupId": 7, "time": "1508741079948"}]


def test_name_and_content(put: Shipper, server: RecordingServer) -> None:
    """An event can be given by options; group and time have their defaults."""
    assert put("--endpoint", server.url, "--name", "n", "--content", 'it\'s "so"').code == 0
    (event,) = sent(server)
    assert (event["name"], event["content"], event["groupId"]) == ("n", 'it\'s "so"', 0)
    time = "20171023T180923.456+0800"
    assert put("--endpoint", server.url, "--name", "n", "--content", "c", "--group-id", "9", "--time", time).code == 0
    (event,) = sent(server)
    assert (event["groupId"], event["time"]) == (9, time)


def test_more_than_one_request_holds(put: Shipper, server: RecordingServer) -> None:
    """Over 100 events are sent in several requests, in order; what was accepted before a refusal is said."""
    info = json.dumps([{"name": "n", "content": str(number)} for number in range(250)])
    assert put("--endpoint", server.url, "--event-info", info).out == '{"Code":"200"}\n'
    numbers = [event["content"] for request in server.requests for event in json.loads(request.body)]
    assert numbers == [str(number) for number in range(250)]
    assert [len(json.loads(request.body)) for request in server.requests] == [100, 100, 50]
    server.answer = replies(reply(), reply(400, b'{"code":"400","msg":"bad"}'))
    outcome = put("--endpoint", server.url, "--event-info", info)
    assert (outcome.code, outcome.out) == (1, "")
    assert "the first 100 of 250 events were accepted" in outcome.err


def test_an_event_over_the_limit_is_cut(put: Shipper, server: RecordingServer, tmp_path: Path) -> None:
    """An event that no request can carry is cut and marked."""
    info = tmp_path / "info"
    info.write_text(json.dumps({"name": "n", "content": "x" * 600_000}))
    script = "import sys; from shipper.cli.app import main; sys.exit(main(sys.argv[1:]))"
    with info.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-c", script, "put-event", "--endpoint", server.url, "--event-info", "-"],
            stdin=stdin,
            capture_output=True,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(server.last.body) == 500_000
    assert sent(server)[0]["content"].endswith(" bytes]")
    assert put("--help").code == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(403, b'{"code":"403","msg":"cannot upload event, please use ram to auth"}'), "403: cannot upload event"),
        (reply(200, b'{"code":"500","msg":"inside","requestId":"R-9"}'), "500: inside (request R-9)"),
        (reply(502, b"<html>"), "502: HTTP 502, not an answer of the service: <html>"),
        (hang_up, "the connection was closed before an answer came"),
    ],
)
def test_not_accepted(put: Shipper, server: RecordingServer, answer: Any, said: str) -> None:
    """A refusal prints code and words on stderr, a failure its reason; both exit with 1 and print nothing else."""
    server.answer = answer
    outcome = put("--endpoint", server.url, "--name", "n", "--content", "c")
    assert (outcome.code, outcome.out) == (1, "")
    assert said in outcome.err


def test_accepted_in_part(put: Shipper, server: RecordingServer) -> None:
    """Code 206 is accepted, and the service's remark is passed on."""
    server.answer = reply(200, b'{"code":"206","msg":"type is invalid"}')
    outcome = put("--endpoint", server.url, "--name", "n", "--content", "c")
    assert (outcome.code, outcome.out) == (0, '{"Code":"206"}\n')
    assert "type is invalid" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give --name and --content, or --event-info"),
        (["--name", "n"], "give --name and --content, or --event-info"),
        (["--event-info", SEED, "--name", "n"], "not both"),
        (["--event-info", "[{"], "not valid JSON"),
        (["--event-info", "__import__('os')"], "not valid JSON"),
        (["--event-info", "(" * 5000], "not valid JSON"),
        (["--event-info", "[]"], "holds no event"),
        (["--event-info", "3"], "event 1 must be an object"),
        (["--event-info", '[{"name":"n","content":"c"},{"name":"n"}]'], "event 2: the key 'content' is missing"),
        (["--event-info", '{"name":"n","conten":"c"}'], "unknown key 'conten'; did you mean 'content'?"),
        (["--event-info", '{"name":"n","content":3}'], "'content' must be a string"),
        (["--event-info", '{"name":"n","content":"c","groupId":true}'], "group id"),
        (["--event-info", '{"name":"n","content":"c","time":1.5}'], "'time' must be"),
        (["--name", " ", "--content", "c"], "must not be blank"),
        (["--name", "n", "--content", "c", "--group-id", "x"], "group id must be a whole number"),
        (["--name", "n", "--content", "c", "--time", "yesterday"], "must look like '20171023T144439.948+0800'"),
        (["--name", "n", "--content", "c", "--region", "cn-hangzou"], "did you mean 'cn-hangzhou'?"),
        (["--name", "n", "--content", "c", "--endpoint", "metrichub"], "--endpoint must look like"),
        (["--name", "n", "--content", "c", "--endpoint", "http://example.com"], "plain http to"),
        (["--name", "n", "--content", "c", "-c", "none.toml"], "none.toml: does not exist"),
    ],
)
def test_usage_errors(put: Shipper, arguments: list[str], said: str) -> None:
    """What cannot be understood is one message that says what was expected, exit code 2, and nothing is sent."""
    outcome = put(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert said in outcome.err


def test_no_credentials(put: Shipper, server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without credentials the message says where was looked and how to give them, exit code 2."""
    monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
    outcome = put("--endpoint", server.url, "--name", "n", "--content", "c")
    assert (outcome.code, outcome.out, server.requests) == (2, "", [])
    assert "no credentials found: the environment has no ALIBABA_CLOUD_ACCESS_KEY_ID" in outcome.err


def test_keys_by_option(put: Shipper, server: RecordingServer, tmp_path: Path) -> None:
    """A key id on the command line goes with the secret of a file, and never with another key's."""
    file = tmp_path / "shipper.toml"
    file.write_text(
        f'[cloudmonitor]\nendpoint = "{server.url}"\n'
        '[cloudmonitor.credentials]\naccess_key_id = "configured"\naccess_key_secret = "configured-secret"\n'
    )
    file.chmod(0o600)
    event = ("-c", str(file), "--name", "n", "--content", "c")
    assert put(*event).code == 0
    assert (server.last.header("Authorization") or "").startswith("configured:")
    (tmp_path / "secret").write_text("file-secret\n")
    assert put(*event, "--access-key-id", "other", "--access-key-secret-file", str(tmp_path / "secret")).code == 0
    assert (server.last.header("Authorization") or "").startswith("other:")
    assert put(*event, "--access-key-secret-file", str(tmp_path / "missing")).code == 2
    assert put(*event, "--access-key-id", "other").code == 0
