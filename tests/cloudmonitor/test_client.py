"""The client against a real HTTP server on loopback: what it puts on the wire, and what it makes of answers."""

from __future__ import annotations

import base64
import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from shipper.cloudmonitor import Client, Credentials, CustomEvent, batching
from shipper.cloudmonitor.signing import content_md5
from shipper.config.model import CloudMonitorTable, Config
from shipper.errors import ConfigurationError, RefusedError, TransportError
from tests.cloudmonitor.recording import RecordingServer, hang_up, replies, reply
from tests.cloudmonitor.test_signing import B1, B2

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import BaseHTTPRequestHandler

NOW = 1630046035.0  # Fri, 27 Aug 2021 06:33:55 GMT
SECRET = "testsecret"
LOOPBACK_CERTIFICATE = Path(__file__).with_name("loopback.pem")  # key and certificate of 127.0.0.1, for tests only
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def client(server: RecordingServer) -> Iterator[Client]:
    with Client(server.url, "testkey", SECRET, ip="192.0.2.10", clock=lambda: NOW, timeout=20) as made:
        yield made


def test_a_request_on_the_wire(server: RecordingServer, client: Client) -> None:
    """Every header of the API reference is sent as documented, and the signature is the one of vector E1."""
    client.send(B1.encode())
    sent = server.last
    assert sent.line == "POST /event/custom/upload HTTP/1.1"
    assert sent.body == B1.encode()
    assert sent.header("Authorization") == "testkey:2D0D104FCA2275352A5E1793600F426F14AC1135"
    assert sent.header("Content-Length") == "99"
    assert sent.header("Content-MD5") == "046C80AA9EC6C6B58EB32362DD26AD84"
    assert sent.header("Content-Type") == "application/json"
    assert sent.header("Date") == "Fri, 27 Aug 2021 06:33:55 GMT"
    assert sent.header("Host") == f"127.0.0.1:{server.port}"
    assert (sent.header("User-Agent") or "").startswith("cloudmonitor-shipper/")
    assert sent.header("x-cms-api-version") == "1.0"
    assert sent.header("x-cms-ip") == "192.0.2.10"
    assert sent.header("x-cms-signature") == "hmac-sha1"
    assert {name for name, _ in sent.headers} == {
        *("Authorization", "Content-Length", "Content-MD5", "Content-Type", "Date", "Host", "User-Agent"),
        *("x-cms-api-version", "x-cms-ip", "x-cms-signature", "Accept-Encoding"),
    }


def test_text_beyond_ascii(server: RecordingServer, client: Client) -> None:
    """Vector E2: Chinese text is sent in raw UTF-8, with the length in bytes."""
    client.send(B2.encode())
    assert server.last.body == B2.encode()
    assert server.last.header("Content-Length") == "118"
    assert server.last.header("Authorization") == "testkey:B74F4989A2D96F5C0E6176BE558FDF3C09F7101E"


def test_a_token_adds_its_headers(server: RecordingServer) -> None:
    """Vector E4: with a security token, and only then, two more headers are sent and signed."""
    token = "CAIStesttoken=="
    with Client(server.url, "testkey", SECRET, security_token=token, ip="192.0.2.10", clock=lambda: NOW) as client:
        client.send(B1.encode())
    assert server.last.header("x-cms-caller-type") == "token"
    assert server.last.header("x-cms-security-token") == token
    assert server.last.header("Authorization") == "testkey:297FD64B0C9FDF4B4F2B75E7794C1EF52787C171"


def test_every_attempt_is_dated_and_signed_anew(server: RecordingServer) -> None:
    """The same body sent later carries the later date, and credentials are asked for each time."""
    moments = iter([NOW, NOW + 3600])
    # an answer that is not the service's tells nothing of its clock
    server.answer = reply(200, b"{}")
    keys = iter([Credentials("old", "secret-1"), Credentials("new", "secret-2", "token")])
    with Client(server.url, credentials=lambda: next(keys), ip="192.0.2.10", clock=lambda: next(moments)) as client:
        client.send(B1.encode())
        client.send(B1.encode())
    first, second = server.requests
    assert (first.header("Date"), second.header("Date")) == (
        "Fri, 27 Aug 2021 06:33:55 GMT",
        "Fri, 27 Aug 2021 07:33:55 GMT",
    )
    assert (first.header("Authorization") or "").startswith("old:")
    assert (second.header("Authorization") or "").startswith("new:")
    assert second.header("x-cms-security-token") == "token"


