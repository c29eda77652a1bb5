"""What the tests of `create` share: a bench with profiles that fit every machine, images, what is there."""

import contextlib
import io
import json
import pathlib
import socket
import subprocess
import tarfile
import time
import urllib.parse
import urllib.request

import pytest

import memory
import program
import proxy
import wait
from bench import Bench
from engine_api import UnixConnection
from sizes import MIB

LABEL = "supervisor.made"
KEPT = "-kept-by-supervisor"
STANDARD, LIMIT = "ollama/ollama:latest", 256 * MIB


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def profile(name, **keys):
    return {f'profile "{name}".{key}': value for key, value in keys.items()}


def trial(name="trial", **keys):
    """A small profile; each has a port and a volume of its own."""
    return profile(name, **{"memory": "256m", "port": free_port(), "container": name, "volume": f"{name}-models", "model": "",
                            "gpu": "none", "reserve": "1g", **keys})


def import_image(engine, name, files, **config):
    """An image of these files ({path: (bytes, mode)}), FROM scratch."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, (data, mode) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), mode
            tar.addfile(entry, io.BytesIO(data))
    repository, tag = name.rsplit(":", 1)
    query = urllib.parse.urlencode([("fromSrc", "-"), ("repo", repository), ("tag", tag),
                                    *(("changes", f"{key} {value}") for key, value in config.items())])
    connection = UnixConnection(engine.socket, 120)
    try:
        connection.request("POST", f"/images/create?{query}", archive.getvalue(), {"Content-Type": "application/x-tar"})
        answer = connection.getresponse()
        text = answer.read().decode()
        assert answer.status == 200 and '"error"' not in text, text
    finally:
        connection.close()
    return name


def variant(engine, name, env=(), entrypoint=None):
    """The stand-in's image with other settings."""
    made = engine.api.call("POST", "/containers/create", {"Image": engine.image()})["Id"]
    repository, tag = name.rsplit(":", 1)
    body = {"Env": [*engine.api.inspect(made)["Config"]["Env"], *env], "Entrypoint": entrypoint or ["/bin/ollama"], "Cmd": ["serve"],
            "ExposedPorts": {"11434/tcp": {}}}
    engine.api.call("POST", "/commit", body, query={"container": made, "repo": repository, "tag": tag})
    engine.api.remove(made)
    return name


def localai(engine, name="localai/localai:latest-gpu-nvidia-cuda-12"):
    """Something that says on port 8080 that it is ready, as LocalAI does."""
    busybox = pathlib.Path("/usr/bin/busybox").read_bytes()
    return import_image(engine, name, {"bin/busybox": (busybox, 0o755), "www/readyz": (b"OK\n", 0o644)},
                        CMD='["/bin/busybox","httpd","-f","-p","8080","-h","/www"]')


