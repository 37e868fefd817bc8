"""What other programs say of deploy/: helm, Kubernetes' own schemas, promtool, hadolint, systemd, nginx, the schema of Compose."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from clearing.runtime.preflight.keys import NEEDS
from tests.packaging.image import ROOT, Image
from tests.support.deployment import DEPLOY, PROCESSES, Given
from tests.support.monitoring import panels

BUILD = ROOT / ".build" / "packaging"
CHART = DEPLOY / "helm" / "tongdui"
KUBERNETES = ("1.27", "1.37")
"""The oldest that the chart takes, and the newest that the schemas know."""


def run(command: Sequence[str | Path], directory: Path = ROOT, **more: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=directory, env={**os.environ, **more}, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def helm(*arguments: str | Path) -> str:
    return run([ROOT / ".build" / "bin" / "helm", *arguments, "--kube-version", "1.31.0"])


def rendered(*arguments: str | Path) -> list[dict[str, Any]]:
    """What the chart makes of the values in ci/."""
    text = helm("template", "net", CHART, "--values", CHART / "ci" / "values.yaml", *arguments)
    return [document for document in yaml.safe_load_all(text) if document]


def of_kind(documents: Sequence[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    """The documents of a kind, by name without the release's."""
    return {
        document["metadata"]["name"].removeprefix("net-tongdui-"): document
        for document in documents
        if document["kind"] == kind
    }


# -------------------------------------------------------------------- chart


def test_helm_finds_nothing_wrong_with_the_chart() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", CHART, "--values", CHART / "ci" / "values.yaml")


