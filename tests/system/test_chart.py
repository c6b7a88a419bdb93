"""The Helm chart, rendered by Helm: what the cluster would get, and what the agent says of what it would get."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from shipper.cloudmonitor.emulator import Emulator, Settings
from shipper.cloudmonitor.route import local_address
from shipper.config.load import load_config
from shipper.web.access import access_of
from tests.conftest import eventually
from tests.e2e.host import STARTED, journal
from tests.schemas import CHART
from tests.system.programs import program
from tests.web.conftest import free_port

pytestmark = pytest.mark.system

ROOT = Path(__file__).parent.parent.parent
# Helm asks no cluster here, and one that was built from its sources takes itself for an old one
CLUSTER = ("--namespace", "logs", "--kube-version", "1.31.0")
VARIANTS = {
    "default": (),
    **{file.stem: ("--values", str(file)) for file in (Path(__file__).parent / "chart").glob("*.yaml")},
}

Document = dict[str, Any]
Rendered = dict[tuple[str, str], Document]


def helm(*arguments: object) -> subprocess.CompletedProcess[str]:
    found = shutil.which("helm")
    if found is None:
        pytest.skip("helm is not installed (one program, from helm.sh)")
    return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True)


def render(*options: str, name: str = "shipper") -> Rendered:
    """Give the documents by kind and name."""
    done = helm("template", name, CHART, *CLUSTER, *options)
    assert done.returncode == 0, done.stderr
    documents = [each for each in yaml.safe_load_all(done.stdout) if each]
    rendered = {(each["kind"], each["metadata"]["name"]): each for each in documents}
    assert len(rendered) == len(documents)
    return rendered


def one(rendered: Rendered, kind: str, ending: str = "") -> Document:
    (found,) = (each for (a, name), each in rendered.items() if a == kind and name.endswith(ending))
    return found


def pod(rendered: Rendered) -> Document:
    return dict(one(rendered, "DaemonSet")["spec"]["template"])


def configuration(rendered: Rendered) -> str:
    (found,) = (each["data"]["shipper.toml"] for each in rendered.values() if "shipper.toml" in each.get("data", {}))
    return str(found)


@pytest.fixture(params=VARIANTS)
def rendered(request: pytest.FixtureRequest) -> Rendered:
    return render(*VARIANTS[request.param])


@pytest.fixture
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.node.callspec.params["rendered"])


class Node:
    """A directory in the place of a node: what the pod would see stands below it."""

    def __init__(self, root: Path, rendered: Rendered, address: str) -> None:
        self.root = root
        self.state, self.logs, self.token = root / "state", root / "log", root / "token"
        self.config = root / "shipper.toml"
        text = configuration(rendered)
        for inside, here in {
            "/usr/share/shipper/rules": ROOT / "rules",
            "/etc/shipper/rules.d": root / "rules.d",
            "/var/lib/shipper": self.state,
            "/etc/shipper/http/token": self.token,
            "/etc/shipper/credentials/secret": root / "secret",
            "/var/log": self.logs,
        }.items():
            text = text.replace(f'"{inside}', f'"{here}')
        self.config.write_text(text)
        self.token.write_text("the-token")
        self.token.chmod(0o600)
        (root / "secret").write_text("testsecret")
        (root / "secret").chmod(0o400)
        (root / "rules.d").mkdir()
        for (kind, name), each in rendered.items():
            if kind == "ConfigMap" and name.endswith("-rules"):
                for file, rules in each["data"].items():
                    (root / "rules.d" / file).write_text(rules)
        self.environment = {
            "NODE_NAME": "node-7",
            "NODE_IP": "192.0.2.7",
            "POD_IP": address,
            "SHIPPER_ACCESS_KEY_ID": "testkey",
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "testkey",
            "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "testsecret",
        }

    def shipper(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "shipper", *map(str, arguments)]
        return subprocess.run(command, env={**os.environ, **self.environment}, capture_output=True, text=True)


def test_helm_finds_nothing_to_say(request: pytest.FixtureRequest) -> None:
    for options in VARIANTS.values():
        done = helm("lint", "--strict", CHART, *options)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_agent_takes_the_configuration(rendered: Rendered, variant: str, tmp_path: Path) -> None:
    """`check` finds no error, `test` no failure; what Prometheus and the kubelet send is answered, others are not."""
    address = "2001:db8::7" if variant == "unprivileged" else "192.0.2.7"
    node = Node(tmp_path, rendered, address)
    checked = node.shipper("check", "-c", node.config)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = node.shipper("test", "-c", node.config) if (tmp_path / "rules.d/app.toml").exists() else None
    assert tested is None or tested.returncode == 0, tested
    config, warnings = load_config(node.config, node.environment)
    assert warnings == ()
    assert config.hostname == "node-7"
    access = access_of(config)
    host = f"[{address}]:9595" if ":" in address else f"{address}:9595"
    assert access.refusal("/healthz", {"host": host}) is None
    assert access.refusal("/metrics", {"host": host, "authorization": "Bearer the-token"}) is None
    for headers in ({"host": host}, {"host": "evil.example", "authorization": "Bearer the-token"}):
        assert access.refusal("/metrics", headers) is not None


def test_the_configuration_is_what_the_values_say(rendered: Rendered, variant: str) -> None:
    """Numbers, other scripts, quotes, backslashes and braces arrive as they are; nothing is a template by accident."""
    values: Document = yaml.safe_load((CHART / "values.yaml").read_text())["config"]
    if variant != "default":
        given = yaml.safe_load(Path(VARIANTS[variant][1]).read_text()).get("config", {})
        for name, value in given.items():
            values[name] = {**values[name], **value} if isinstance(value, dict) and name in values else value
    config = tomllib.loads(configuration(rendered))
    for made_by_the_chart in ("state_dir", "rules", "http"):
        del config[made_by_the_chart]
    config["cloudmonitor"].pop("credentials", None)
    name = one(rendered, "DaemonSet")["metadata"]["name"]
    for source, given in zip(config["source"], values["source"], strict=True):
        own = [f"/var/log/pods/logs_{name}-?????_*", f"/var/log/containers/{name}-?????_logs_*"]
        assert source.pop("exclude") == [*given.pop("exclude", []), *own]

    assert config == values


def test_the_rules_are_what_the_values_say() -> None:
    given = yaml.safe_load(Path(VARIANTS["everything"][1]).read_text())["rules"]

    assert one(render(*VARIANTS["everything"]), "ConfigMap", "-rules")["data"] == given


def test_the_pod_is_locked(rendered: Rendered, variant: str) -> None:
    spec = pod(rendered)["spec"]
    is_root = variant != "unprivileged"
    (container,) = spec["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    added = {"add": ["DAC_READ_SEARCH"]} if is_root else {}
    assert security["capabilities"] == {"drop": ["ALL"], **added}
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["securityContext"].get("runAsNonRoot", False) is not is_root
    assert [each["name"] for each in spec.get("initContainers", [])] == ([] if is_root else ["state-owner"])
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert spec["automountServiceAccountToken"] is False
    writable = [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")]
    assert [path for path in writable if path != "/etc/shipper/ca"] == ["/var/lib/shipper"]


def test_every_mount_has_its_volume(rendered: Rendered) -> None:
    """Nothing is mounted that is not there, into the same place twice, or by `subPath`, which would never change."""
    spec = pod(rendered)["spec"]
    volumes = {each["name"]: each for each in spec["volumes"]}
    (container,) = spec["containers"]
    mounts = container["volumeMounts"]
    assert {mount["name"] for mount in mounts} == set(volumes)
    assert len({mount["mountPath"] for mount in mounts}) == len(mounts)
    assert not any("subPath" in mount for mount in mounts)
    for each in volumes.values():
        name = each.get("configMap", {}).get("name")
        assert name is None or ("ConfigMap", name) in rendered or name in {"my-rules", "ca"}
        name = each.get("secret", {}).get("secretName")
        assert name is None or ("Secret", name) in rendered or name in {"the-token", "cms-keys"}
    by_path = {mount["mountPath"]: volumes[mount["name"]] for mount in mounts}
    assert by_path["/var/log"]["hostPath"]["path"] == "/var/log"
    assert by_path["/var/lib/shipper"]["hostPath"] == {"path": "/var/lib/shipper", "type": "DirectoryOrCreate"}
    config = next(each["value"] for each in container["env"] if each["name"] == "SHIPPER_CONFIG")
    assert config == "/etc/shipper/conf/shipper.toml"
    assert "configMap" in by_path["/etc/shipper/conf"]


def test_probes_ask_for_what_is_there(rendered: Rendered) -> None:
    (container,) = pod(rendered)["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    listen = tomllib.loads(configuration(rendered))["http"]["listen"]
    assert listen.rpartition(":")[2] == str(ports["http"])
    paths = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: (get["path"], get["port"]) for name, get in paths.items()} == {
        "startup": ("/healthz", "http"),
        "liveness": ("/healthz", "http"),
        "readiness": ("/readyz", "http"),
    }


@pytest.mark.parametrize("before", [0, 12345])
def test_another_user_gets_the_state_that_the_kubelet_made(tmp_path: Path, before: int) -> None:
    """Also with what another user left there; with no more privileges than its container has."""
    setpriv = program("setpriv")
    if os.geteuid():
        pytest.skip("only root can give files away")
    (container,) = pod(render(*VARIANTS["unprivileged"]))["spec"]["initContainers"]
    assert container["command"][:2] == ["/opt/shipper/bin/python3", "-IBc"]
    kept = ",".join(f"+{name.lower()}" for name in container["securityContext"]["capabilities"]["add"])
    state = tmp_path / "state"
    (state / "rules").mkdir(parents=True)
    (state / "shipper.db").touch()
    everything = [state, *state.rglob("*")]
    for path in everything:
        os.chown(path, before, before)
        path.chmod(0o700 if path.is_dir() else 0o600)
    script = container["command"][-1].replace('"/var/lib/shipper"', repr(str(state)))
    for _ in range(2):
        subprocess.run([setpriv, f"--bounding-set=-all,{kept}", sys.executable, "-IBc", script], check=True)
        assert {(path.stat().st_uid, path.stat().st_gid) for path in everything} == {(10001, 10001)}


def test_names_are_short_enough(rendered: Rendered) -> None:
    for _, name in rendered:
        assert len(name) <= 63
    assert len(one(rendered, "DaemonSet")["metadata"]["name"]) <= 52


def test_only_the_configuration_restarts_pods() -> None:
    """Rules are read again by the running agent."""

    def digest(*options: str) -> str:
        return str(pod(render(*options))["metadata"]["annotations"]["checksum/config"])

    assert digest() == digest("--set", "rules.a\\.toml=x")
    assert digest() != digest("--set", "config.log_level=debug")


def test_identities() -> None:
    """A role for the service account, by the webhook or without; keys in a file."""
    by_webhook = render(*VARIANTS["webhook"])
    assert one(by_webhook, "ServiceAccount")["metadata"]["annotations"] == {
        "pod-identity.alibabacloud.com/role-name": "shipper",
        "team": "sre",
    }
    assert pod(by_webhook)["metadata"]["labels"]["pod-identity.alibabacloud.com/injection"] == "on"
    (container,) = pod(render(*VARIANTS["unprivileged"]))["spec"]["containers"]
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert environment["ALIBABA_CLOUD_ROLE_ARN"] == "acs:ram::123456789:role/shipper"
    assert environment["ALIBABA_CLOUD_OIDC_TOKEN_FILE"] == "/etc/shipper/rrsa/token"
    everything = render(*VARIANTS["everything"])
    credentials = tomllib.loads(configuration(everything))["cloudmonitor"]["credentials"]
    assert credentials["access_key_secret_file"] == "/etc/shipper/credentials/secret"
    assert "SHIPPER_ACCESS_KEY_SECRET" not in json.dumps(pod(everything))
    assert helm("template", CHART, *CLUSTER, "--set", "rrsa.roleArn=acs:ram::1:role/a").returncode != 0


def test_what_prometheus_and_grafana_get() -> None:
    everything = render(*VARIANTS["everything"])
    alerts = yaml.safe_load((ROOT / "packaging/prometheus/alerts.yml").read_text())
    assert one(everything, "PrometheusRule")["spec"] == alerts
    dashboard = one(everything, "ConfigMap", "-dashboard")
    assert dashboard["data"]["shipper.json"].strip() == (ROOT / "packaging/grafana/shipper.json").read_text().strip()
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    (endpoint,) = one(everything, "PodMonitor")["spec"]["podMetricsEndpoints"]
    secret = one(everything, "Secret")
    credentials = endpoint["authorization"]["credentials"]
    assert credentials["name"] == secret["metadata"]["name"]
    assert credentials["key"] in secret["data"]
    # the alert that nothing is there names the job
    assert {"targetLabel": "job", "replacement": "shipper"} in endpoint["relabelings"]


def test_it_is_what_kubernetes_knows(rendered: Rendered) -> None:
    """By the definitions of old and new releases, unknown keys refused."""
    pytest.importorskip("kubernetes_validate", reason="the package kubernetes-validate is not installed")
    validator: Callable[..., object] = importlib.import_module("kubernetes_validate").validate
    for (kind, _), document in rendered.items():
        if kind not in {"PodMonitor", "PrometheusRule"}:
            for version in ("1.25", "1.31", "1.34"):
                validator(document, version, strict=True)


@pytest.mark.parametrize("setting", ["config.sorce=1", "http.port=0", "packs[0]=../x", "tolerationz=1"])
def test_helm_refuses_wrong_values(setting: str) -> None:
    assert "values don't meet the specifications" in helm("template", CHART, *CLUSTER, "--set", setting).stderr


def test_the_agent_runs_with_it(tmp_path: Path) -> None:
    """Containers' lines become events under the node's name, its own log's none; probes and scrapes are answered."""
    address = local_address("http://192.0.2.1") or "127.0.0.1"
    port = free_port()
    rule = "[[rule]]\nid='e'\nmatch='ERROR (?<n>.*)'\nevent='E'\ncontent='{hostname} {ip} {n}'\n"
    (tmp_path / "values.yaml").write_text(
        yaml.safe_dump({"rules": {"a.toml": rule}, "packs": [], "http": {"port": port}})
    )
    with Emulator(Settings(store=tmp_path / "accepted.jsonl")) as emulator:
        options = ("--set", f"config.cloudmonitor.endpoint={emulator.url}", "--set", "config.store.min_free_disk=0")
        node = Node(tmp_path, render("--values", str(tmp_path / "values.yaml"), *options), address)

        def write(directory: str, *lines: str) -> None:
            file = node.logs / "pods" / directory / "0.log"
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as log:
                log.writelines(f"2026-11-26T10:00:00.000000000+08:00 stdout F {line}\n" for line in lines)

        def ask(path: str, **headers: str) -> int:
            connection = http.client.HTTPConnection(address, port, timeout=10)
            try:
                connection.request("GET", path, headers=headers)
                return connection.getresponse().status
            finally:
                connection.close()

        # what is there at the first scan is read from its end on, and nobody knows when that is
        for directory in ("logs_shipper-abc12_1/shipper", "logs_shipper-web-abc12_1/web"):
            write(directory)
        command = [sys.executable, "-m", "shipper", "run", "-c", str(node.config)]
        with (tmp_path / "agent.log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **node.environment}, stderr=log)
        STARTED.append(process)
        eventually(lambda: "web/0.log from offset 0" in (tmp_path / "agent.log").read_text())
        write("logs_shipper-abc12_1/shipper", "ERROR own")
        write("logs_shipper-web-abc12_1/web", "ERROR another's")
        eventually(lambda: journal(tmp_path / "accepted.jsonl"), seconds=40)
        assert [each["content"] for each in journal(tmp_path / "accepted.jsonl")] == ["node-7 192.0.2.7 another's"]
        assert ask("/healthz") == ask("/readyz") == 200
        assert ask("/metrics") == (200 if address.startswith("127.") else 401)
        assert ask("/metrics", Authorization="Bearer the-token") == 200
        process.terminate()
        assert process.wait(30) == 0
