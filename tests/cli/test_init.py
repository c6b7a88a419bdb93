"""`shipper init`: what it writes works as it is, fits the host, and overwrites nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipper.cli import app, init
from shipper.cli.proposing import agent_user
from shipper.cli.proposing.files import configuration_text, rules_text
from shipper.cli.proposing.fitting_packs import Fitting
from shipper.cli.proposing.host_logs import HostLog, pattern_of
from shipper.cli.proposing.known_programs import KNOWN, Known
from shipper.cli.proposing.log_sample import Sample
from shipper.cli.proposing.proposed_sources import propose
from shipper.cli.proposing.report import next_commands, notes_of
from shipper.cli.proposing.trial import try_out
from shipper.config.json_schema import config_schema
from shipper.config.load import load_config
from shipper.config.model import Config
from shipper.matching.proving import prove
from shipper.matching.rule_schema import rules_schema
from shipper.matching.rulebook import load_configured_rules
from shipper.matching.shipped import shipped_rule_files
from shipper.tailing.discovery import discover
from tests.cli.host import OwnHost
from tests.test_schemas import faults

UPSTREAM = (
    "2026/11/23 10:00:00 [error] 31#31: *9 connect() failed (111: Connection refused) while connecting to upstream, "
    'client: 192.0.2.9, server: shop, request: "GET / HTTP/1.1", upstream: "http://10.0.0.5:8080/", host: "shop"\n'
)
TRACE = "2026-11-23 10:00:00,123 ERROR [main] x\njava.lang.E: x\n\tat com.example.Cart.pay(Cart.java:12)\n"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnHost:
    """A host without any log; whoever runs the tests runs the agent."""
    own = OwnHost(tmp_path / "host")
    monkeypatch.setattr(init, "PLACE", own.place)
    monkeypatch.setattr(init, "agent_user", lambda: None)
    return own


def written(host: OwnHost, monkeypatch: pytest.MonkeyPatch, directory: Path | None = None) -> Config:
    """Run `shipper init`, and read what it wrote."""
    monkeypatch.setattr(init, "PLACE", host.place)
    directory = directory or host.root / "new"
    assert app.main(["init", str(directory)]) == 0
    config, warnings = load_config(directory / "shipper.toml", {})
    assert warnings == ()
    return config


def nginx(host: OwnHost, lines: int) -> Path:
    host.known.append(Known("nginx", (f"{host.root}/nginx/*.log",), ("nginx",), ("nginx",)))
    return host.log("nginx/error.log", UPSTREAM * lines)


def test_what_is_written_is_right_and_proven(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Configuration and rules load without a warning, the rules' tests pass, and only the owner may read them."""
    nginx(host, 30)
    config = written(host, monkeypatch)
    rulebook, warnings = load_configured_rules(config)
    assert warnings == ()
    assert len(rulebook.cases) > 10
    assert all(outcome.passed for outcome in prove(rulebook.cases))
    assert config.file is not None
    rules = sorted((config.file.parent / "rules.d").iterdir())
    assert [file.name for file in rules] == ["first.toml", "nginx.toml"]
    for file, schema in ((config.file, config_schema()), *((file, rules_schema()) for file in rules)):
        text = file.read_text()
        assert Path(text.partition("\n")[0].removeprefix("#:schema ")).is_file()
        assert faults(schema, text) == []
        assert file.stat().st_mode & 0o777 == 0o600


