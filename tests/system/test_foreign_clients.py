"""Clients that are not ours report to the emulator: the official SDKs, the aliyun command line, and curl.

What the emulator takes from us it takes from them, and both mean the same by it. Each client is obtained by its own
package manager, at the versions named in `foreign/` and below; one that cannot be had skips its tests, with the reason.
A driver in `foreign/` reads one job as JSON and writes as JSON what its client made of the answer.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from shipper.cloudmonitor import Client, CustomEvent
from shipper.cloudmonitor.emulator import DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, AccessKey, Emulator, Fault, Settings
from shipper.cloudmonitor.openapi import OpenApiClient
from tests.cloudmonitor.recording import Recorded, RecordingServer, reply
from tests.e2e.host import journal

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # the first test of a client may have to download it

FOREIGN = Path(__file__).parent / "foreign"
PYTHON_SDK_OLD = ("aliyun-python-sdk-cms==7.0.33", "aliyun-python-sdk-core==2.16.1")
PYTHON_SDK = ("alibabacloud_cms20190101==4.0.10",)
SECONDS_TO_OBTAIN = 600
SECONDS_TO_REPORT = 60
TOKEN = "CAIStesttoken=="

Event = dict[str, str]
EVENTS: list[Event] = [
    {
        "name": "磁盘告警",
        "content": "磁盘 / 使用率 91%，请处理: a+b&c=d ~e*f \"g\" 'h' <i> \\j",
        "groupId": "27147",
        "time": "20210827T143355.123+0800",
    },
    {"name": "LoginFailed", "content": "第一行\n\t第二行 😀", "groupId": "0", "time": "20210827T143356.000+0800"},
]


@dataclass(frozen=True)
class Job:
    """What a client is asked to report, and where."""

    endpoint: str
    events: Sequence[Event]
    secret: str = DEFAULT_KEY_SECRET
    token: str = ""
    key: str = DEFAULT_KEY_ID


@dataclass(frozen=True)
class Said:
    """What a client makes of the answer: a `code` of success or an `error`; `advice` is its own."""

    code: str = ""
    error: str = ""
    message: str = ""
    requestId: str = ""  # noqa: N815 - as the drivers write it
    advice: str = ""


@dataclass(frozen=True)
class Foreign:
    """A client that is here.

    Attributes:
        name: what its tests are called by.
        signs: `"hmac-sha1"` of the upload; `"v2"` or `"v3"` of the RPC API.
        report: does a job.
    """

    name: str
    signs: str
    report: Callable[[Job], Said]

    @property
    def most(self) -> int:
        """Events that one request may have."""
        return 100 if self.signs == "hmac-sha1" else 50


# --- how each client is obtained ---


class Workshop:
    """A directory in which clients are made ready, each once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._failures: dict[str, str] = {}

    def obtain(self, what: str, *commands: Sequence[str], cwd: Path | None = None) -> Path:
        """Give the place where package managers put something; skip the test when they cannot get it.

        `{place}` in a command stands for it.
        """
        place = self.root / what
        if what not in self._failures:
            self._failures[what] = ""
            for command in commands:
                self._failures[what] = _failure([part.format(place=place) for part in command], cwd)
                if self._failures[what]:
                    break
        if self._failures[what]:
            pytest.skip(f"{what} cannot be obtained: {self._failures[what]}")
        return place


def _failure(command: Sequence[str], cwd: Path | None) -> str:
    """Run a package manager; give why it failed, in its own words, or nothing."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS_TO_OBTAIN)
    except subprocess.TimeoutExpired:
        return f"{command[0]} did not end within {SECONDS_TO_OBTAIN} s"
    words = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    return "" if done.returncode == 0 else "; ".join(words[:3]) or f"{command[0]} exited with {done.returncode}"


def tool(name: str, where_from: str) -> str:
    """Give a program's path, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed ({where_from})")
    return path


def driven(*command: str) -> Callable[[Job], Said]:
    """Make a driver's `report`."""

    def report(job: Job) -> Said:
        asked = {"endpoint": job.endpoint, "key": job.key, "secret": job.secret, "token": job.token}
        return Said(**orjson.loads(run(command, orjson.dumps(asked | {"events": list(job.events)}))))

    return report


