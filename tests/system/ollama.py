"""Containers with the stand-in for Ollama: made, asked, and made ill."""

import contextlib
import http.client
import json
import socket
import threading
import time

import memory
import wait
from sizes import KIB, MIB

PORT, CONTROL = 11434, 11435


class Ollama:
    """One container. `address` is reached over the engine's own bridge; nothing is published."""

    def __init__(self, engine, name, version="0.33", image=None, labels=None, env=None, memory_limit=None,
                 swap=0, models="tiny=16M", restart="no", tmpfs=None, binds=None, stop_timeout=5, healthcheck=None,
                 user=None, auto_remove=False, body=None, host=None, answers=True):
        """`body` and `host` are added to what is created and to its HostConfig; `answers`: it is waited for."""
        self.engine, self.name = engine, name
        host = {"RestartPolicy": {"Name": restart}, "Tmpfs": tmpfs or {}, "Binds": binds or [],
                "AutoRemove": auto_remove} | (host or {})
        if memory_limit:
            host |= {"Memory": memory_limit, "MemorySwap": memory_limit + swap}
        self.answers = answers
        request = {"Image": image or engine.image(version), "Labels": labels or {}, "StopTimeout": stop_timeout,
                   "Env": [f"SIMOLLAMA_MODELS={models}", *(f"{k}={v}" for k, v in (env or {}).items())],
                   "HostConfig": host} | (body or {})
        if user:
            request["User"] = user
        if healthcheck:
            request["Healthcheck"] = healthcheck
        self.id = engine.api.call("POST", "/containers/create", request, query={"name": name})["Id"]
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    @classmethod
    def found(cls, engine, name):
        """One that somebody else made."""
        one = cls.__new__(cls)
        one.answers = True
        one.engine, one.name, one.id = engine, name, engine.api.inspect(name)["Id"]
        one.wait_until_it_answers()
        return one

    def start(self):
        self.engine.api.call("POST", f"/containers/{self.id}/start")
        if self.answers:
            self.wait_until_it_answers()

    def wait_until_it_answers(self):
        def answers():
            try:
                networks = self.inspect()["NetworkSettings"]["Networks"]
                self.address = next(iter(networks.values()))["IPAddress"]
                return self.address and self.get("/api/version", timeout=2)
            except (OSError, http.client.HTTPException):
                return False
        wait.until(answers, 60, lambda: f"{self.name} answers; its log:\n{self.logs()}")

    def remove(self):
        self.engine.api.remove(self.id)

    # ---- what the engine says

    def inspect(self):
        return self.engine.api.inspect(self.id)

    def started_at(self):
        return self.inspect()["State"]["StartedAt"]

    def pid(self):
        return self.inspect()["State"]["Pid"]

    def running(self):
        return self.inspect()["State"]["Running"]

    def logs(self):
        return self.engine.api.logs(self.id)

    def stop_signals(self):
        """How often it was told to stop, over all its lives."""
        return self.logs().splitlines().count("signal 15")

    def starts(self):
        """How often it started, by the engine's events."""
        return len(self.engine.events.of(self.id, "start"))

    def held(self):
        return memory.held(self.id)

    def page_cache(self):
        return memory.page_cache(self.id)

    # ---- Ollama's API

    def request(self, method, path, body=None, port=PORT, timeout=60):
        connection = http.client.HTTPConnection(self.address, port, timeout=timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None,
                               {"Content-Type": "application/json"} if body is not None else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path, port=PORT, timeout=60):
        status, data = self.request("GET", path, port=port, timeout=timeout)
        assert status == 200, f"{self.name}{path}: {status} {data[:200]}"
        return json.loads(data)

    def post(self, path, body, port=PORT, timeout=60):
        status, data = self.request("POST", path, body, port, timeout)
        assert status in (200, 204), f"{self.name}{path}: {status} {data[:200]}"
        return data

    def load(self, model):
        self.post("/api/generate", {"model": model})

    def unload(self, model):
        self.post("/api/generate", {"model": model, "keep_alive": 0})
        wait.until(lambda: model not in self.loaded(), 10, f"{model} unloaded from {self.name}")

    def generate(self, model, tokens=1):
        self.post("/api/generate", {"model": model, "prompt": "x", "stream": False, "options": {"num_predict": tokens}})

    def loaded(self):
        """The models of /api/ps, without their `:latest`."""
        return [m["name"].removesuffix(":latest") for m in self.get("/api/ps")["models"]]

    @contextlib.contextmanager
    def streaming(self, model, tokens=100_000):
        """A client that reads one long answer as long as the context lasts; gives the list of its lines."""
        connection = http.client.HTTPConnection(self.address, PORT, timeout=120)
        connection.request("POST", "/api/generate", json.dumps(
            {"model": model, "prompt": "x", "options": {"num_predict": tokens}}))
        lines, leaving = [], threading.Event()

        def read():
            try:
                answer = connection.getresponse()
                while not leaving.is_set() and (line := answer.readline()):
                    lines.append(line)
            except (OSError, ValueError, AttributeError, http.client.HTTPException):
                pass  # the connection was closed under it
        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        try:
            yield lines
        finally:
            leaving.set()
            with contextlib.suppress(OSError, AttributeError):
                connection.sock.shutdown(2)
            connection.close()
            thread.join(5)

    @contextlib.contextmanager
    def stopped_meanwhile(self):
        """A person's `docker stop`, which takes its time."""
        thread = threading.Thread(target=self.engine.api.call, args=("POST", f"/containers/{self.id}/stop"), daemon=True)
        thread.start()
        try:
            yield
        finally:
            thread.join(30)

    @contextlib.contextmanager
    def inbound(self, per_second=512 * KIB):
        """A pull, as the container's network sees one: bytes that come in all the time. Gives [bytes sent]."""
        connection = socket.create_connection((self.address, CONTROL), 10)
        connection.sendall(b"POST /sim/sink HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n")
        piece, ended, sent = bytes(per_second // 10), threading.Event(), [0]

        def send():
            with contextlib.suppress(OSError):
                while not ended.wait(0.1):
                    connection.sendall(piece)
                    sent[0] += len(piece)
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        try:
            yield sent
        finally:
            ended.set()
            thread.join(5)
            connection.close()

    # ---- the stand-in's levers

    def sim(self, lever, body=None, timeout=60):
        return self.post(f"/sim/{lever}", body or {}, port=CONTROL, timeout=timeout)

    def set(self, **levers):
        self.sim("set", levers)

    def state(self):
        return self.get("/sim/state", port=CONTROL)

    def occupied(self):
        """As held, also while pages are on their way to the swap."""
        return max(self.held(), memory.of_processes(self.id))

    def leak(self, size):
        """Leaks and gives the moment (monotonic) at which all of it was there."""
        before, self.leaking_since = self.held(), time.monotonic()
        self.sim("leak", {"bytes": size})
        return self._holds(before + size)

    def unleak(self):
        """Gives back all that was leaked, as if it had been no leak."""
        self.sim("unleak")
        wait.until(lambda: self.state()["leaked"] == 0, 10, "it is given back")

    def orphan(self, size):
        """Leaves a runner of `size` bytes that Ollama has forgotten; the moment at which all of it was there."""
        before, self.leaking_since = self.held(), time.monotonic()
        self.sim("orphan", {"bytes": size})
        return self._holds(before + size)

    def alone(self):
        """From now on it listens on one port alone, as a real server; the levers are gone."""
        self.sim("alone")

    def _holds(self, size):
        wait.until(lambda: self.occupied() >= size - MIB, 60, lambda: f"{self.name} holds {size}; it holds {self.occupied()}")
        return time.monotonic()

    def ghost(self, model):
        """Kills the model's runner behind Ollama's back: it stays listed."""
        self.sim("ghost", {"model": model})

    def exec(self, *argv):
        """Starts argv in the container; gives the id of the exec."""
        return self.engine.api.exec_start(self.id, list(argv))

    def fill(self, path, size):
        """Writes a file of `size` bytes in the container."""
        job = self.exec("/bin/ollama", "sim", "fill", path, str(size))
        state = wait.until(lambda: (s := self.engine.api.exec_state(job))["Running"] is False and s, 120, f"{path} filled")
        assert state["ExitCode"] == 0, f"sim fill {path} {size}: exit {state['ExitCode']}"

    def foreign(self, size, seconds):
        """A process that is not Ollama's holds `size` bytes for `seconds`."""
        before = self.held()
        self.exec("/bin/ollama", "sim", "hold", str(size), str(seconds))
        self._holds(before + size)

    def pinned_weights(self):
        """A context that keeps the page cache of the loaded model's weights, also after its unload."""
        pid, argv = next((pid, argv) for pid, argv in self.processes().items() if "--model" in argv)
        return memory.pinned(f"/proc/{pid}/root{argv[argv.index('--model') + 1]}")

    def processes(self):
        """{pid: argv} of its processes, as the host sees them."""
        found = {}
        for pid in (memory.directory(self.id) / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                argv = open(f"/proc/{pid}/cmdline", "rb").read().decode(errors="replace").split("\0")
                found[int(pid)] = argv[:-1]
        return found

    def life(self):
        """(StartedAt, its server, its runners): the same as long as nobody touches it."""
        return self.started_at(), memory.born(self.pid()), sorted(memory.born(pid) for pid in self.runners())

    def runners(self):
        return [pid for pid, argv in self.processes().items() if "--model" in argv]
