"""The Compose files on real engines: the limits in the cgroups, and the supervisor inside, healing. Stand-ins: simollama
for Ollama and LocalAI, a command for NVIDIA's hook. The proxy is HAProxy itself."""

import json
import re
import subprocess

import pytest

import engine_requests
import memory
import wait
from composed import Composed
from engine import ROOT
from sizes import GIB

FILES = {"compose": ("ollama", 8), "ollama-8g": ("ollama", 8), "ollama-28g": ("ollama-33b", 28),
         "ollama-30g": ("ollama-70b", 30), "localai-gpu-12g": ("localai", 12)}
SUITES = ["installed", pytest.param("sid", marks=pytest.mark.engine("sid"))]


@pytest.fixture(scope="module", params=SUITES)
def place(request, tmp_path_factory, built):
    if request.param == "installed" and subprocess.run(["docker-compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lacks docker-compose")
    one = Composed(request.param, tmp_path_factory.mktemp("compose"))
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def clean(place):
    yield place
    place.remove_all()


def check_supervisor(place):
    """No more than it needs, whichever file starts it."""
    config = place.config("supervisor")
    host = config["HostConfig"]
    assert config["State"]["Running"]
    assert host["ReadonlyRootfs"] and "no-new-privileges:true" in host["SecurityOpt"] and not host["Privileged"]
    assert [c.removeprefix("CAP_") for c in host["CapDrop"]] == ["ALL"]
    assert [c.removeprefix("CAP_") for c in host["CapAdd"]] == ["KILL"]
    assert host["PidMode"] == host["NetworkMode"] == "host"
    assert memory.limit(config["Id"]) == GIB // 8
    return {m["Destination"]: m for m in config["Mounts"]}


@pytest.mark.parametrize("file", FILES)
def test_file_has_its_limit_in_the_cgroup(clean, file):
    name, gib = FILES[file]
    clean.up(file)
    config = clean.config(name)
    assert config["State"]["Running"]
    assert memory.limit(config["Id"]) == gib * GIB
    counts = clean.engine.api.call("GET", "/info")["SwapLimit"]
    assert config["HostConfig"]["MemorySwap"] == (gib * GIB if counts else -1), "no swap beside it"
    assert config["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert config["Config"]["Labels"]["supervisor.enable"] == "true"
    assert config["Config"]["Labels"]["supervisor.memory"] == f"{gib}g"
    if file.startswith("ollama-"):
        assert config["Config"]["Healthcheck"]["Test"] == ["CMD", "ollama", "list"]
        assert clean.execute(config["Id"], "ollama", "list") == 0
    if file.startswith("localai"):
        (request,) = config["HostConfig"]["DeviceRequests"]
        assert (request["Driver"], request["Count"], request["Capabilities"]) == ("nvidia", -1, [["gpu"]])
    mounts = check_supervisor(clean)
    assert not mounts["/host/proc"]["RW"] and mounts["/host/sys/fs/cgroup"]["RW"]
    before = {c["Id"] for c in clean.engine.api.containers()}
    clean.up(file)
    assert {c["Id"] for c in clean.engine.api.containers()} == before, "twice changes nothing"


PROFILES = {"ollama-8g": "create-standard", "ollama-28g": "create-33b", "ollama-30g": "create-70b",
            "localai-gpu-12g": "create-localai"}


@pytest.mark.parametrize("file", PROFILES)
def test_file_is_what_create_makes(clean, file):
    """The plan on a host without a GPU; whether it fits on this one is another matter."""
    done = clean.run("build/supervisor", "--host", clean.engine.url, "--state", str(clean.state), PROFILES[file], "--dry-run", "--json")
    plan = json.loads(done.stdout)
    if plan["facts"]["gpus"]:
        pytest.skip("this machine lacks the lack of a GPU")
    wanted = plan["request"]
    done = clean.compose([file], "up", "--no-start")
    assert done.returncode == 0, done.stderr
    name = FILES[file][0]
    assert plan["container"] == name
    made = clean.config(name)
    host = made["HostConfig"]
    assert made["Config"]["Image"] == wanted["Image"]
    assert set(wanted["Env"]) <= set(made["Config"]["Env"])
    labels = {k: v for k, v in made["Config"]["Labels"].items() if k.startswith("supervisor.")}
    assert labels == {k: v for k, v in wanted["Labels"].items() if k != "supervisor.create"}
    if "Healthcheck" in wanted:
        assert made["Config"]["Healthcheck"] == wanted["Healthcheck"]
    for key in ("Memory", "MemorySwap"):
        assert host[key] in (wanted["HostConfig"][key], -1)
    assert host["RestartPolicy"]["Name"] == wanted["HostConfig"]["RestartPolicy"]["Name"]
    assert [(m["Name"], m["Destination"]) for m in made["Mounts"]] == [(m["Source"], m["Target"]) for m in wanted["HostConfig"]["Mounts"]]
    ports = {port: [b["HostIp"] for b in bindings] for port, bindings in host["PortBindings"].items()}
    assert ports == {port: [b["HostIp"] for b in bindings] for port, bindings in wanted["HostConfig"]["PortBindings"].items()}


def test_supervisor_of_a_profile_heals(clean):
    clean.up("ollama-28g")
    clean.heals("ollama-33b")


def test_large_profile_takes_the_place_of_the_standard_one(clean):
    """The same project and service: what is up is replaced, the models stay."""
    clean.up("ollama-8g")
    clean.up("ollama-30g")
    names = {name for c in clean.engine.api.containers() for name in c["Names"]}
    assert names == {"/ollama-70b", "/supervisor"}
    assert [m["Name"] for m in clean.config("ollama-70b")["Mounts"]] == ["ollama"]


def test_gpus_by_override(clean):
    clean.up("ollama-8g", "gpu-nvidia")
    config = clean.config("ollama")
    (request,) = config["HostConfig"]["DeviceRequests"]
    assert (request["Driver"], request["Count"], request["Capabilities"]) == ("nvidia", -1, [["gpu"]])
    assert config["State"]["Running"] and memory.limit(config["Id"]) == 8 * GIB
    clean.remove_all()
    done = clean.compose(["ollama-28g", "gpu-amd"], "up", "--no-start")  # there is no /dev/kfd to start it with
    assert done.returncode == 0, done.stderr
    config = clean.config("ollama-33b")
    assert {d["PathOnHost"] for d in config["HostConfig"]["Devices"]} == {"/dev/kfd", "/dev/dri"}
    assert config["HostConfig"]["Memory"] == 28 * GIB and config["Config"]["Image"] == "ollama/ollama:rocm"


def test_behind_the_socket_proxy_with_cgroups_read_only(clean):
    clean.up("ollama-30g", "socket-proxy", "cgroup-readonly")
    mounts = check_supervisor(clean)
    assert not mounts["/host/sys/fs/cgroup"]["RW"]
    assert all(m.get("Source") != clean.engine.socket for m in mounts.values()), "the engine's own socket is not there"
    proxy = clean.config("supervisor-socket-proxy")
    assert proxy["HostConfig"]["NetworkMode"] == "none" and memory.limit(proxy["Id"]) == 64 << 20
    assert clean.execute("supervisor", "supervisor", "status") == 0
    clean.heals("ollama-70b")
    assert "label refused" not in clean.engine.api.logs("supervisor")

    # Each command gets what it asks for, and the proxy refused nothing.
    one = clean.id("ollama-70b")
    for command in (("explain",), ("enforce",), ("flush",), ("unload", "tiny"), ("fix-ollama", "--dry-run"), ("health",)):
        assert clean.execute("supervisor", "supervisor", *command) == 0, command
    socket = f"/proc/{clean.config('supervisor')['State']['Pid']}/root/var/run/docker.sock/proxy.sock"
    clean.engine.api.call("POST", f"/containers/{one}/update", {"Memory": 29 * GIB, "MemorySwap": 29 * GIB})
    wait.until(lambda: memory.limit(one) == 30 * GIB, 30, lambda: f"the limit is back\n{clean.engine.api.logs('supervisor')[-2000:]}")
    assert " 403 " not in clean.engine.api.logs("supervisor-socket-proxy")

    # And whoever has its socket gets no more.
    kept = {name: clean.config(name)["Id"] for name in ("ollama-70b", "supervisor", "supervisor-socket-proxy")}
    for request in engine_requests.all_others(one):
        status, head, body = engine_requests.answer(socket, request)
        refused = status == 403 and (request.startswith(b"HEAD") or "socket-proxy.cfg" in body)
        # What is no request at all is refused by HAProxy in its own words.
        assert (refused or status == 400 and "<h1>400 bad request</h1>" in body.lower()) and "docker" not in head, (request, status, head, body)
    assert {name: clean.config(name)["Id"] for name in kept} == kept and len(clean.engine.api.containers()) == len(kept)
    for request in engine_requests.passing(one):
        status, head, body = engine_requests.answer(socket, request, timeout=60)
        assert status in (200, 204, 304), (request, status, body)


def test_socket_proxy_passes_the_versions_that_the_program_speaks():
    header = (ROOT / "supervisor/sense/docker.h").read_text()
    lowest, highest = (int(re.search(rf"DOCKER_API_{word} = (\d+)", header)[1]) for word in ("MIN", "MAX"))
    rules = re.findall(r"url -m reg '(\S+)'", (ROOT / "compose/socket-proxy.cfg").read_text())
    assert len(rules) == 6
    for rule in rules:
        prefix = re.match(r"\^/v1\\\.\([^)]*\)", rule)[0]
        assert [n for n in range(200) if re.fullmatch(prefix, f"/v1.{n}")] == list(range(lowest, highest + 1)), rule


def test_compose_gives_the_images_own_command_for_an_empty_one(clean):
    """memory-optimized.yml relies on it: BACKEND_COMMAND and FRONTEND_COMMAND unset."""
    done = clean.compose(["memory-optimized"], "up", "--no-start", "--no-deps", "backend",
                         env={"POSTGRES_PASSWORD": "a", "REDIS_PASSWORD": "b"})
    if "no such option" in done.stderr.lower() or "unknown flag" in done.stderr.lower():
        pytest.fail(done.stderr)
    config = clean.engine.api.inspect(clean.of_service("backend"))
    assert config["Config"]["Cmd"] == ["haproxy", "-f", "/etc/web.cfg"]


def test_memory_optimized_wants_passwords(clean):
    done = clean.compose(["memory-optimized"], "config", "-q")
    assert done.returncode != 0 and "compose/.env" in done.stdout + done.stderr
    for one in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        done = clean.compose(["memory-optimized"], "config", "-q", env={one: "x"})
        assert done.returncode != 0
