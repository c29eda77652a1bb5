"""The whole small stack by its scripts, on real engines: PostgreSQL and Redis are Debian's own servers, Ollama
is simollama, ChromaDB, backend and frontend are a web server (stack/)."""

import re
import shutil
import subprocess

import pytest

import memory
from composed import SERVERS, Composed, mode
from engine import ROOT
from sizes import GIB, MIB

DEPLOY, CONFIGURE = "scripts/deploy_memory_optimized_system.sh", "scripts/configure_small_models_default.sh"
VERIFY, PROCEDURES = "scripts/verify_small_models.sh", "scripts/memory-optimization-procedures.sh"
LIMITS = {"postgres": (1024, 1), "redis": (768, 1), "chromadb": (1024, 1), "backend": (2048, 2), "frontend": (1024, 1),
          "ollama": (6144, 4), "supervisor": (128, None)}


def need(*tools):
    for tool in tools:
        if not shutil.which(tool):
            pytest.skip(f"this machine lacks {tool}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory, built):
    """It is up for the module's tests, in their order."""
    need("docker-compose", "debootstrap")
    one = Composed("installed", tmp_path_factory.mktemp("stack"))
    try:
        yield one.start()
    finally:
        one.close()


def ok(done):
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def refused(done, code, *words):
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}{done.stderr}"
    for word in words:
        assert word in done.stderr, done.stderr
    return done.stderr


def settings(stack):
    return dict(line.split("=", 1) for line in (stack.tree / "compose/.env").read_text().splitlines()
                if line and not line.startswith("#"))


def variables(stack, service):
    return dict(v.partition("=")[::2] for v in stack.config(stack.of_service(service))["Config"]["Env"])


def shell(stack, service, script):
    """Runs a script in the container of a service; what it prints and how it ends."""
    done = subprocess.run(["docker", "exec", stack.of_service(service), "sh", "-c", script], env=stack.env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).strip()


# ---- refusals, before anything is there

def test_refusals_leave_nothing(stack):
    env, compose = stack.tree / "compose/.env", stack.tree / "compose/memory-optimized.yml"
    for script in (DEPLOY, CONFIGURE, VERIFY, PROCEDURES):
        refused(stack.run(script, "--garbage"), 2, "--garbage")
        assert ok(stack.run(script, "--help")).strip()
    refused(stack.run(DEPLOY, "--purge"), 2, "--down")
    for script in (DEPLOY, VERIFY):
        refused(stack.run(script, env={"DOCKER_HOST": "unix:///nowhere.sock"}), 3, "/nowhere.sock")
        refused(stack.run(script, env={"DOCKER_HOST": "tcp://127.0.0.1:1"}), 2, "tcp://127.0.0.1:1")
    refused(stack.run(VERIFY), 1, DEPLOY)
    for model, word in (("llama3.1:70b", "70B"), ("phi3:3.8b", "3.8B"), ("x y", "x y"), ("", "no model's name")):
        refused(stack.run(CONFIGURE, "--model", model), 2, word)
    refused(stack.run(CONFIGURE, "--model"), 2, "--model")
    refused(stack.run(CONFIGURE, "--pull", env={"DOCKER_HOST": "unix:///nowhere.sock"}), 3, "/nowhere.sock")
    env.unlink(missing_ok=True)

    env.write_text("POSTGRES_PASSWORD=abc\nthis is no setting\n")
    refused(stack.run(DEPLOY), 2, "line 2", "compose/.env")
    env.write_text("POSTGRES_PASSWORD=a/b@c\n")
    refused(stack.run(DEPLOY), 2, "POSTGRES_PASSWORD")
    assert "a/b@c" not in (stack.run(DEPLOY)).stderr, "a password is not told"
    env.unlink()

    text = compose.read_text()
    compose.write_text(text.replace("mem_limit: 6g", "mem_limit: 6000g"))
    refused(stack.run(DEPLOY), 1, "MiB too little")
    compose.write_text(text)

    other = stack.engine.api.call("POST", "/containers/create", {"Image": "ollama/ollama:latest"}, query={"name": "ollama"})
    refused(stack.run(DEPLOY), 1, "a container named ollama", "docker rename ollama")
    stack.engine.api.remove(other["Id"])
    assert stack.engine.api.containers() == [] and not env.exists() and not list(env.parent.glob(".env*"))


# ---- up

