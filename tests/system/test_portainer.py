"""Portainer's templates: the rules of its versions, and each stack file deployed on real engines."""

import contextlib
import json
import os
import re
import socket
import subprocess

import pytest
import yaml

import memory
import program
import wait
from engine import CACHE, LAB, ROOT, Engine
from sizes import GIB

HOME = ROOT / "templates/portainer"
LIMITS = {"ollama-standard": 8, "ollama-33b": 28, "ollama-70b": 30, "localai-gpu": 12, "ollama-standard-gpu": 8,
          "ollama-33b-cpu": 28}
WITH_GPU = {"ollama-33b", "ollama-70b", "localai-gpu", "ollama-standard-gpu"}
SAME_AS = {"ollama-standard": "ollama-8g", "ollama-33b": "ollama-28g", "ollama-70b": "ollama-30g",
           "localai-gpu": "localai-gpu-12g"}  # of compose/
STACKS = sorted(path.stem for path in HOME.glob("stacks/*.yml"))


def read(name):
    return json.loads((HOME / name).read_text())


def stack(name):
    return yaml.safe_load((HOME / f"stacks/{name}.yml").read_text())


def service(name):
    """A stack's only service."""
    (one,) = stack(name)["services"].values()
    return one


def filled(text):
    """With each variable's own value."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


# ---- the files by themselves

def test_files_are_what_the_script_makes(tmp_path):
    done = subprocess.run([ROOT / "scripts/portainer-templates", "--out", tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    made = {p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()}
    there = {p.relative_to(HOME) for p in HOME.rglob("*") if p.is_file()} - {(HOME / "repository").relative_to(HOME)}
    assert made == there
    for path in made:
        assert (tmp_path / path).read_text() == (HOME / path).read_text(), f"{path}: run scripts/portainer-templates"


def test_repository_is_named_once(tmp_path):
    url = "https://elsewhere.example/some/one.git"
    done = subprocess.run([ROOT / "scripts/portainer-templates", "--out", tmp_path, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kept = (HOME / "repository").read_text().strip()
    for path in HOME.rglob("*.*"):
        if path.is_file():
            assert path.read_text().replace(kept, url) == (tmp_path / path.relative_to(HOME)).read_text()
    assert (HOME / "repository").read_text().strip() == kept, "--out is not for keeps"
    wrong = subprocess.run([ROOT / "scripts/portainer-templates", "--out", tmp_path, "git@host:path"], capture_output=True,
                           text=True, check=False)
    assert wrong.returncode == 2 and "git@host:path" in wrong.stderr


@pytest.mark.parametrize("name, version", [("templates.json", "3"), ("templates-v2.json", "2")])
def test_templates_keep_the_rules(name, version):
    file = read(name)
    assert set(file) == {"version", "templates"} and file["version"] == version  # a string
    url = (HOME / "repository").read_text().strip()
    for template in file["templates"]:
        known = {"id", "type", "title", "name", "description", "note", "categories", "platform", "repository", "env",
                 "administrator_only"}
        assert set(template) <= known, "keys that Portainer does not know are lost"
        assert isinstance(template["id"], int) and template["type"] == 3 and template["platform"] == "linux"
        assert template["title"] and template["description"] and template["categories"]
        assert re.fullmatch(r"[a-z0-9][a-z0-9_-]*", template["name"]), "the name of a project of Compose"
        assert template["repository"]["url"] == url and set(template["repository"]) == {"url", "stackfile"}
        assert (ROOT / template["repository"]["stackfile"]).is_file()
        for variable in template["env"]:
            check_variable(variable)
        used = set(re.findall(r"\$\{(\w+)", (ROOT / template["repository"]["stackfile"]).read_text()))
        assert used == {v["name"] for v in template["env"]}


def check_variable(variable):
    """Portainer refuses the form where a variable is empty; a selection has one value to begin with."""
    assert {"name", "label", "description"} < set(variable) and variable["label"] and variable["description"]
    if "select" in variable:
        assert "default" not in variable
        assert [o["default"] for o in variable["select"]].count(True) == 1
        assert all(set(o) == {"text", "value", "default"} and o["text"] and o["value"] for o in variable["select"])
    else:
        assert isinstance(variable["default"], str) and variable["default"]


def test_every_stack_can_be_chosen():
    for templates, first in ((read("templates.json")["templates"], 1), (read("templates-v2.json")["templates"], 0)):
        # 0 cannot be chosen; some versions number those of a version 2 file by their place, others take what is there.
        assert [t["id"] for t in templates] == list(range(first, first + len(templates)))
        files = [t["repository"]["stackfile"] for t in templates if t["id"] > 0]
        assert sorted(files) == sorted(f"templates/portainer/stacks/{name}.yml" for name in STACKS)
        titles = [t["title"] for t in templates]
        assert titles[1 - first:][:4] == ["Ollama Standard (8 GB)", "Ollama 33B (28 GB)", "Ollama 70B (30 GB)",
                                          "LocalAI GPU (12 GB)"]
        assert len(set(titles)) == len(titles)
    assert [t["title"] for t in templates if t.get("administrator_only")] == ["supervisor"]


def variables(node, path=()):
    """Where a stack file has variables: the paths to them."""
    if isinstance(node, dict):
        return [p for key, value in node.items() for p in [*variables(value, (*path, key)), *variables(key, (*path, "KEY"))]]
    if isinstance(node, list):
        return [p for value in node for p in variables(value, path)]
    return [path] if "$" in str(node) else []


@pytest.mark.parametrize("name", STACKS)
def test_variables_stand_only_where_any_text_may(name):
    for path in variables(stack(name)):
        assert path[0] == "services" and (path[2:] == ("image",) or path[2] in ("environment", "labels")), path


@pytest.mark.parametrize("name", STACKS)
def test_stack_is_read_as_portainer_reads_it_for_others_than_administrators(name, docker_cli):
    """Up to 2.23: by the loader of Docker's own command, variables not filled in and the schema not asked."""
    file = stack(name)
    for one in file["services"].values():
        one["deploy"]["resources"].pop("reservations", None)  # this command asks the schema, which has no devices
    done = subprocess.run([docker_cli, "stack", "config", "--skip-interpolation", "-c", "-"], input=yaml.safe_dump(file),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    broken = yaml.safe_dump(file | {"services": {"x": one | {"mem_limit": "8g"}}})
    refused = subprocess.run([docker_cli, "stack", "config", "--skip-interpolation", "-c", "-"], input=broken,
                             capture_output=True, text=True, check=False)
    assert refused.returncode != 0 and "forbidden" in refused.stderr, "the check sees nothing"


@pytest.mark.parametrize("name", LIMITS)
def test_stack_asks_nothing_that_an_administrator_must_allow(name):
    file = stack(name)
    assert set(file) == {"version", "services", "volumes"} and all(not v for v in file["volumes"].values())
    one = service(name)
    assert set(one) <= {"image", "restart", "ports", "volumes", "environment", "healthcheck", "labels", "logging", "deploy"}
    for volume in one["volumes"]:
        assert volume.split(":")[0] in file["volumes"], "named volumes only"
    assert set(one["deploy"]) == {"resources"}
    assert one["deploy"]["resources"]["limits"] == {"memory": f"{LIMITS[name]}g"}
    assert one["labels"]["supervisor.memory"] == f"{LIMITS[name]}g" and one["labels"]["supervisor.enable"] == "true"
    assert ("reservations" in one["deploy"]["resources"]) == (name in WITH_GPU)
    assert all(port.startswith("127.0.0.1:") for port in one["ports"])


@pytest.mark.parametrize("name, other", SAME_AS.items())
def test_stack_has_the_numbers_of_the_compose_file(name, other):
    services = yaml.safe_load((ROOT / f"compose/{other}.yml").read_text())["services"]
    (theirs,) = (s for n, s in services.items() if n != "supervisor")
    ours = service(name)
    environment_of = {k: filled(v) for k, v in ours.get("environment", {}).items()}
    for key, value in theirs.get("environment", {}).items():
        assert environment_of[key] == filled(value), key
    for key, value in theirs["labels"].items():
        assert ours["labels"][key] == value, key
    assert ours["deploy"]["resources"]["limits"]["memory"] == theirs["mem_limit"]
    assert ours.get("healthcheck") == theirs.get("healthcheck")
    assert filled(ours["image"]) == filled(theirs["image"])


def test_supervisor_may_do_what_it_may_by_compose_and_no_more():
    theirs = yaml.safe_load((ROOT / "compose/compose.yml").read_text())["services"]["supervisor"]
    ours = service("supervisor")
    own = {"image", "environment", "volumes", "logging", "deploy"}
    assert {k: v for k, v in ours.items() if k not in own} == {
        k: v for k, v in theirs.items() if k not in own | {"container_name", "mem_limit", "healthcheck"}}
    assert ours["volumes"] == [filled(v) for v in theirs["volumes"]]
    assert ours["deploy"]["resources"]["limits"]["memory"] == theirs["mem_limit"]
    assert filled(ours["image"]) == theirs["image"], "whose health check is the image's"
    given = {k: v for k, v in theirs["environment"].items() if v is not None}
    assert {k: v for k, v in ours["environment"].items() if "$" not in v} == given


# ---- deployed

@pytest.fixture(scope="module")
def docker_cli():
    """The newest suite's own, unpacked with its engine."""
    if not os.path.exists(f"{CACHE}/sid/usr/bin/docker"):
        one = Engine("sid")
        try:
            one.start()
        finally:
            one.close()
    return f"{CACHE}/sid/usr/bin/docker"


class Deployed:
    """An engine that believes to have GPUs, and what Compose made of the stack files there."""

    def __init__(self, suite, directory):
        self.engine, self.directory, self.suite = Engine(suite), directory, suite
        self.projects, self.files = {}, {}

    def start(self):
        # An engine has NVIDIA's driver where it finds this command at its start, and runs it before the container.
        hook = self.directory / "nvidia-container-runtime-hook"
        hook.write_text(f"#!/bin/sh\ncat >/dev/null\necho \"$@\" >>{self.directory}/hooked\n")
        hook.chmod(0o755)
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{self.directory}:{path}"
        try:
            self.engine.start()
        finally:
            os.environ["PATH"] = path
        self.engine.tag("0.33", "ollama/ollama", "latest")
        self.engine.tag("0.33", "localai/localai", "latest-gpu-nvidia-cuda-12")
        self.command = ["docker-compose"]
        if self.suite != "installed":
            plugin = subprocess.run([LAB / "engine", "compose", self.suite, self.engine.directory], capture_output=True,
                                    text=True, check=True, env=os.environ | {"LAB_CACHE": CACHE}).stdout.strip()
            self.command = [plugin]
        return self

    def compose(self, name, *arguments, variables=None):
        done = subprocess.run([*self.command, "-p", name, *(w for f in self.files[name] for w in ("-f", f)), *arguments],
                              env=os.environ | {"DOCKER_HOST": self.engine.url} | (variables or {}), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{name} {arguments}: {done.stdout}{done.stderr}"

    def deploy(self, name, override=None, **variables):
        """Up, by a copy of the stack file whose published port is a free one; gives the container's id."""
        text = (HOME / f"stacks/{name}.yml").read_text()
        text = re.sub(r"(?<=127\.0\.0\.1:)\d+(?=:)", lambda _: str(free_port()), text)
        self.files[name] = [self.directory / f"{name}.yml"]
        self.files[name][0].write_text(text)
        if override:
            self.files[name].append(self.directory / f"{name}-override.yml")
            self.files[name][1].write_text(yaml.safe_dump(override))
        self.compose(name, "up", "-d", variables=variables)
        filters = json.dumps({"label": [f"com.docker.compose.project={name}"]})
        (one,) = self.engine.api.call("GET", "/containers/json", query={"all": 1, "filters": filters})
        return one["Id"]

    def close(self):
        try:
            for name in self.files:
                with contextlib.suppress(AssertionError):
                    self.compose(name, "down", "-v", "-t", "1")
        finally:
            self.engine.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


@pytest.fixture(scope="module", params=["installed", pytest.param("sid", marks=pytest.mark.engine("sid"))])
def deployed(request, tmp_path_factory, built):
    if request.param == "installed" and subprocess.run(["docker-compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lacks docker-compose")
    one = Deployed(request.param, tmp_path_factory.mktemp("portainer"))
    try:
        one.start()
        one.ids = {name: one.deploy(name, OLLAMA_KEEP_ALIVE="30m") for name in LIMITS}
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("name", LIMITS)
def test_deployed_stack_has_its_limit_in_the_cgroup(deployed, name):
    assert memory.limit(deployed.ids[name]) == LIMITS[name] * GIB
    config = deployed.engine.api.inspect(deployed.ids[name])
    assert config["State"]["Running"] and config["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert config["Config"]["Labels"]["supervisor.memory"] == f"{LIMITS[name]}g"
    assert bool(config["HostConfig"]["DeviceRequests"]) == (name in WITH_GPU)
    if name in WITH_GPU:
        (request,) = config["HostConfig"]["DeviceRequests"]
        assert (request["Driver"], request["Count"], request["Capabilities"]) == ("nvidia", -1, [["gpu"]])
        assert "NVIDIA_VISIBLE_DEVICES=all" in environment(config["State"]["Pid"])
    if name.startswith("ollama"):
        assert "OLLAMA_KEEP_ALIVE=30m" in environment(config["State"]["Pid"]), "what was filled in"
        assert config["Config"]["Healthcheck"]["Test"] == ["CMD", "ollama", "list"]


def environment(pid):
    with open(f"/proc/{pid}/environ") as file:
        return file.read().split("\0")


@pytest.mark.parametrize("name", LIMITS)
def test_deployed_stack_is_what_create_makes(deployed, name):
    """But for the prompt cache, which create counts with the GPU that it sees, and for the volume: a stack's is its own,
    so that the server in it may delete what no model of it names."""
    profile = deployed.engine.api.inspect(deployed.ids[name])["Config"]["Labels"]["supervisor.profile"]
    said = program.run("--host", deployed.engine.url, "--state", deployed.directory / "none", f"create-{profile}", "--dry-run", "--json")
    wanted = json.loads(said.out)["request"]
    made = deployed.engine.api.inspect(deployed.ids[name])
    assert not [v for v in wanted["Env"] if v not in made["Config"]["Env"]
                and v.split("=")[0] not in ("LLAMA_ARG_CACHE_RAM", "OLLAMA_NOPRUNE", "OLLAMA_KEEP_ALIVE")]
    labels = {k: v for k, v in wanted["Labels"].items() if k != "supervisor.create"}
    assert labels == {k: v for k, v in made["Config"]["Labels"].items() if k.startswith("supervisor.")}
    assert wanted.get("Healthcheck", {}) == {k: v for k, v in made["Config"].get("Healthcheck", {}).items() if v}
    assert wanted["HostConfig"]["Memory"] == made["HostConfig"]["Memory"]
    ports = {k: [b["HostIp"] for b in v] for k, v in wanted["HostConfig"]["PortBindings"].items()}
    assert ports == {k: [b["HostIp"] for b in v] for k, v in made["HostConfig"]["PortBindings"].items()}


def test_gpus_were_handed_over(deployed):
    assert (deployed.directory / "hooked").read_text().split() == ["prestart"] * len(WITH_GPU)


def test_supervisor_of_its_template_keeps_the_limit(deployed):
    done = subprocess.run([ROOT / "scripts/image"], env=os.environ | {"DOCKER_HOST": deployed.engine.url}, capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    api, standard = deployed.engine.api, deployed.ids["ollama-standard"]
    state = deployed.directory / "state"
    state.mkdir()
    here = {"version": "3.8", "services": {"supervisor": {"volumes": [
        f"{deployed.engine.socket}:/var/run/docker.sock", f"{state}:/var/lib/supervisor"]}}}
    supervisor = deployed.deploy("supervisor", here)
    assert memory.limit(supervisor) == GIB // 8
    api.call("POST", f"/containers/{standard}/update", {"Memory": 9 * GIB, "MemorySwap": 18 * GIB})

    swap = 8 * GIB if api.call("GET", "/info")["SwapLimit"] else -1

    def as_wanted():  # and no swap beyond it, which the engine gives where a stack file names none
        config = api.inspect(standard)["HostConfig"]
        return config["Memory"] == memory.limit(standard) == 8 * GIB and config["MemorySwap"] == swap
    wait.until(as_wanted, 20, lambda: f"the limit comes back; the supervisor says:\n{api.logs(supervisor)}")
    assert api.inspect(supervisor)["State"]["Running"] and api.inspect(supervisor)["RestartCount"] == 0