def test_this_host(tmp_path: Path) -> None:
    """Whatever logs the host that runs the tests has: `shipper check` and `shipper test` pass what was written."""
    done = subprocess.run(
        [sys.executable, "-m", "shipper", "init", "new"], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert app.main(["check", "-c", f"{tmp_path}/new/shipper.toml"]) == 0
    assert app.main(["test", "-c", f"{tmp_path}/new/shipper.toml"]) == 0


def test_logs_of_known_programs_become_sources(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """By their globs, so that further ones are read, too; globs that find nothing are left out."""
    host.known.append(Known("shop", (f"{host.root}/shop/a*.log", "/nowhere/*.log")))
    host.log("shop/a b.log")
    sources = written(host, monkeypatch).source
    assert [(source.name, source.paths) for source in sources] == [("shop", (f"{host.root}/shop/a*.log",))]


def test_without_logs_an_example_is_named(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [source.name for source in written(host, monkeypatch).source] == ["app"]


def test_logs_that_programs_write(
    host: OwnHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of what programs hold open, their logs: not what they only read, what is no text, what is called otherwise."""
    log, binary, other = host.log("shop/app.log"), host.log("shop/binary.log", b"\0\1\2" * 99), host.log("shop/data.db")
    gone, read = host.log("shop/gone.log"), host.log("shop/read.log", "x\n")
    with host.holding(log, binary, other, gone) as pid, host.holding(read, mode="r"):
        gone.unlink()
        config = written(host, monkeypatch)
        assert app.main(["init", "--json", "--dry-run", str(host.root / "none")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [(source.name, source.paths) for source in config.source] == [("shop", (str(log),))]
    assert [each["pid"] for each in found["sources"][0]["logs"][0]["programs"]] == [pid]


def test_what_was_written_lately(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """In `/var/log` also what nobody has open; not what is old, empty, compressed, a former generation, no text."""
    host.log("var/log/shop/run.log", "x\n")
    host.log("var/log/some.log", "x\n")
    host.log("var/log/some.log.1", "x\n")
    host.log("var/log/empty.log")
    host.log("var/log/packed.log", b"\x1f\x8b\x08\x00")
    host.log("var/log/wtmp", b"\0\1\2" * 99)
    os.utime(host.log("var/log/old.log", "x\n"), (0, 0))
    paths = [path for source in written(host, monkeypatch).source for path in source.paths]
    assert paths == [f"{host.root}/var/log/some.log", f"{host.root}/var/log/shop/run.log"]


def test_logs_of_one_glob_that_are_read_differently(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is in one source, so that each is read its own way."""
    host.known.append(Known("shop", (f"{host.root}/shop/*.log",)))
    host.log("shop/plain.log", "x\n")
    host.log("shop/empty.log")
    host.log("shop/java.log", TRACE)
    host.log("shop/chinese.log", "支付失败，请联系客服\n".encode("gb18030"))
    config = written(host, monkeypatch)
    read = {
        os.path.basename(path): (source.encoding, source.multiline.preset)
        for source in config.source
        for path in discover(source.paths, source.exclude).files
    }
    assert sum(len(discover(source.paths, source.exclude).files) for source in config.source) == 4
    assert read == {
        "plain.log": ("utf-8", None),
        "empty.log": ("utf-8", None),
        "java.log": ("utf-8", "java"),
        "chinese.log": ("gb18030", None),
    }


def test_logs_of_containers(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = {known.form: known for known in KNOWN}
    host.known += [
        Known("pods", (f"{host.root}/pods/*/*/*.log",), form=forms["cri"].form),
        Known("docker", (f"{host.root}/containers/*/*-json.log",), form=forms["docker"].form),
    ]
    host.log("pods/a/b/0.log", "2026-11-23T10:00:00.1Z stdout F \tat com.example.Cart.pay(Cart.java:12)\n")
    host.log("containers/a/a-json.log")
    sources = written(host, monkeypatch).source
    assert [(source.name, source.format, source.multiline.preset) for source in sources] == [
        ("pods", "cri", None),
        ("docker", "docker", None),
    ]


def test_packs_are_chosen_and_tried(
    host: OwnHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says why, and what they would have made; those that judge lines of any program are not chosen."""
    log = nginx(host, 3)
    written(host, monkeypatch)
    said = capsys.readouterr().err
    assert f"nginx.toml  {log} is there" in said
    assert "would have made 3 events: NginxUpstreamDown 3" in said
    assert "generic" in said.partition("Further packs")[2]


def test_a_noisy_rule_gets_a_limit(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """That one alone, in the copy."""
    nginx(host, 50)
    rulebook, _ = load_configured_rules(written(host, monkeypatch))
    limited = {rule.id: rule.throttle.max for rule in rulebook.rules if rule.throttle is not None}
    assert limited == {"nginx-upstream-down": 5, "first-disk-full": 3}


def test_a_pack_is_chosen_by_lines_that_it_matches(
    host: OwnHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log = host.log("var/log/proxy.log", UPSTREAM)
    host.log("var/log/any.log", "write failed: No space left on device\n")
    written(host, monkeypatch)
    said = capsys.readouterr().err
    assert f"nginx.toml  lines of {log} match it" in said
    assert "DiskFull" not in said


def test_an_unreadable_log_is_named_and_stays(
    host: OwnHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the reason, for the user that the agent will run as."""
    host.known.append(Known("shop", (f"{host.root}/shop/*.log",)))
    log = host.log("shop/a.log", "x\n")
    if os.geteuid() == 0:
        monkeypatch.setattr(init, "agent_user", lambda: agent_user.agent_user("nobody"))
    log.chmod(0)
    config = written(host, monkeypatch)
    assert [source.paths for source in config.source] == [(f"{host.root}/shop/*.log",)]
    said = capsys.readouterr().err
    assert "may not read some of them" in said
    assert f"{log}: permission denied" in said
    assert config.file is not None
    assert f"{log} could not be read: permission denied" in config.file.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as somebody else")
def test_files_that_root_writes_are_the_agents_to_read(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = agent_user.agent_user("nobody")
    assert nobody is not None
    monkeypatch.setattr(init, "agent_user", lambda: nobody)
    file = written(host, monkeypatch).file
    assert file is not None
    for path, mode in ((file.parent, 0o750), (file.parent / "rules.d", 0o750), (file, 0o640)):
        assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (0, nobody.pw_gid, mode)
    assert os.geteuid() == 0


def test_nothing_is_overwritten(host: OwnHost, capsys: pytest.CaptureFixture[str]) -> None:
    (host.root / "rules.d").mkdir()
    (host.root / "shipper.toml").write_text("mine")
    assert app.main(["init", str(host.root)]) == 1
    assert "there already, and left as it is" in capsys.readouterr().err
    assert (host.root / "shipper.toml").read_text() == "mine"
    assert not list((host.root / "rules.d").iterdir())


def test_rule_files_that_are_there_stay(host: OwnHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack whose rules are there under another name is not copied: ids are unique."""
    nginx(host, 1)
    mine = host.log("new/rules.d/mine.toml", '[[rule]]\nid = "nginx-upstream-down"\nmatch = "x y"\nevent = "E"\n')
    first = host.log("new/rules.d/first.toml", "# mine\n")
    written(host, monkeypatch)
    assert sorted(file.name for file in mine.parent.iterdir()) == ["first.toml", "mine.toml"]
    assert first.read_text() == "# mine\n"


def test_what_would_not_pass_is_not_written(host: OwnHost, capsys: pytest.CaptureFixture[str]) -> None:
    """A rule file that is there and broken is named by its own place."""
    mine = host.log("new/rules.d/mine.toml", "[[rule]]\nid = 1\n")
    assert app.main(["init", str(host.root / "new")]) == 1
    assert f"{mine}:2:1" in capsys.readouterr().err
    assert not (host.root / "new/shipper.toml").exists()


def test_a_configuration_that_is_there_is_told_what_it_lacks(
    host: OwnHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is printed can be appended, and then nothing is lacking."""
    log = nginx(host, 1)
    host.log("var/log/shop/a.log", "x\n")
    monkeypatch.setattr(init, "PLACE", host.place)
    config = host.log("etc/shipper.toml", f'[[source]]\nname = "shop"\npaths = ["{log}"]\n')
    assert app.main(["init", str(config.parent)]) == 1
    said = capsys.readouterr()
    assert "nginx.toml" in said.err.partition("to add them:\n  cp ")[2]
    with config.open("a") as file:
        file.write(said.out)
    read, _ = load_config(config, {})
    assert [(source.name, source.paths) for source in read.source] == [
        ("shop", (str(log),)),
        ("shop-2", (f"{host.root}/var/log/shop/a.log",)),
    ]
    (config.parent / "rules.d").mkdir()
    assert app.main(["init", str(config.parent)]) == 1
    pack = next(file for file in shipped_rule_files() if file.name == "nginx.toml")
    (config.parent / "rules.d/nginx.toml").write_bytes(pack.read_bytes())
    assert app.main(["init", str(config.parent)]) == 0


def test_a_dry_run_prints_and_writes_nothing(
    host: OwnHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nginx(host, 1)
    monkeypatch.setattr(init, "PLACE", host.place)
    target = host.root / "new"
    assert app.main(["init", "--dry-run", str(target)]) == 0
    printed = capsys.readouterr().out
    for name in ("rules.d/nginx.toml", "rules.d/first.toml", "shipper.toml"):
        assert f"# ==> {target}/{name} <==\n#:schema" in printed
    assert tomllib.loads(printed.rpartition("<==")[2])["source"][0]["name"] == "nginx"
    assert not target.exists()


def test_findings_as_data(host: OwnHost, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    log = nginx(host, 2)
    monkeypatch.setattr(init, "PLACE", host.place)
    assert app.main(["init", "--json", str(host.root / "new")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sources"][0]["logs"] == [{"path": str(log), "programs": [], "readable": True, "reason": None}]
    (pack,) = told["packs"]
    assert (pack["name"], pack["events"]) == ("nginx.toml", {"NginxUpstreamDown": 2})
    assert pack["reasons"] == [f"{log} is there"]
    assert told["written"][-1] == f"{host.root}/new/shipper.toml"


NAMES = st.binary(min_size=1, max_size=40).map(lambda name: name.replace(b"/", b"*").replace(b"\0", b"?"))


@settings(max_examples=40)
@given(st.lists(st.one_of(NAMES, st.text("'\"$\\{}[]*?!^\n\r\t #=2026-11.", min_size=1, max_size=20)), max_size=4))
def test_names_that_somebody_chose(names: list[bytes | str]) -> None:
    """Whatever a file is called, the configuration loads, passes, and finds it."""
    with tempfile.TemporaryDirectory() as scratch:
        logs = []
        for number, name in enumerate(names):
            inner = os.fsdecode(name).replace("/", "_").replace("\0", "_")
            # neither too long nor hidden from everybody
            directory = os.path.join(scratch, f"{number}{inner}")
            path = os.path.join(directory, f"x{inner}.log")
            os.mkdir(directory)
            Path(path).write_bytes(b"x\n")
            logs.append(HostLog(path, pattern_of(path), None, (), Sample(b"x\n"), "no permission\n[x]"))
        target = Path(scratch, "new")
        fitting = Fitting([], [Path(logs[0].path)] if logs else [])
        rules = rules_text(target / "rules.d/first.toml", fitting)
        files = {target / "rules.d/first.toml": rules, target / "shipper.toml": configuration_text(propose(logs), [])}
        trial = try_out(target, files, [])
        assert trial.passed, trial.problems
        assert trial.checked.config is not None
        found = {path for each in trial.checked.config.source for path in discover(each.paths, each.exclude).files}
        if logs:
            assert {log.path for log in logs} <= found


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/srv/app.log", "/srv/app.log"),
        ("/srv/a[1].log", "/srv/a[[]1].log"),
        ("/srv/app-2026-11-23.log", "/srv/app-*.log"),
        ("/srv/app.20261123.json.log", "/srv/app.*.json.log"),
        ("/srv/app.log.2026-11-23-10", "/srv/app.log.*"),
        ("/srv/app-20261123T10.log", "/srv/app-*.log"),
        ("/srv/app.log.1", "/srv/app.log.*"),
        ("/srv/redis-6379.log", "/srv/redis-*.log"),
        (os.fsdecode(b"/srv/caf\xe9.log"), "/srv/caf?.log"),
    ],
)
def test_the_glob_of_a_log(path: str, pattern: str) -> None:
    """A name with a date will be another one tomorrow; the glob finds the log itself."""
    assert pattern_of(path) == pattern


def test_what_a_host_needs_besides(tmp_path: Path) -> None:
    """Without a file of the system's messages the journal is named; a service does not see what is at home."""
    log = HostLog("/home/shop/app.log", "/home/shop/app.log", None, (), Sample(), None)
    here, nowhere = (str(tmp_path),), (str(tmp_path / "none"),)
    assert "Install rsyslog" in notes_of([], here, nowhere)[0]
    assert "ProtectHome" in notes_of([log], nowhere, here)[0]
    assert notes_of([log], nowhere, nowhere) == []


def test_the_commands_that_come_next(tmp_path: Path) -> None:
    """The service's where it is installed, and no option for the place where everybody looks."""
    assert "-c '/a b/shipper.toml'" in next_commands(Path("/a b"))[0]
    assert all("-c" not in each for each in next_commands(Path("/etc/shipper"), ()))
    assert "systemctl restart shipper" in next_commands(Path("/etc/shipper"), (str(tmp_path),))[1]