def run(command: Sequence[str], given: bytes = b"") -> bytes:
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        timeout=SECONDS_TO_REPORT,
        env=os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return done.stdout


def java_sdk(workshop: Workshop) -> Foreign:
    """Make `com.aliyun.openservices:aliyun-cms` ready, in a JVM whose zone is China's."""
    java, maven = tool("java", "Debian's default-jdk-headless"), tool("mvn", "Debian's maven")
    tool("javac", "Debian's default-jdk-headless")
    sources = FOREIGN / "java"
    get = (
        maven,
        "-q",
        "-B",
        "-f",
        str(sources / "pom.xml"),
        "dependency:copy-dependencies",
        "-DoutputDirectory={place}",
    )
    jars = workshop.obtain("aliyun-cms", get)
    zone = ("-Duser.timezone=Asia/Shanghai", "-Dfile.encoding=UTF-8")
    report = driven(java, *zone, "-cp", f"{jars}/*", str(sources / "PutCustomEvent.java"))
    return Foreign("java-sdk", "hmac-sha1", report)


def curl(_: Workshop) -> Foreign:
    """Make a shell script ready that signs with openssl and sends with curl."""
    for name, package in {"curl": "curl", "openssl": "openssl", "md5sum": "coreutils"}.items():
        tool(name, f"Debian's {package}")
    shell = tool("sh", "any POSIX shell")

    def report(job: Job) -> Said:
        body = orjson.dumps([event | {"groupId": int(event["groupId"])} for event in job.events])
        said = run((shell, str(FOREIGN / "upload.sh"), job.endpoint, job.key, job.secret, job.token), body)
        answer = orjson.loads(said)
        outcome = "code" if answer["code"] == "200" else "error"
        return Said(message=answer["msg"], requestId=answer.get("requestId", ""), **{outcome: answer["code"]})

    return Foreign("curl", "hmac-sha1", report)