@pytest.mark.parametrize("version", KUBERNETES)
def test_what_the_chart_makes_is_what_kubernetes_takes(version: str, tmp_path: Path) -> None:
    known = [document for document in rendered() if document["kind"] not in ("PodMonitor", "PrometheusRule")]
    assert len(known) > 30
    (tmp_path / "rendered.yaml").write_text(yaml.safe_dump_all(known))
    validate = BUILD / "tools" / "bin" / "kubernetes-validate"
    run([validate, "--strict", "--kubernetes-version", version, tmp_path / "rendered.yaml"])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("chain.rpcUrl=", "chain.rpcUrl is needed"),
        ("database.existingSecret=", "database.existingSecret is needed"),
        ("secrets.managed_keys.existingSecret=", "secrets.managed_keys needs an existingSecret or a password"),
        ("secrets.operator.existingSecret=,secrets.operator.password=x", "secrets.operator needs an existingSecret or a key"),
        ("ingress.tlsSecret=", "ingress.tlsSecret is needed"),
    ],
)  # fmt: skip
def test_the_chart_says_which_value_is_missing(value: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        rendered("--set", value)


def test_each_pod_has_the_secrets_of_its_row_and_no_rights() -> None:
    made = of_kind(rendered(), "Deployment")
    assert set(made) == set(PROCESSES)
    for name, deployment in made.items():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        environment = {one["name"]: one.get("value", "a secret") for one in container["env"]}
        volumes = {volume["name"]: volume["secret"] for volume in pod["volumes"] if "secret" in volume}
        mounted = {
            mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"] if mount["name"] != "tmp"
        }
        files = {f"{path}/{item['path']}" for path, secret in mounted.items() for item in secret["items"]}
        assert len(mounted) == len(volumes)
        given = Given(container["command"], environment, files)
        given.check(name)
        assert ("livenessProbe" in container) is (name != "beat"), "nothing of the beat's can be asked"


def test_a_stopped_release_has_no_pods_and_keeps_everything_else() -> None:
    stopped = of_kind(rendered("--set", "stopped=true"), "Deployment")
    assert {deployment["spec"]["replicas"] for deployment in stopped.values()} == {0}


def test_network_policies_let_in_the_proxy_and_prometheus_alone() -> None:
    policies = of_kind(rendered(), "NetworkPolicy")
    assert set(policies) == {*PROCESSES, "migrate"}
    for name, policy in policies.items():
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        ingress = {port["port"] for rule in spec["ingress"] for port in rule["ports"]}
        http = {"gateway": {8080}, "console": {8088}}.get(name, set())
        assert ingress == http | ({9101} if name in PROCESSES and "network" in PROCESSES[name] else set())
        assert all(rule["from"] for rule in spec["ingress"])
        egress = {port["port"] for rule in spec["egress"] for port in rule["ports"]} - {53}
        assert egress == {
            "gateway": {5432, 8545}, "console": {8080}, "sequencer": {5432, 8545, 9000}, "projector": {5432, 8545},
            "signer-operator": {5432, 8545}, "signer-treasury": {5432, 8545}, "migrate": {5432}, "beat": {6379},
            "worker": {5432, 8545, 6379, 587, 443}, "rounds": {5432, 8545, 6379},
        }[name]  # fmt: skip
        blocks = [peer["ipBlock"] for rule in spec["egress"] for peer in rule.get("to", []) if "ipBlock" in peer]
        wide = [block for block in blocks if block["cidr"] == "0.0.0.0/0"]
        assert len(wide) == (name == "worker")
        assert all("10.0.0.0/8" in block["except"] for block in wide)


def test_whoever_has_a_spare_has_a_disruption_budget() -> None:
    documents = rendered()
    several = {name for name, one in of_kind(documents, "Deployment").items() if one["spec"]["replicas"] > 1}
    assert several == set(PROCESSES) - {"beat"}
    assert set(of_kind(documents, "PodDisruptionBudget")) == several


def test_the_chart_brings_the_same_alerts_and_dashboard(tmp_path: Path) -> None:
    documents = rendered()
    (rule,) = of_kind(documents, "PrometheusRule").values()
    rules = yaml.safe_load((DEPLOY / "prometheus" / "rules.yaml").read_text())
    assert rule["spec"] == rules
    (shown,) = of_kind(documents, "ConfigMap").values()
    assert json.loads(shown["data"]["tongdui.json"]) == json.loads((DEPLOY / "grafana" / "tongdui.json").read_text())
    (monitor,) = of_kind(documents, "PodMonitor").values()
    labels = {one["targetLabel"] for one in monitor["spec"]["podMetricsEndpoints"][0]["relabelings"]}
    assert labels == {"job", "process"}
    pods = [
        one["spec"]["template"]["metadata"]["labels"]["tongdui/process"]
        for one in of_kind(documents, "Deployment").values()
    ]
    assert set(pods) == {*NEEDS, "console", "beat"}


# -------------------------------------------------------------------- the rest


@pytest.mark.parametrize("part", ["prometheus", "loyalty/prometheus"])
def test_promtool_takes_the_rules_and_each_alert_fires_when_it_should(part: str) -> None:
    directory = DEPLOY / part
    run(["promtool", "check", "config", "prometheus.yml"], directory)
    run(["promtool", "test", "rules", "rules.test.yaml"], directory)


def test_promtool_can_read_every_query_of_the_dashboard(tmp_path: Path) -> None:
    queries = [target["expr"].replace("$__rate_interval", "1m") for panel in panels() for target in panel["targets"]]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    run(["promtool", "check", "rules", tmp_path / "queries.yaml"])


def test_hadolint_finds_nothing_wrong_with_the_dockerfile() -> None:
    assert run([BUILD / "tools" / "bin" / "hadolint", DEPLOY / "docker" / "Dockerfile"]) == ""


@pytest.mark.parametrize("part", ["docker", "loyalty/docker"])
def test_compose_yaml_is_what_compose_takes(part: str) -> None:
    (schema,) = BUILD.glob("compose-spec-*.json")
    composed = yaml.safe_load((DEPLOY / part / "compose.yaml").read_text())
    errors = list(Draft7Validator(json.loads(schema.read_text())).iter_errors(composed))
    assert errors == []


@pytest.mark.parametrize(
    ("part", "fixture", "place"),
    [("systemd", "image", "tongdui"), ("loyalty/systemd", "programme_image", "loyalty")],
)
def test_systemd_takes_the_units_and_calls_none_of_them_exposed(
    part: str, fixture: str, place: str, request: pytest.FixtureRequest
) -> None:
    """With what the image holds in /opt, so that the commands are there."""
    image: Image = request.getfixturevalue(fixture)
    directory = DEPLOY / part
    units = sorted(directory.glob("*.service"))
    mounted = f'mount -t tmpfs tmpfs /opt && mkdir /opt/{place} && mount --bind "$1" /opt/{place} && shift && exec "$@"'
    shell = ["unshare", "--mount", "sh", "-ec", mounted, "sh"]
    command = [*shell, str(image.directory), "systemd-analyze", "verify", "--man=no", *map(str, units)]
    path = {"SYSTEMD_UNIT_PATH": f"{directory}:"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, **path})
    assert (done.returncode, done.stderr) == (0, "")
    for unit in units:
        run(["systemd-analyze", "security", "--offline=yes", "--threshold=20", "--no-pager", unit], **path)


@pytest.mark.parametrize("part", ["docker", "loyalty/docker"])
def test_nginx_takes_the_proxys_settings(part: str, tmp_path: Path) -> None:
    run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=console.example", "-days", "1",
         "-keyout", tmp_path / "tls.key", "-out", tmp_path / "tls.crt"])  # fmt: skip
    text = (DEPLOY / part / "proxy.conf").read_text()
    for name, here in (
        ("/run/secrets/tls_certificate", "tls.crt"),
        ("/run/secrets/tls_key", "tls.key"),
        ("/run/nginx.pid", "pid"),
    ):
        assert name in text
        text = text.replace(name, str(tmp_path / here))
    (tmp_path / "proxy.conf").write_text(text)
    run(["nginx", "-t", "-q", "-c", tmp_path / "proxy.conf", "-e", "stderr"], PATH=f"{os.environ['PATH']}:/usr/sbin")
