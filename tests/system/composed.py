"""The Compose files and scripts of a copy of the tree, on a private engine of their own."""

import json
import os
import shutil
import socket
import stat
import subprocess

import memory
import program
import wait
from engine import CACHE, LAB, ROOT, Engine
from sizes import GIB, MIB

HOLD = 3
# Short holds for the supervisor inside, and models for the stand-in: one too large for a small stack, one to pull.
QUICK = {"SUPERVISOR_LEAK_HOLD": f"{HOLD}s", "SUPERVISOR_LEAK_GRACE": "1s", "SUPERVISOR_INTERVAL": "0.5s",
         "SUPERVISOR_POLL": "1s", "SUPERVISOR_LEAK_THRESHOLD_PERCENT": "0"}
STANDIN = ["SIMOLLAMA_MODELS=tiny=16M,large:7b=16M:7500M", "SIMOLLAMA_PULL_MS=300"]
# Debian's servers in one image (stack/), under the names that memory-optimized.yml and socket-proxy.yml ask for.
SERVERS = ("postgres:16-alpine", "redis:7-alpine", "chromadb/chroma:latest", "nginx:alpine", "haproxy:lts-alpine")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Composed:
    def __init__(self, suite, directory):
        self.engine, self.suite = Engine(suite), suite
        self.tree, self.state = directory / "tree", directory / "state"
        self.directory, self.ports = directory, {}

    def start(self, servers=True):
        for name in ("scripts", "compose"):
            shutil.copytree(ROOT / name, self.tree / name, ignore=shutil.ignore_patterns(".env"))
        for name in ("VERSION", "Dockerfile"):
            shutil.copy(ROOT / name, self.tree)
        (self.tree / "build").mkdir()
        shutil.copy(program.PROGRAM, self.tree / "build/supervisor")
        commands = self.directory / "bin"
        commands.mkdir()
        # An engine has NVIDIA's driver where it finds this command at its start, and runs it before the container.
        hook = commands / "nvidia-container-runtime-hook"
        hook.write_text("#!/bin/sh\ncat >/dev/null\n")
        hook.chmod(0o755)
        path = os.environ["PATH"]
        os.environ["PATH"] = f"{commands}:{path}"
        try:
            self.engine.start()
        finally:
            os.environ["PATH"] = path
        self.env = program.environment(QUICK | {
            "DOCKER_HOST": self.engine.url, "DOCKER_SOCKET": self.engine.socket, "SUPERVISOR_STATE": str(self.state),
            "LAB_CACHE": CACHE, "DOCKER_CONFIG": str(self.directory / "docker")})
        for name in ("OLLAMA_PORT", "LOCALAI_PORT", "BACKEND_PUBLISHED", "FRONTEND_PUBLISHED"):
            self.env[name] = str(free_port())
        self.compose_command = ["docker-compose"]
        if self.suite != "installed":
            plugin = subprocess.run([LAB / "engine", "compose", self.suite, self.engine.directory], capture_output=True,
                                    text=True, check=True, env=self.env).stdout.strip()
            self.compose_command = [plugin]
            plugins = self.directory / "docker/cli-plugins"  # where `docker compose` finds it
            plugins.mkdir(parents=True)
            (plugins / "docker-compose").symlink_to(plugin)
        self._images(servers)
        return self

    def _images(self, servers):
        api = self.engine.api
        made = api.call("POST", "/containers/create", {"Image": self.engine.image()})["Id"]
        api.call("POST", "/commit", {"Env": STANDIN}, query={"container": made, "repo": "ollama/ollama", "tag": "latest"})
        api.remove(made)
        for repository, tag in (("ollama/ollama", "rocm"), ("localai/localai", "latest-gpu-nvidia-cuda-12")):
            api.call("POST", "/images/ollama/ollama:latest/tag", query={"repo": repository, "tag": tag})
        done = self.run("scripts/image")
        assert done.returncode == 0, done.stdout + done.stderr
        if servers:
            done = subprocess.run([ROOT / "tests/system/stack/image", self.engine.url, "servers:latest"], env=self.env,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            for name in SERVERS:
                repository, tag = name.split(":")
                api.call("POST", "/images/servers:latest/tag", query={"repo": repository, "tag": tag})

    def run(self, *command, timeout=120, env=None):
        """A command in the tree."""
        return subprocess.run([str(self.tree / command[0]) if "/" in command[0] else command[0], *command[1:]], cwd=self.tree,
                              env=self.env | (env or {}), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=timeout, check=False)

    def compose(self, files, *arguments, env=None):
        names = [word for name in files for word in ("-f", f"compose/{name}.yml")]
        return self.run(*self.compose_command, *names, *arguments, env=env)

    def up(self, *files, env=None):
        done = self.compose(files, "up", "-d", env=env)
        assert done.returncode == 0, f"up {files}: {done.stdout}{done.stderr}"

    def config(self, name):
        return self.engine.api.inspect(name)

    def id(self, name):
        return self.config(name)["Id"]

    def of_service(self, service):
        filters = json.dumps({"label": [f"com.docker.compose.service={service}"]})
        (one,) = self.engine.api.call("GET", "/containers/json", query={"all": 1, "filters": filters})
        return one["Id"]

    def remove_all(self):
        """Containers, networks and volumes of what a test made."""
        api = self.engine.api
        for container in api.containers():
            api.remove(container["Id"])
        for network in api.call("GET", "/networks"):
            if network["Name"] not in ("bridge", "host", "none"):
                api.call("DELETE", f"/networks/{network['Id']}")
        for volume in api.call("GET", "/volumes")["Volumes"] or []:
            api.call("DELETE", f"/volumes/{volume['Name']}")

    def execute(self, container, *argv):
        """Runs argv in the container; gives its exit status."""
        job = self.engine.api.exec_start(container, list(argv))
        return wait.until(lambda: (s := self.engine.api.exec_state(job))["Running"] is False and s, 60, f"{argv} ended")["ExitCode"]

    def heals(self, name):
        """A leak of 2 GiB in the Ollama of this name is healed by the supervisor of this project."""
        api, one = self.engine.api, self.id(name)
        before = self.config(one)["State"]["StartedAt"]
        assert self.execute(one, "/bin/sim", "leak", "2g") == 0
        assert memory.held(one) >= 2 * GIB

        def healed():
            state = self.config(one)["State"]
            return state["Running"] and state["StartedAt"] != before and memory.held(one) < 100 * MIB
        wait.until(healed, 60, lambda: f"{name} healed; the supervisor says:\n{api.logs('supervisor')}")
        assert "msg=healed" in wait.until(lambda: (text := api.logs("supervisor")) and "msg=healed" in text and text, 10,
                                          lambda: f"told as healed:\n{api.logs('supervisor')}")

    def cores(self, container):
        """By the kernel; None: all."""
        if memory.V2:
            quota, period = (memory.directory(container) / "cpu.max").read_text().split()
        else:
            path = str(memory.directory(container)).replace("/cgroup/memory/", "/cgroup/cpu/")
            quota, period = (int(open(f"{path}/cpu.cfs_{word}_us").read()) for word in ("quota", "period"))
        return None if quota in ("max", -1) else int(quota) / int(period)

    def close(self):
        self.engine.close()


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)