class Making(Bench):
    """A bench whose containers `create` makes; what is there with its label goes at the end."""

    def __init__(self, engine, settings=None):
        super().__init__(engine, settings={**{"supervisor.interval": "0.5s", "supervisor.poll": "1s"}, **(settings or {})}, label=LABEL)
        engine.tag("0.33", *STANDARD.split(":"))

    def create(self, *arguments, timeout=60, env=None, **settings):
        """Once more where another test's engine, as it started or stopped, took the firewall rules away under this one."""
        arguments = arguments if arguments[0].startswith("create") else ("create", *arguments)
        for _ in range(15):
            done = self.supervisor(*arguments, timeout=timeout, env=env, **settings)
            if "iptables" not in done.err:
                return done
            print(f"{done}\n{self.engine.log_tail()}")
            time.sleep(1)
        return done

    def started(self, *arguments, env=None):
        """`create`, under way."""
        return subprocess.Popen([str(program.PROGRAM), *map(str, self.options()), "create", *map(str, arguments)],
                                env=program.environment(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def there(self):
        """{name: entry of the engine's list} of those that create made."""
        return {c["Names"][0][1:]: c for c in self.engine.api.containers() if "supervisor.profile" in c["Labels"]}

    def ids(self):
        return {c["Id"] for c in self.engine.api.containers()}

    def inspect(self, name):
        return self.engine.api.inspect(name)

    def volumes(self):
        return {v["Name"] for v in self.engine.api.call("GET", "/volumes")["Volumes"] or []}

    def clear(self):
        for name, entry in self.there().items():
            self.engine.api.remove(entry["Id"])
        for name in self.volumes():
            self.engine.api.call("DELETE", f"/volumes/{name}", query={"force": 1})

    def close(self):
        with contextlib.suppress(OSError):
            self.clear()
        super().close()


def limit_of(bench, name):
    """By the cgroup, read by the test itself."""
    return memory.limit(bench.inspect(name)["Id"])


def answers(port, path="/api/version", address="127.0.0.1"):
    try:
        with urllib.request.urlopen(f"http://{address}:{port}{path}", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def result(outcome):
    return json.loads(outcome.out)


def sound(bench, name, limit=LIMIT):
    """One container of that name, with its limit, that runs and answers; nothing of a run half-way. What it replaced may be kept."""
    there = bench.there()
    assert set(there) - {name + KEPT} == {name}, there.keys()
    if name + KEPT in there:
        kept = bench.inspect(name + KEPT)
        assert not kept["State"]["Running"] and kept["HostConfig"]["RestartPolicy"]["Name"] == "no"
    one = bench.inspect(name)
    assert one["State"]["Running"] and one["HostConfig"]["Memory"] == limit
    assert limit_of(bench, name) == limit
    published = (one["HostConfig"]["PortBindings"] or {}).get("11434/tcp")
    address = "127.0.0.1" if published else next(iter(one["NetworkSettings"]["Networks"].values()))["IPAddress"]
    port = published[0]["HostPort"] if published else 11434
    wait.until(lambda: answers(port, address=address), 10, f"{name} answers at {address}:{port}")
    return one


@contextlib.contextmanager
def small_disk(directory, size=96 * MIB):
    """A disk of its own, mounted; gives the directory."""
    image, mount = pathlib.Path(directory, "disk"), pathlib.Path(directory, "mounted")
    mount.mkdir()
    with open(image, "wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", mount], check=False)


@contextlib.contextmanager
def holding(size):
    """Another process that holds so much memory."""
    code = f"import sys; b = bytearray({size}); print('there', flush=True); sys.stdin.read()"
    child = subprocess.Popen(["/usr/bin/python3", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "there\n"
        yield child
    finally:
        child.stdin.close()
        child.wait(10)


def available():
    lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    values = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
    return values["MemTotal"], values["MemAvailable"]


@pytest.fixture(scope="module")
def making(engine, built):
    one = Making(engine, trial())
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def bench(making):
    yield making
    making.clear()


@contextlib.contextmanager
def through_proxy(making):
    """What it starts sees the engine through `making.proxy`."""
    making.proxy = proxy.EngineProxy(making.engine.socket, making.directory)
    direct = making.options

    def options(settings=None, state=None):
        options = direct(settings, state)
        options[options.index("--host") + 1] = making.proxy.url
        return options
    making.options = options
    try:
        yield making
    finally:
        making.options = direct
        making.proxy.close()
        making.clear()


@pytest.fixture
def proxied(making):
    with through_proxy(making) as bench:
        yield bench


class NthChange(proxy.Rule):
    """The request of that number that changes something at the engine."""

    def __init__(self, number, act):
        super().__init__("POST|DELETE", ".", act, times=1)
        self.number, self.seen = number, []

    def takes(self, method, path):
        if not super().takes(method, path):
            return False
        self.seen.append(f"{method} {path}")
        return len(self.seen) == self.number


def killed_at(bench, number, act, *arguments):
    """`create` killed at its change of that number: HANG: the engine never gets it, LOSE: it has done it. That request."""
    rule = NthChange(number, act)
    bench.proxy.rules.append(rule)
    child = bench.started("trial", *arguments)
    wait.until(lambda: rule.taken or child.poll() is not None, 30, "it asks for that change")
    assert rule.taken, (rule.seen, child.communicate())
    if act == proxy.LOSE:
        assert rule.done.wait(30), rule.seen
    child.kill()
    child.communicate()
    bench.proxy.off(rule)
    return rule.seen[-1]


def change(name):
    """What such a request is, by its name in a test."""
    return {"volume": r"POST .*/volumes/create$", "aside": r"POST .*/rename\?name=trial-replaced-by-supervisor$",
            "create": r"POST .*/containers/create\?name=trial$", "policy": r"POST .*/update$", "stop": r"POST .*/stop\?t=\d+$",
            "start": r"POST .*/start$", "keep": r"POST .*/rename\?name=trial-kept-by-supervisor$", "remove": r"DELETE .*/containers/\w+\?force=1$",
            "back": r"POST .*/rename\?name=trial$"}[name]
