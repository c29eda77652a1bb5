"""A real registry (Debian's docker-registry) on 127.0.0.1, from which engines pull: they take any address in 127.0.0.0/8
without TLS."""

import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

import wait
from engine import ROOT

CONFIGURATION = """version: 0.1
log:
  level: warn
storage:
  filesystem:
    rootdirectory: {directory}/storage
  delete:
    enabled: true
http:
  addr: 127.0.0.1:{port}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Registry:
    """Between start() and close() it runs; stop() in between makes it a registry that is away."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sv-registry-"))
        self.port = free_port()
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        path = self.directory / "config.yml"
        path.write_text(CONFIGURATION.format(directory=self.directory, port=self.port))
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(["docker-registry", "serve", path], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait.until(self.answers, 30, lambda: f"the registry at {self.address} answers\n{(self.directory / 'log').read_text()}")
        return self

    def answers(self):
        assert self.process.poll() is None, (self.directory / "log").read_text()
        try:
            with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=2) as answer:
                return answer.status == 200
        except (OSError, urllib.error.URLError):
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def publish(self, engine, repository, tag="latest", extra_bytes=0, version="0.33.0"):
        """Pushes the stand-in as repository:tag by this engine and takes it out of the engine again; gives the name to
        pull. extra_bytes: random ones, so that the layer is new to every engine and as large as wanted."""
        name = f"{self.address}/{repository}:{tag}"
        binary = self.directory / "binary"
        shutil.copy(ROOT / "build/simollama", binary)
        with open(binary, "ab") as file:  # behind what the loader reads
            file.write(os.urandom(max(extra_bytes, 16)))
        done = subprocess.run([ROOT / "tests/simollama/image", engine.url, name, version], env=os.environ | {"SIMOLLAMA": str(binary)},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{name} could not be made: {done.stdout}{done.stderr}"
        done = subprocess.run(["docker", "push", "-q", name], env=os.environ | {"DOCKER_HOST": engine.url}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{name} could not be pushed: {done.stdout}{done.stderr}\n{(self.directory / 'log').read_text()[-2000:]}"
        engine.api.call("DELETE", f"/images/{name}")
        binary.unlink()
        return name

    def close(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


class Slow:
    """The same registry at another address, at so many bytes a second: `with Slow(registry, rate) as slow`, then
    slow.name(NAME) is what to pull."""

    def __init__(self, registry, bytes_per_s):
        self.registry, self.rate = registry, bytes_per_s
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.ended = threading.Event()
        self.sockets = []

    def name(self, published):
        return published.replace(self.registry.address, self.address, 1)

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for one in [self.listener, *self.sockets]:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _accept(self):
        while not self.ended.is_set():
            try:
                client = self.listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.registry.port))
            except OSError:
                return
            self.sockets += [client, server]
            threading.Thread(target=self._carry, args=(client, server, None), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, self.rate), daemon=True).start()

    def _carry(self, source, target, rate):
        """In pieces of a twentieth of a second."""
        size = max(1024, rate // 20) if rate else 65536
        try:
            while piece := source.recv(size):
                target.sendall(piece)
                if rate:
                    time.sleep(len(piece) / rate)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass
