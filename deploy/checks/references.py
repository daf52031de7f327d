"""Checks that the deployment files name only what exists: metrics with their labels, settings, roles, versions, sections of
the runbook. Arguments: the rendered Kubernetes manifests; a file to write the panels' queries to, as rules for promtool."""

import json
import re
import sys
from pathlib import Path

import yaml

# What Prometheus itself, node_exporter and prometheus-nats-exporter give; the label `instance` is every target's.
FOREIGN = {"up", "node_filesystem_avail_bytes", "node_filesystem_size_bytes", "jetstream_consumer_num_pending"}
ROLES = {"gateway", "engine", "projections", "relay", "clock", "sender"}
problems: list[str] = []


def text(path: str) -> str:
    return Path(path).read_text()


def need(condition: object, problem: str) -> None:
    if not condition:
        problems.append(problem)


def macro_calls(names: str) -> list[tuple[str, str]]:
    """Each call of one of these macros in the crates: its name, and the text of its arguments."""
    found = []
    for folder in ("schema/src", "engine", "projections/src", "gateway/src", "deploy/luci"):
        for source in (path for path in Path(folder).rglob("*.rs") if "tests" not in path.parts):
            code = source.read_text().split("#[cfg(test)]\nmod tests {")[0]
            for call in re.finditer(rf"\b({names})!\(", code):
                end, depth = call.end(), 1
                while depth:
                    # Skips a string as a whole.
                    token = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|.', re.S).match(code, end)
                    depth += {"(": 1, ")": -1}.get(token.group(), 0)
                    end = token.end()
                found.append((call.group(1), code[call.end() : end - 1]))
    return found


def metrics_of_the_code() -> dict[str, tuple[str, set[str]]]:
    """Kind and labels of every metric that a crate records."""
    found: dict[str, tuple[str, set[str]]] = {}
    for kind, arguments in macro_calls("counter|gauge|histogram"):
        name = re.match(r'\s*"(luci_\w+)"', arguments)
        if name:
            found.setdefault(name.group(1), (kind, set()))[1].update(re.findall(r'"(\w+)"\s*=>', arguments))
    return found


def log_lines_of_the_code() -> set[str]:
    """The messages of level WARN and ERROR; one of them is a variable."""
    calls = macro_calls("tracing::warn|tracing::error")
    return {re.findall(r'"((?:[^"\\]|\\.)*)"', arguments)[-1] for _, arguments in calls} - {"{what}"}


METRICS = metrics_of_the_code()


def series(name: str, kind: str) -> list[str]:
    """As the text format names them: only histograms of seconds have buckets, the others are summaries."""
    if kind != "histogram":
        return [name]
    return [name + "_sum", name + "_count", name + ("_bucket" if name.endswith("_seconds") else "")]


SERIES = {one: labels for name, (kind, labels) in METRICS.items() for one in series(name, kind)}


def check_query(query: str, where: str) -> None:
    plain = re.sub(r'"[^"]*"', '""', query)
    for name in set(re.findall(r"\b(?:luci|node|jetstream)_\w+|\bup\b", plain)):
        need(name in SERIES or name in FOREIGN, f"{where}: no metric {name}")
    for name, selectors in re.findall(r"\b(luci_\w+)\{([^}]*)\}", plain):
        for label in re.findall(r"(\w+)\s*[=!]~?", selectors):
            need(label in SERIES.get(name, set()) | {"instance", "job"}, f"{where}: {name} has no label {label}")
    used = set().union(*(SERIES.get(name, set()) for name in re.findall(r"luci_\w+", plain)), {"instance", "job", "le"})
    for labels in re.findall(r"\bby \(([^)]*)\)", plain):
        for label in filter(None, re.split(r",\s*", labels)):
            need(label in used, f"{where}: no metric of the query has label {label}")


def check_rules() -> None:
    runbook = text("deploy/docs/runbook.md")
    tests = text("deploy/prometheus/rules.test.yaml")
    for group in yaml.safe_load(text("deploy/prometheus/rules.yaml"))["groups"]:
        for rule in group["rules"]:
            name = rule["alert"]
            check_query(rule["expr"], name)
            need(f"\n### {name}\n" in runbook, f"{name}: deploy/docs/runbook.md has no section of it")
            need(rule["annotations"]["runbook_url"] == f"deploy/docs/runbook.md#{name.lower()}", f"{name}: runbook_url")
            need(f"alertname: {name}\n" in tests, f"{name}: no test")
    for name in METRICS:
        need(not re.search(r"_(ms|us|millis|minutes|kib|mib)(_total)?$", name), f"{name}: not in a base unit")
        need(f"`{name}`" in runbook, f"{name}: not in deploy/docs/runbook.md")
    for name in set(re.findall(r"`(luci_[a-z_]+)`", runbook)):
        need(name in METRICS, f"runbook: no metric {name}")
    for line in log_lines_of_the_code():
        need(f"`{line}`" in runbook, f"log line not in deploy/docs/runbook.md: {line}")