@pytest.mark.parametrize(
    ("ahead", "status", "body", "expected"),
    [
        (-3600, 200, b'{"code":"200"}', 3600),
        (7200, 403, b'{"code":"403","msg":"date"}', -7200),
        (-45, 200, b'{"code":"200"}', 0),
        (-3600, 200, b"<html>sign in</html>", 0),
    ],
    ids=["host behind", "host ahead", "tolerated", "a proxy's page"],
)
def test_a_wrong_clock_is_corrected(
    server: RecordingServer, ahead: int, status: int, body: bytes, expected: int
) -> None:
    """By what the service's own answers say, if it is off by more than a minute (spec, section 6)."""
    server.answer = reply(status, body)
    with Client(server.url, "testkey", "testsecret", clock=lambda: time.time() + ahead) as client:
        client.send(B1.encode())
        client.send(B1.encode())
        assert client.clock_offset == pytest.approx(expected, abs=5)

    first, second = (parsedate_to_datetime(each.header("Date") or "").timestamp() for each in server.requests)
    assert first == pytest.approx(time.time() + ahead, abs=5)
    assert second == pytest.approx(time.time() + ahead + expected, abs=5)


def test_the_connection_is_kept(server: RecordingServer, client: Client) -> None:
    """Requests share one connection, also after answers that refuse."""
    server.answer = replies(reply(), reply(403, b'{"code":"403","msg":"rate limit"}'), reply(502, b"<html>"), reply())
    for _ in range(4):
        client.send(B1.encode())
    assert len({request.connection for request in server.requests}) == 1


def test_cookies_are_forgotten(server: RecordingServer, client: Client) -> None:
    """What a gateway asks to remember is not sent back."""
    server.answer = reply(Set_Cookie="a=b; Path=/")
    client.send(B1.encode())
    client.send(B1.encode())
    assert server.last.header("Cookie") is None


def test_redirects_are_not_followed(server: RecordingServer, client: Client) -> None:
    """A redirect is an answer; the signed events go nowhere else."""
    server.answer = reply(307, b"", Location=f"{server.url}/elsewhere")
    assert client.send(B1.encode()).status == 307
    assert len(server.requests) == 1