def test_deploy(stack):
    assert "machine" in ok(stack.run(DEPLOY, "--check")) and stack.engine.api.containers() == []
    told = ok(stack.run(DEPLOY, timeout=240))
    assert "Running." in told
    made = settings(stack)
    assert mode(stack.tree / "compose/.env") == 0o600
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert re.fullmatch("[A-Za-z0-9]{32}", made[name]) and made[name] not in told
    assert made["POSTGRES_PASSWORD"] != made["REDIS_PASSWORD"]
    before = {c["Id"] for c in stack.engine.api.containers()}
    (stack.tree / "compose/.env").chmod(0o644)
    again = ok(stack.run(DEPLOY))
    assert "Already running: nothing was changed." in again and "0600" in again
    assert {c["Id"] for c in stack.engine.api.containers()} == before and settings(stack) == made
    assert mode(stack.tree / "compose/.env") == 0o600


@pytest.mark.parametrize("service", LIMITS)
def test_limits_in_the_cgroups(stack, service):
    check_limits(stack, service)


def check_limits(stack, service):
    one = stack.of_service(service)
    assert stack.config(one)["State"]["Running"]
    assert (memory.limit(one) // MIB, stack.cores(one)) == LIMITS[service]


def test_database_and_cache_are_made_for_their_limits_and_ask_for_the_password(stack):
    """Asked in their own containers: what goes from one to another meets the rules of all engines on this host."""
    made = settings(stack)
    have = variables(stack, "backend")
    assert have["DATABASE_URL"] == f"postgresql://app:{made['POSTGRES_PASSWORD']}@postgres:5432/app"
    assert have["REDIS_URL"] == f"redis://:{made['REDIS_PASSWORD']}@redis:6379/0"
    here = have["DATABASE_URL"].replace("@postgres:", "@127.0.0.1:")
    assert shell(stack, "postgres", f"psql -Atc 'show shared_buffers' {here}") == (0, "256MB")
    code, said = shell(stack, "postgres", f"psql -Atc 'select 1' {here.replace(made['POSTGRES_PASSWORD'], 'wrong')}")
    assert code != 0 and "password authentication failed" in said
    ask = "redis-cli --no-auth-warning"
    assert shell(stack, "redis", f"{ask} -a {made['REDIS_PASSWORD']} config get maxmemory") == (0, f"maxmemory\n{512 * MIB}")
    assert "NOAUTH" in shell(stack, "redis", f"{ask} get x")[1]
    assert made["REDIS_PASSWORD"] not in shell(stack, "redis", "cat /proc/1/cmdline")[1]


def test_small_models_and_one_at_a_time(stack):
    for service in ("ollama", "backend", "frontend"):
        have = variables(stack, service)
        assert (have["DEFAULT_MODEL"], have["FALLBACK_MODEL"]) == ("qwen2.5:3b", "llama3.2:3b")
        assert have["SMALL_MODEL_MODE"] == have["MEMORY_EFFICIENT_MODE"] == "true"
    have = variables(stack, "ollama")
    assert have["OLLAMA_MAX_LOADED_MODELS"] == "1" and have["OLLAMA_KEEP_ALIVE"] == "30s"
    assert variables(stack, "supervisor")["SUPERVISOR_PRESET"] == "strict15g"
    assert "All is right." in ok(stack.run(VERIFY))


def test_verify_tells_what_is_wrong(stack):
    api, backend, ollama = stack.engine.api, stack.of_service("backend"), stack.of_service("ollama")
    api.call("POST", f"/containers/{backend}/update", {"Memory": 3 * GIB, "MemorySwap": 3 * GIB, "CpuQuota": 50000})
    address = next(iter(stack.config(ollama)["NetworkSettings"]["Networks"].values()))["IPAddress"]
    subprocess.run(["curl", "-fsS", "--max-time", "60", f"http://{address}:11434/api/generate", "-d", '{"model":"large:7b"}'],
                   stdout=subprocess.DEVNULL, check=True)
    said = refused(stack.run(VERIFY), 1, "backend: memory limit, MiB is 3072, wanted 2048", "backend: cores is 0.5, wanted 2",
                   "large:7b")
    assert len(said.splitlines()) == 3
    subprocess.run(["curl", "-fsS", f"http://{address}:11434/api/generate", "-d", '{"model":"large:7b","keep_alive":0}'],
                   stdout=subprocess.DEVNULL, check=True)
    api.call("POST", f"/containers/{backend}/update", {"Memory": 2 * GIB, "MemorySwap": 2 * GIB, "CpuQuota": 200000})
    ok(stack.run(VERIFY))


def test_configure_applies_to_what_runs(stack):
    made, ollama, database = settings(stack), stack.of_service("ollama"), stack.of_service("postgres")
    told = ok(stack.run(CONFIGURE, "--model", "sim/slow", "--fallback", "tiny:latest", "--pull"))
    assert "pulling sim/slow" in told and "tiny:latest is here already" in told
    for service in ("ollama", "backend", "frontend"):
        have = variables(stack, service)
        assert (have["DEFAULT_MODEL"], have["FALLBACK_MODEL"]) == ("sim/slow", "tiny:latest")
    assert stack.of_service("ollama") != ollama and stack.of_service("postgres") == database
    now = settings(stack)
    assert now == made | {"DEFAULT_MODEL": "sim/slow", "FALLBACK_MODEL": "tiny:latest"}
    ok(stack.run(VERIFY))
    before = {c["Id"] for c in stack.engine.api.containers()}
    assert "says so already" in ok(stack.run(CONFIGURE, "--model", "sim/slow", "--fallback", "tiny:latest"))
    assert {c["Id"] for c in stack.engine.api.containers()} == before
    # Nothing is pulled here, and a pull that fails says why.
    refused(stack.run(CONFIGURE, "--pull"), 1, "could not pull qwen2.5:3b", "no such host")
    assert settings(stack) == made, "the defaults again"


def test_supervisor_heals(stack):
    stack.heals("ollama")


# ---- down

def test_down_keeps_and_purge_does_not(stack):
    api, made = stack.engine.api, settings(stack)
    assert "kept" in ok(stack.run(DEPLOY, "--down"))
    assert api.containers() == [] and settings(stack) == made
    volumes = {v["Name"] for v in api.call("GET", "/volumes")["Volumes"]}
    assert {"memory-optimized_postgres", "memory-optimized_chromadb", "ollama"} <= volumes
    assert "no container" in ok(stack.run(DEPLOY, "--down"))
    env = stack.tree / "compose/.env"
    env.rename(stack.directory / "env")
    refused(stack.run(DEPLOY), 1, "memory-optimized_postgres", "POSTGRES_PASSWORD")  # a new one would not open it
    (stack.directory / "env").rename(env)
    ok(stack.run(DEPLOY, "--down", "--purge"))
    left = {v["Name"] for v in api.call("GET", "/volumes")["Volumes"] or []}
    assert not left & {"memory-optimized_postgres", "memory-optimized_chromadb", "ollama"} and not env.exists()
    assert {n["Name"] for n in api.call("GET", "/networks")} == {"bridge", "host", "none"}


# ---- the procedures, wherever the program is

def test_procedures_find_the_program(stack):
    program, aside = stack.tree / "build/supervisor", stack.directory / "aside"
    command = ["ollama-8g"]
    stack.up(*command)
    try:
        assert "ollama" in ok(stack.run(PROCEDURES, "status"))  # build/supervisor
        program.rename(aside)
        assert "enforce" in ok(stack.run(PROCEDURES, "status"))  # in the container
        refused(stack.run(PROCEDURES, "create-33b", "--no-such-option"), 2, "no-such-option")
        stack.engine.api.remove("supervisor")
        assert "enforce" in ok(stack.run(PROCEDURES, "status"))  # a container for the moment
        assert len(stack.engine.api.containers()) == 1
        installed = stack.directory / "installed"
        installed.mkdir()
        (installed / "supervisor").write_text('#!/bin/sh\necho "installed: $*"\n')
        (installed / "supervisor").chmod(0o755)
        path = f"{installed}:{stack.env['PATH']}"
        for procedure in ("status", "fix-ollama", "test", "create-33b", "create-70b", "full-optimization"):
            assert ok(stack.run(PROCEDURES, procedure, "a", "b c", env={"PATH": path})) == f"installed: {procedure} a b c\n"
        refused(stack.run(PROCEDURES, "status", env={"DOCKER_HOST": "unix:///nowhere.sock"}), 3, "scripts/up")
        refused(stack.run(PROCEDURES, "create-7b"), 2, "create-33b create-70b")
    finally:
        if aside.exists():
            aside.rename(program)
        stack.remove_all()


# ---- the newest engine and Compose

@pytest.mark.engine("sid")
def test_the_same_on_a_newer_engine(tmp_path, built):
    need("debootstrap")
    one = Composed("sid", tmp_path)
    try:
        one.start()
        assert "Running." in ok(one.run(DEPLOY, timeout=240))
        assert "nothing was changed" in ok(one.run(DEPLOY))
        for service in LIMITS:
            check_limits(one, service)
        ok(one.run(VERIFY))
        one.heals("ollama")
        database = one.of_service("postgres")
        ok(one.run(CONFIGURE, "--fallback", "qwen2.5-coder:3b"))
        assert variables(one, "backend")["FALLBACK_MODEL"] == "qwen2.5-coder:3b" and one.of_service("postgres") == database
        ok(one.run(DEPLOY, "--down", "--purge"))
        assert one.engine.api.containers() == []
    finally:
        one.close()


def test_names_of_images_are_those_that_the_files_ask_for():
    text = (ROOT / "compose/memory-optimized.yml").read_text() + (ROOT / "compose/socket-proxy.yml").read_text()
    assert set(re.findall(r"_IMAGE:-([^}]+)\}", text)) == {*SERVERS, "ollama/ollama:latest"}