def _python(workshop: Workshop, what: str, *packages: str) -> str:
    create = (sys.executable, "-m", "venv", "{place}")
    install = ("{place}/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)
    return str(workshop.obtain(what, create, install) / "bin" / "python")


def python_sdk_old(workshop: Workshop) -> Foreign:
    """Make `aliyun-python-sdk-cms` ready."""
    python = _python(workshop, "aliyun-python-sdk-cms", *PYTHON_SDK_OLD)
    return Foreign("python-sdk-old", "v2", driven(python, str(FOREIGN / "python_sdk_old.py")))


def python_sdk(workshop: Workshop) -> Foreign:
    """Make `alibabacloud_cms20190101` ready."""
    python = _python(workshop, "alibabacloud_cms20190101", *PYTHON_SDK)
    return Foreign("python-sdk", "v3", driven(python, str(FOREIGN / "python_sdk.py")))


def python_sdk_v2(workshop: Workshop) -> Foreign:
    """Make `alibabacloud_cms20190101` ready, told to sign as its predecessors did."""
    python = _python(workshop, "alibabacloud_cms20190101", *PYTHON_SDK)
    return Foreign("python-sdk-v2", "v2", driven(python, str(FOREIGN / "python_sdk.py"), "v2"))


def go_sdk(workshop: Workshop, how: str) -> Foreign:
    """Make `alibaba-cloud-sdk-go` ready, the library that the aliyun command line sends with."""
    go = tool("go", "Debian's golang-go")
    workshop.obtain("alibaba-cloud-sdk-go", (go, "mod", "download"), cwd=FOREIGN / "go")
    built = workshop.root / "go-sdk"
    if not built.exists():
        command = (go, "build", "-buildvcs=false", "-o", str(built), ".")
        subprocess.run(command, cwd=FOREIGN / "go", check=True, timeout=SECONDS_TO_OBTAIN)
    return Foreign(f"go-sdk-{how}", "v2", driven(str(built), how))


def aliyun_cli(workshop: Workshop) -> Foreign:
    """Find the aliyun command line; no package manager that we use has it."""
    aliyun = tool("aliyun", "the aliyun command line; see its project's releases")
    names = {"name": "EventName", "content": "Content", "groupId": "GroupId", "time": "Time"}

    def report(job: Job) -> Said:
        keys = ["--access-key-id", job.key, "--access-key-secret", job.secret]
        mode = ["--mode", "StsToken", "--sts-token", job.token] if job.token else ["--mode", "AK"]
        place = ["--region", "cn-hangzhou", "--endpoint", job.endpoint, "--insecure"]
        place += ["--config-path", str(workshop.root / "aliyun.json")]
        fields = [
            part
            for number, event in enumerate(job.events, 1)
            for key, value in event.items()
            for part in (f"--EventInfo.{number}.{names[key]}", value)
        ]
        done = subprocess.run(
            [aliyun, "cms", "PutCustomEvent", *place, *mode, *keys, *fields],
            capture_output=True,
            text=True,
            timeout=SECONDS_TO_REPORT,
            env=os.environ | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
        )
        if done.returncode == 0:
            answer = orjson.loads(done.stdout)
            return Said(code=answer["Code"], message=answer["Message"], requestId=answer["RequestId"])
        lines = re.findall(r"^(ErrorCode|Message|RequestId|Recommend): *(.*)$", done.stdout + done.stderr, re.M)
        told = dict(lines)
        assert "ErrorCode" in told, done.stderr
        return Said(
            "", told["ErrorCode"], told.get("Message", ""), told.get("RequestId", ""), told.get("Recommend", "")
        )

    return Foreign("aliyun-cli", "v2", report)


UPLOADING: dict[str, Callable[[Workshop], Foreign]] = {"java-sdk": java_sdk, "curl": curl}
CALLING: dict[str, Callable[[Workshop], Foreign]] = {
    "python-sdk-old": python_sdk_old,
    "python-sdk": python_sdk,
    "python-sdk-v2": python_sdk_v2,
    "go-sdk-typed": lambda workshop: go_sdk(workshop, "typed"),
    "go-sdk-as-aliyun-cli": lambda workshop: go_sdk(workshop, "query"),
    "go-sdk-form": lambda workshop: go_sdk(workshop, "form"),
    "go-sdk-get": lambda workshop: go_sdk(workshop, "get"),
    "aliyun-cli": aliyun_cli,
}
CLIENTS = UPLOADING | CALLING


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="session", params=CLIENTS)
def foreign(request: pytest.FixtureRequest, workshop: Workshop) -> Foreign:
    """Give each client in turn; `pytest.mark.parametrize` with `indirect` chooses some."""
    return CLIENTS[request.param](workshop)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "accepted.jsonl"


@pytest.fixture
def emulator(store: Path) -> Iterator[Emulator]:
    with Emulator(Settings(store=store, qps=0)) as running:
        yield running


@pytest.fixture
def recorder() -> Iterator[RecordingServer]:
    made = RecordingServer()
    made.answer = reply(
        body=b'{"code":"200","msg":"","requestId":"R","Code":"200","Message":"success","RequestId":"R"}'
    )
    yield made
    made.stop()


def job(server: Emulator | RecordingServer, events: Sequence[Event] = EVENTS, **further: str) -> Job:
    return Job(urlsplit(server.url).netloc, events, **further)


def report_ours(kind: type[Client], url: str, events: Sequence[Event] = EVENTS) -> None:
    """Report the same events with our own client for the upload, `Client`, or for the RPC API, `OpenApiClient`."""
    with kind(url, DEFAULT_KEY_ID, DEFAULT_KEY_SECRET) as client:
        client.put_events(
            [CustomEvent(event["name"], event["content"], int(event["groupId"]), event["time"]) for event in events]
        )


def fields(lines: Sequence[dict[str, object]]) -> list[Event]:
    """Give what was reported, without when and how it came."""
    return [{name: str(line[name]) for name in EVENTS[0]} for line in lines]


# --- what arrives ---


def test_its_events_arrive_as_ours_do(foreign: Foreign, emulator: Emulator, store: Path) -> None:
    """The same events, theirs and ours by both APIs, are equal in every field; the client is told, with the id."""
    said = foreign.report(job(emulator))
    theirs = journal(store)
    report_ours(Client, emulator.url)
    report_ours(OpenApiClient, emulator.url)
    uploaded, called = journal(store)[2:4], journal(store)[4:]

    assert emulator.violations == ()
    assert said.code == "200"
    assert {line["request_id"] for line in theirs} == {said.requestId}
    assert fields(theirs) == fields(uploaded) == fields(called) == EVENTS