def test_netrc_is_never_read(
    server: RecordingServer, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password in .netrc for the host does not replace the signature."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other\ndefault login someone password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.send(B1.encode())
    assert (server.last.header("Authorization") or "").startswith("testkey:")


def test_an_answer_is_read(server: RecordingServer, client: Client) -> None:
    """An answer carries status, code, words, request id and the server's date."""
    server.answer = reply(400, b'{"code":"400","msg":"bad","requestId":"R-1"}')
    answer = client.send(B1.encode())
    assert (answer.status, answer.code, answer.message, answer.request_id) == (400, "400", "bad", "R-1")
    assert answer.server_date is not None
    assert abs(answer.server_date - datetime.now(UTC)) < timedelta(minutes=1)


def test_an_endless_answer_is_cut(server: RecordingServer, client: Client) -> None:
    """Of a huge answer only a part is read, and the next request works."""
    server.answer = replies(reply(200, b"x" * 10_000_000), reply())
    assert client.send(B1.encode()).excerpt == "x" * 200 + "…"
    assert client.send(B1.encode()).code == "200"


@pytest.mark.parametrize("given", [None, "http://127.0.0.1:9"])
def test_loopback_needs_no_proxy(server: RecordingServer, given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loopback endpoint is reached directly, whatever proxy is set."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Client(server.url, "testkey", SECRET, proxy=given) as client:
        assert client.send(B1.encode()).code == "200"


def test_the_proxy_of_the_environment(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other endpoints are reached through the environment's proxy, with its password; NO_PROXY is obeyed."""
    monkeypatch.setenv("HTTP_PROXY", server.url.replace("http://", "http://user:pass@"))
    monkeypatch.setenv("NO_PROXY", ".internal")
    with Client("http://metrichub.test", "testkey", SECRET, ip="192.0.2.10", clock=lambda: NOW) as client:
        client.send(B1.encode())
    assert server.last.line == "POST http://metrichub.test/event/custom/upload HTTP/1.1"
    assert server.last.header("Host") == "metrichub.test"
    assert server.last.header("Authorization") == "testkey:2D0D104FCA2275352A5E1793600F426F14AC1135"
    assert server.last.header("Proxy-Authorization") == "Basic " + base64.b64encode(b"user:pass").decode()
    with Client("http://a.internal", "testkey", SECRET) as client, pytest.raises(TransportError):
        client.send(B1.encode())
    assert len(server.requests) == 1


def test_the_given_proxy_wins(server: RecordingServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is given is used instead of the environment's."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Client("http://metrichub.test", "testkey", SECRET, proxy=server.url) as client:
        assert client.send(B1.encode()).code == "200"
    assert server.last.header("x-cms-ip") == "127.0.0.1"


def test_own_address_is_found(server: RecordingServer) -> None:
    """Without a given ip the address on the way to the endpoint is reported."""
    with Client(server.url.replace("127.0.0.1", "localhost"), "testkey", SECRET) as client:
        client.send(B1.encode())
    assert server.last.header("x-cms-ip") in {"127.0.0.1", "::1"}


def test_the_default_clock_is_now(server: RecordingServer) -> None:
    """Requests are dated with the present time in GMT."""
    with Client(server.url, "testkey", SECRET) as client:
        client.send(B1.encode())
    dated = server.last.header("Date") or ""
    assert dated.endswith(" GMT")
    assert abs(parsedate_to_datetime(dated) - datetime.now(UTC)) < timedelta(minutes=1)


def closed_port() -> str:
    spare = RecordingServer()
    spare.stop()
    return spare.url


def test_nobody_listens() -> None:
    """A refused connection is a TransportError that names host and reason."""
    url = closed_port()
    with Client(url, "testkey", SECRET) as client, pytest.raises(TransportError) as caught:
        client.send(B1.encode())
    assert str(caught.value) == f"no answer from {url.removeprefix('http://')}: connection refused"
    assert "check endpoint" in caught.value.action


def test_an_unknown_host() -> None:
    """A name that cannot be resolved is a TransportError that says so."""
    with Client("http://nowhere.invalid", "testkey", SECRET) as client, pytest.raises(TransportError) as caught:
        client.send(B1.encode())
    assert str(caught.value) == "no answer from nowhere.invalid: the name cannot be resolved"
    assert "DNS" in caught.value.action


def test_the_connection_breaks(server: RecordingServer, client: Client) -> None:
    """A connection that ends without an answer is a TransportError, and the request is not sent a second time."""
    server.answer = hang_up
    with pytest.raises(TransportError, match="the connection was closed before an answer came"):
        client.send(B1.encode())
    assert len(server.requests) == 1


def test_an_answer_that_ends_early(server: RecordingServer, client: Client) -> None:
    """An answer shorter than it says is no answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"code":"200"}')
        handler.close_connection = True

    server.answer = answer
    with pytest.raises(TransportError):
        client.send(B1.encode())


def test_no_http_at_all(server: RecordingServer, client: Client) -> None:
    """Bytes that are not HTTP are a TransportError."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        handler.close_connection = True

    server.answer = answer
    with pytest.raises(TransportError, match="what came is not HTTP"):
        client.send(B1.encode())


def test_silence(server: RecordingServer) -> None:
    """Without an answer in time the request ends with a TransportError that names the time."""
    done = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        done.wait(20)
        handler.close_connection = True

    server.answer = answer
    with Client(server.url, "testkey", SECRET, timeout=0.2) as client:
        with pytest.raises(TransportError, match=r"it was not there within 0\.2 s"):
            client.send(B1.encode())
        done.set()


def test_a_dripping_answer(server: RecordingServer) -> None:
    """An answer that comes byte by byte does not hold the sender for longer than the time-out."""
    done = threading.Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
        while not done.wait(0.02):
            try:
                handler.wfile.write(b" ")
            except OSError:
                break
        handler.close_connection = True

    server.answer = answer
    with Client(server.url, "testkey", SECRET, timeout=0.5) as client:
        with pytest.raises(TransportError, match="it was not there within"):
            client.send(B1.encode())
        done.set()


def test_tls_to_a_plain_server(server: RecordingServer) -> None:
    """TLS that fails is a TransportError that says TLS."""
    with (
        Client(server.url.replace("http:", "https:"), "testkey", SECRET) as client,
        pytest.raises(TransportError, match="TLS failed"),
    ):
        client.send(B1.encode())


def test_a_ca_file_that_is_none(server: RecordingServer, tmp_path: Path) -> None:
    """A ca_file that is missing is refused at once; one that holds no certificate fails without a traceback."""
    with pytest.raises(ValueError, match=r"ca_file .* does not exist"):
        Client(server.url, "testkey", SECRET, ca_file=tmp_path / "none.pem")
    empty = tmp_path / "empty.pem"
    empty.write_text("")
    with (
        Client(server.url.replace("http:", "https:"), "testkey", SECRET, ca_file=empty) as client,
        pytest.raises(TransportError),
    ):
        client.send(B1.encode())


def test_certificates_are_verified() -> None:
    """TLS to a server is refused unless its certificate is trusted; ca_file says which are."""
    server = RecordingServer(LOOPBACK_CERTIFICATE)
    try:
        with Client(server.url, "testkey", SECRET) as client, pytest.raises(TransportError, match="is not trusted"):
            client.send(B1.encode())
        with Client(server.url, "testkey", SECRET, ca_file=LOOPBACK_CERTIFICATE) as client:
            assert client.send(B1.encode()).code == "200"
        assert len(server.requests) == 1
    finally:
        server.stop()


def test_errors_and_repr_hold_no_secret() -> None:
    """Neither a transport error nor the client's repr shows key, secret, token or the proxy's password."""
    proxy = closed_port().replace("http://", "http://user:PASSWORD@")
    with Client("http://metrichub.test", "KEYID", "SECRET", security_token="TOKEN", proxy=proxy) as client:
        with pytest.raises(TransportError) as caught:
            client.send(B1.encode())
        shown = f"{caught.value}{caught.value!r}{client!r}{client.credentials()}"
    assert "through the proxy 127.0.0.1:" in shown
    assert not any(word in shown for word in ("KEYID", "SECRET", "TOKEN", "PASSWORD"))


def test_put_events(server: RecordingServer, client: Client) -> None:
    """A list of events is one request; group and time have their defaults; the answer comes back."""
    server.answer = reply(200, b'{"code":"200","msg":"","requestId":"R-7"}')
    client.group_id = 5
    zone = timezone(timedelta(hours=8))
    answer = client.put_events(
        [
            CustomEvent("a", "磁盘"),
            CustomEvent("b", "x", group_id=0, time=datetime(2021, 8, 27, 14, 33, 55, 948_999, tzinfo=zone)),
            CustomEvent("c", "", group_id=27147, time="1630046035000"),
        ]
    )
    assert (answer.code, answer.request_id) == ("200", "R-7")
    assert len(server.requests) == 1
    assert server.last.header("Content-MD5") == content_md5(server.last.body)
    first, second, third = orjson.loads(server.last.body)
    here = datetime.fromtimestamp(NOW).astimezone()
    assert first == {"name": "a", "content": "磁盘", "groupId": 5, "time": here.strftime("%Y%m%dT%H%M%S.000%z")}
    assert second == {"name": "b", "content": "x", "groupId": 0, "time": "20210827T143355.948+0800"}
    assert third == {"name": "c", "content": "", "groupId": 27147, "time": "1630046035000"}


def test_put_event(server: RecordingServer, client: Client) -> None:
    """One event can be reported by its name and content; a naive time is the host's."""
    naive = datetime(2021, 8, 27, 12, 0)  # noqa: DTZ001 - naive is the point
    client.put_event("n", "c", group_id=3, time=naive)
    (sent,) = orjson.loads(server.last.body)
    local = naive.astimezone().strftime("%z")
    assert sent == {"name": "n", "content": "c", "groupId": 3, "time": f"20210827T120000.000{local}"}


@pytest.mark.parametrize(
    ("status", "body", "code", "message", "request_id"),
    [
        (403, b'{"code":"403","msg":"no","requestId":"R-1"}', "403", "no", "R-1"),
        (200, b'{"code":"500","msg":"inside"}', "500", "inside", ""),
        (502, b"<html>", "502", "HTTP 502, not an answer of the service: <html>", ""),
        (200, b"", "200", "HTTP 200, not an answer of the service: no words came with it", ""),
    ],
)
def test_refused(
    server: RecordingServer, client: Client, status: int, body: bytes, code: str, message: str, request_id: str
) -> None:
    """Anything but acceptance is a RefusedError with the service's code, words and request id."""
    server.answer = reply(status, body)
    with pytest.raises(RefusedError) as caught:
        client.put_event("n", "c")
    assert (caught.value.code, caught.value.message, caught.value.request_id) == (code, message, request_id)


def test_limits_are_checked_before_sending(server: RecordingServer, client: Client) -> None:
    """No events, over 100, or over 500,000 bytes are a ValueError, and nothing is sent."""
    with pytest.raises(ValueError, match="1 to 100 events, not 0"):
        client.put_events([])
    with pytest.raises(ValueError, match="1 to 100 events, not 101"):
        client.put_events([CustomEvent("n", "c")] * 101)
    with pytest.raises(ValueError, match="500,000 bytes, these events need 500,0"):
        client.put_event("n", "x" * batching.MAX_BYTES)
    assert server.requests == []
    client.put_events([CustomEvent("n", "x" * 4900)] * 100)
    assert len(orjson.loads(server.last.body)) == 100


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"name": " "}, "name must not be blank"),
        ({"group_id": -1}, "group id must not be negative"),
        ({"group_id": 2**63}, "group id must be below"),
        ({"time": "2021-08-27 14:33:55"}, "must look like '20171023T144439.948[+]0800'"),
        ({"time": "1630046035"}, "epoch milliseconds"),
        ({"time": "20210231T000000.000+0800"}, "does not exist"),
        ({"time": "20210827T143355.000+0860"}, "does not exist"),
        ({"time": datetime(1, 1, 1)}, "out of range"),  # noqa: DTZ001 - naive is the point
    ],
)
def test_events_are_checked(arguments: dict[str, object], said: str) -> None:
    """An event that the service would refuse cannot be made; the error says what was expected."""
    fields: dict[str, object] = {"name": "n", "content": "c"} | arguments
    with pytest.raises(ValueError, match=said):
        CustomEvent(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"endpoint": "metrichub"}, "endpoint must look like"),
        ({"endpoint": "http://h/path"}, "endpoint must look like"),
        ({"access_key_id": ""}, "access_key_id is empty"),
        ({"access_key_secret": "a b"}, "access_key_secret holds a blank"),
        ({"ip": "1.2.3.4\r\nx: y"}, "ip must be printable ASCII"),
        ({"credentials": lambda: Credentials("a", "b")}, "not both"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, object], said: str) -> None:
    """A client that could not work is not made; the error names the argument."""
    given: dict[str, object] = {"endpoint": "http://127.0.0.1:1", "access_key_id": "a", "access_key_secret": "b"}
    with pytest.raises(ValueError, match=said):
        Client(**(given | arguments))  # type: ignore[arg-type]


def test_a_client_of_the_configuration(server: RecordingServer, tmp_path: Path) -> None:
    """A configuration's table makes the client; what cannot be used is a configuration error that names the file."""
    keys = Credentials("testkey", SECRET)
    config = Config(cloudmonitor=CloudMonitorTable(endpoint=server.url, group_id=9), file=tmp_path / "shipper.toml")
    with Client.configured(config, lambda: keys) as client:
        client.put_event("n", "c")
    assert orjson.loads(server.last.body)[0]["groupId"] == 9
    for table in (CloudMonitorTable(region="nowhere"), CloudMonitorTable(ca_file="none.pem")):
        with pytest.raises(ConfigurationError, match=r"shipper\.toml: \[cloudmonitor\]"):
            Client.configured(Config(cloudmonitor=table, file=tmp_path / "shipper.toml"), lambda: keys)