def check_dashboard(rules: str) -> None:
    dashboard = json.loads(text("deploy/grafana/luci.json"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    need(len(ids) == len(set(ids)), "grafana: panels share an id")
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    for query in queries:
        check_query(query, f"grafana: {query}")
    records = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(queries)]
    Path(rules).write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": records}]}))


def settings_of_the_code() -> set[str]:
    sources = [*Path("deploy/luci/config").rglob("*.rs"), *Path("engine/providers/src/apis").rglob("*.rs")]
    return set(re.findall(r'"(LUCI_[A-Z_]+)"', "".join(source.read_text() for source in sources)))


def check_settings(manifests: str) -> None:
    settings = settings_of_the_code()
    used: dict[str, set[str]] = {}
    compose = yaml.safe_load(text("deploy/compose.yaml"))
    for name, service in compose["services"].items():
        if "luci:" in service["image"]:
            secrets = {s if isinstance(s, str) else s["target"] for s in service["secrets"]}
            used[f"compose: {name}"] = {*service["environment"], *(s for s in secrets if s.startswith("LUCI_"))}
    for path in Path("deploy/systemd").rglob("*"):
        if path.is_file():
            used[str(path)] = set(re.findall(r"^(?:Environment=)?(LUCI_\w+)=", path.read_text(), re.M))
    for document in [*yaml.safe_load_all(text(manifests)), *yaml.safe_load_all(text("deploy/kubernetes/secret.example.yaml"))]:
        names = {*document.get("data", {}), *document.get("stringData", {})}
        for pod in (document.get("spec", {}).get("template", {}).get("spec"),):
            for container in (pod or {}).get("containers", []):
                names |= {variable["name"] for variable in container.get("env", [])}
        used[f"kubernetes: {document['kind']} {document['metadata']['name']}"] = {n for n in names if n.startswith("LUCI_")}
    for where, names in used.items():
        for name in names - settings:
            problems.append(f"{where}: {name} is not a setting")


def check_topology(manifests: str) -> None:
    compose = yaml.safe_load(text("deploy/compose.yaml"))["services"]
    served = {name: set(s["command"][1:]) for name, s in compose.items() if s.get("command", [])[:1] == ["serve"]}
    need(set().union(*served.values()) == ROLES, f"compose: roles {served}")
    for name, roles in served.items():
        need(roles == {"gateway", name}, f"compose: service {name} serves {roles}")
        need(compose[name]["deploy"]["replicas"] >= 2, f"compose: one {name} only")
    documents = list(yaml.safe_load_all(text(manifests)))
    for role in ROLES:
        kinds = {d["kind"] for d in documents if d["metadata"]["name"] == f"luci-{role}"}
        need({"Deployment", "Service", "PodDisruptionBudget"} <= kinds, f"kubernetes: {role} has only {kinds}")
        need(Path(f"deploy/systemd/etc/{role}.env").exists(), f"systemd: no {role}.env")
    for deployment in (d for d in documents if d["kind"] == "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        need(pod.get("enableServiceLinks") is False, f"{deployment['metadata']['name']}: service links would be unknown settings")
        need(pod["securityContext"].get("runAsNonRoot"), f"{deployment['metadata']['name']}: runs as root")
        need({"livenessProbe", "readinessProbe"} <= pod["containers"][0].keys(), f"{deployment['metadata']['name']}: no probes")


def check_versions() -> None:
    setup, dockerfile = text("deploy/setup.sh"), text("deploy/Dockerfile")
    version = re.search(r"^NATS=(\S+)", setup, re.M).group(1)
    need(f"image: nats:{version}-" in text("deploy/compose.yaml"), f"compose: nats is not {version}, which the tests use")
    need(f"FROM node:{re.search(r'^NODE=(.+)', setup, re.M).group(1)}-" in dockerfile, "Dockerfile: node is not that of setup.sh")
    release = re.search(r'^version = "(.+)"', text("Cargo.toml"), re.M).group(1)
    need(f"LUCI_VERSION:-{release}" in text("deploy/compose.yaml"), f"compose: the version is not {release}")
    need(f"newTag: {release}" in text("deploy/kubernetes/kustomization.yaml"), f"kubernetes: the version is not {release}")
    least = re.search(r'^rust-version = "1\.(\d+)"', text("Cargo.toml"), re.M).group(1)
    need(int(re.search(r"FROM rust:1\.(\d+)", dockerfile).group(1)) >= int(least), f"Dockerfile: Rust is older than 1.{least}")


manifests, panels = sys.argv[1:]
check_rules()
check_dashboard(panels)
check_settings(manifests)
check_topology(manifests)
check_versions()
print("\n".join(problems))
sys.exit(1 if problems else 0)