def test_its_largest_request_is_taken_and_one_more_is_not(foreign: Foreign, emulator: Emulator, store: Path) -> None:
    """A request has 100 events by upload and 50 by call; one more, and the client is told what was wrong."""
    events = [EVENTS[1] | {"name": f"事件{number}"} for number in range(foreign.most + 1)]
    taken = foreign.report(job(emulator, events[:-1]))
    refused = foreign.report(job(emulator, events))

    assert taken.code == "200"
    assert fields(journal(store)) == events[:-1]
    assert refused.error in ("400", "InvalidParameter")
    assert refused.requestId
    assert f"{foreign.most + 1} events" in refused.message


def test_a_temporary_key(foreign: Foreign, store: Path) -> None:
    """With a token each client signs in its own way, and is accepted; without it is refused."""
    key = AccessKey(DEFAULT_KEY_ID, DEFAULT_KEY_SECRET, tokens=frozenset({TOKEN}))
    with Emulator(Settings(keys=(key,), store=store, qps=0)) as emulator:
        assert foreign.report(job(emulator, token=TOKEN)).code == "200"
        assert foreign.report(job(emulator)).error
    assert fields(journal(store)) == EVENTS


def test_a_wrong_secret(foreign: Foreign, emulator: Emulator, store: Path) -> None:
    """The client learns that it signs wrongly.

    Those of the old generation go further: they find the string that they signed in the answer, all of it and nothing
    behind it, and so say that only the secret can be wrong.
    """
    said = foreign.report(job(emulator, secret="wrong"))

    assert journal(store) == []
    assert said.code == ""
    assert said.requestId
    if foreign.signs == "hmac-sha1":
        assert said.error == "403"
        assert "signature" in said.message
    elif foreign.name == "python-sdk-old":
        assert said.error == "InvalidAccessKeySecret"
    else:
        assert said.error == "SignatureDoesNotMatch"
    if foreign.name.startswith(("go-sdk", "aliyun")):
        assert said.advice.startswith("InvalidAccessKeySecret")


def test_throttled(foreign: Foreign, store: Path) -> None:
    """Each client recognises the words with which it is slowed down."""
    with Emulator(Settings(store=store, qps=0, faults={Fault.THROTTLE: 1.0})) as emulator:
        said = foreign.report(job(emulator))
    assert journal(store) == []
    if foreign.signs == "hmac-sha1":
        assert said.error == "403"
        assert "rate limit" in said.message  # what the Java SDK's own reporter looks for
    else:
        assert said.error.startswith("Throttling")


@pytest.mark.parametrize("foreign", CALLING, indirect=True)
def test_what_a_call_leaves_out(foreign: Foreign, emulator: Emulator, store: Path) -> None:
    """Without group and time an event is in no group, and happened when it was received."""
    foreign.report(job(emulator, [{"name": "n", "content": "内容"}]))
    (line,) = journal(store)
    assert (line["name"], line["content"], line["groupId"]) == ("n", "内容", 0)
    assert datetime.fromisoformat(str(line["time"])) == datetime.fromisoformat(str(line["received"]))


@pytest.mark.parametrize("foreign", CALLING, indirect=True)
def test_epoch_milliseconds(foreign: Foreign, emulator: Emulator, store: Path) -> None:
    """The documented other form of a time means the same from each client."""
    event = EVENTS[0] | {"time": "1630046035123"}
    foreign.report(job(emulator, [event]))
    report_ours(Client, emulator.url, [event])
    report_ours(OpenApiClient, emulator.url, [event])
    assert {event["time"] for event in fields(journal(store))} == {"20210827T063355.123+0000"}


# --- what is on the wire ---

SIGNED_UPLOAD = {"content-md5", "content-type", "date", "x-cms-api-version", "x-cms-ip", "x-cms-signature"}
UPLOAD_HEADERS = SIGNED_UPLOAD | {"authorization", "content-length", "host", "user-agent"}
V2_PARAMETERS = {
    "Action": "PutCustomEvent",
    "Version": "2019-01-01",
    "SignatureMethod": "HMAC-SHA1",
    "SignatureVersion": "1.0",
    "AccessKeyId": DEFAULT_KEY_ID,
}


