"""A private Docker Engine, started by tests/lab/engine in a directory of its own, and its end."""

import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile

import wait
from engine_api import EngineAPI, EngineError, Events

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAB = ROOT / "tests/lab"
CACHE = os.environ.get("LAB_CACHE", str(ROOT / "build/lab"))  # newer engines are fetched once and kept
IMAGES = {"0.33": "ollama/ollama:0.33", "0.24": "ollama/ollama:0.24"}


def bridge_number(directory):
    """As tests/lab/engine counts it."""
    text = subprocess.run(["cksum"], input=f"{directory}\n", capture_output=True, text=True, check=True).stdout
    return int(text.split()[0]) % 250 + 1


def new_directory(parent=None):
    """A short new directory (a socket's path has 107 bytes) whose bridge nobody uses yet."""
    while True:
        directory = tempfile.mkdtemp(prefix="sv-", dir=parent)
        if not os.path.exists(f"/sys/class/net/lab{bridge_number(directory)}"):
            return pathlib.Path(directory)
        os.rmdir(directory)


class Engine:
    """Between start() and close() it runs; stop() and start() in between keep its containers. `options` are dockerd's."""

    def __init__(self, suite="installed", parent=None, options=()):
        self.suite, self.options = suite, options
        self.directory = new_directory(parent)
        self.socket = str(self.directory / "docker.sock")
        self.url = f"unix://{self.socket}"
        self.api = EngineAPI(self.socket)
        self.events = None
        self.images = set()

    def start(self):
        done = self._lab("start", self.suite, self.directory, *self.options, timeout=300)
        if "iptables failed" in done.stderr:  # somebody else's engine started in the same moment
            done = self._lab("start", self.suite, self.directory, *self.options, timeout=300)
        assert done.returncode == 0, f"engine of {self.suite} did not start: {done.stderr}{self.log_tail()}"
        self.events = Events(self.socket)
        return self

    def stop(self):
        if self.events:
            self.events.close()
        done = self._lab("stop", self.directory)
        assert done.returncode == 0, f"engine of {self.suite} did not stop: {done.stderr}{self.log_tail()}"

    def leave(self):
        """It ends alone, and with --live-restore its containers run on; start() takes them up again."""
        self.events.close()
        done = self._lab("leave", self.directory)
        assert done.returncode == 0, f"engine of {self.suite} did not end: {done.stderr}{self.log_tail()}"

    def kill(self):
        """As a power cut would; start() finds its containers, ended."""
        if self.events:
            self.events.close()
        done = self._lab("kill", self.directory)
        assert done.returncode == 0, f"engine of {self.suite} was not killed: {done.stderr}"

    @staticmethod
    def _lab(*arguments, timeout=60):
        """One at a time: engines that start or stop side by side trip over each other's firewall rules. `leave` has none."""
        with open("/tmp/supervisor-lab.lock", "w") as lock:
            if arguments[0] != "leave":
                fcntl.flock(lock, fcntl.LOCK_EX)
            return subprocess.run([LAB / "engine", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  env=os.environ | {"LAB_CACHE": CACHE}, timeout=timeout, check=False)

    def image(self, version="0.33"):
        """The stand-in as Ollama `version`, imported at the first call; gives its tag."""
        tag = IMAGES[version]
        if tag not in self.images:
            done = subprocess.run([ROOT / "tests/simollama/image", self.url, tag, f"{version}.0"], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=300, check=False)
            assert done.returncode == 0, f"the stand-in's image could not be made: {done.stdout}{done.stderr}"
            self.images.add(tag)
        return tag

    def tag(self, version, repository, tag):
        """Another name for the stand-in's image; gives it."""
        self.api.call("POST", f"/images/{self.image(version)}/tag", query={"repo": repository, "tag": tag})
        return f"{repository}:{tag}"

    def log_tail(self):
        try:
            return "".join((self.directory / "log").read_text().splitlines(True)[-5:])
        except OSError:
            return ""

    def close(self):
        """Containers, engine, bridge, rules, mounts, directory: all gone, whatever state it is in."""
        try:
            if self.api.ping():
                for container in self.api.containers():
                    self.api.remove(container["Id"])
            elif "--live-restore" in self.options:  # what it left runs
                self.kill()
                return
            self.stop()
        except (AssertionError, OSError, EngineError, subprocess.SubprocessError) as error:
            print(f"{self.url}: {error}; killing it")
            self._lab("kill", self.directory)
        finally:
            mounts = [line.split()[1] for line in open("/proc/mounts") if line.split()[1].startswith(f"{self.directory}/")]
            for mount in reversed(mounts):
                subprocess.run(["umount", "-l", mount], check=False)
            shutil.rmtree(self.directory, ignore_errors=True)


def wait_for_ping(engine, timeout=30):
    wait.until(engine.api.ping, timeout, f"{engine.url} answers", every=0.02)