def headers(request: Recorded) -> dict[str, str]:
    found = {name.lower(): value for name, value in request.headers}
    assert len(found) == len(request.headers)
    return found


def both(foreign: Foreign, kind: type[Client], recorder: RecordingServer) -> tuple[Recorded, Recorded]:
    """Give their request, and ours for the same events."""
    foreign.report(job(recorder))
    report_ours(kind, recorder.url)
    theirs, ours = recorder.requests
    return theirs, ours


@pytest.mark.parametrize("foreign", UPLOADING, indirect=True)
def test_our_upload_is_theirs(foreign: Foreign, recorder: RecordingServer) -> None:
    """The line, the headers in their letters, and each event's fields in their types; what else they send is known."""
    theirs, ours = both(foreign, Client, recorder)
    sent, own = headers(theirs), headers(ours)

    assert theirs.line == ours.line == "POST /event/custom/upload HTTP/1.1"
    assert sent.keys() - UPLOAD_HEADERS <= {"accept", "connection"}
    spelled = {name for name, _ in theirs.headers if name.lower() in UPLOAD_HEADERS}
    assert spelled == {name for name, _ in ours.headers if name.lower() in UPLOAD_HEADERS}
    for name in ("content-type", "host", "x-cms-api-version", "x-cms-signature"):
        assert sent[name] == own[name]
    for request in (theirs, ours):
        found = headers(request)
        assert re.fullmatch(r"testkey:[0-9A-F]{40}", found["authorization"])
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", found["date"])
        assert found["content-md5"] == hashlib.md5(request.body).hexdigest().upper()
    assert "\\u" not in theirs.body.decode()
    assert "\\u" not in ours.body.decode()
    further = {"regionId", "status", "trace", "ver"} if foreign.name == "java-sdk" else set()
    for their_event, our_event in zip(orjson.loads(theirs.body), orjson.loads(ours.body), strict=True):
        assert their_event.keys() - our_event.keys() == further
        assert {name: their_event[name] for name in our_event} == our_event


@pytest.mark.parametrize("foreign", [name for name in CALLING if name != "go-sdk-get"], indirect=True)
def test_our_call_is_theirs(foreign: Foreign, recorder: RecordingServer) -> None:
    """The same parameters with the same values, in query or form; and what each signature needs beside them."""
    theirs, ours = both(foreign, OpenApiClient, recorder)
    sent, own = parameters(theirs), parameters(ours)
    events = {name: value for name, value in own.items() if name.startswith("EventInfo.")}

    assert theirs.line.split()[0] == ours.line.split()[0] == "POST"
    assert {name: value for name, value in sent.items() if name.startswith("EventInfo.")} == events
    assert len(events) == 8
    assert ("EventInfo.1.Content" in query(theirs)) is (foreign.name != "go-sdk-form")
    told = headers(theirs)
    for name in ("x-acs-action", "x-acs-version", "host"):
        assert told[name] == headers(ours)[name]
    beside = {name: value for name, value in sent.items() if name not in events}
    if foreign.signs == "v2":
        assert beside.items() >= V2_PARAMETERS.items()
        known = {"Format", "RegionId", "Signature", "SignatureNonce", "SignatureType", "Timestamp"}
        assert beside.keys() - V2_PARAMETERS.keys() <= known
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", beside["Timestamp"])
    else:
        assert beside == {}
        assert signed_headers(theirs) >= signed_headers(ours)
        assert told["x-acs-content-sha256"] == hashlib.sha256(theirs.body).hexdigest()
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["x-acs-date"])


def query(request: Recorded) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.line.split()[1]).query, keep_blank_values=True, strict_parsing=True))


def parameters(request: Recorded) -> dict[str, str]:
    form = parse_qsl(request.body.decode(), keep_blank_values=True, strict_parsing=True) if request.body else []
    return query(request) | dict(form)


def signed_headers(request: Recorded) -> set[str]:
    found = re.fullmatch(
        r"ACS3-HMAC-SHA256 Credential=testkey,SignedHeaders=([a-z0-9;-]+),Signature=[0-9a-f]{64}",
        headers(request)["authorization"],
    )
    assert found
    return set(found[1].split(";"))
