"""An engine that does what a script says, with containers that are no less real than an engine's: a cgroup each (version 1),
the stand-in for Ollama in it as a real process, real memory. Images, networks of their own and the like it has not."""

import ctypes
import http.client
import json
import os
import pathlib
import selectors
import shutil
import signal
import socket
import struct
import time
import urllib.parse

HIERARCHIES = [pathlib.Path("/sys/fs/cgroup/memory/docker"), pathlib.Path("/sys/fs/cgroup/cpuacct/docker")]
PORT, CONTROL, RING = 11434, 11435, 256  # as the engine, it forgets older events
MIB = 1 << 20
PR_SET_CHILD_SUBREAPER, CLONE_NEWNS, CLONE_NEWNET, MS_BIND, MS_REC, MS_PRIVATE = 36, 0x20000, 0x40000000, 4096, 1 << 14, 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


def must(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def leave_the_host(root, simollama):
    """Mounts and network of its own, where each address of 10.77/16 is ours; makes the root of all containers. The network is
    the child of one that gives it a small table of connections and keeps few closed ones: to list the host's takes a millisecond."""
    for name, value in (("tcp_child_ehash_entries", 256), ("tcp_max_tw_buckets", 64)):
        must(libc.unshare(CLONE_NEWNS | CLONE_NEWNET))
        setting = pathlib.Path("/proc/sys/net/ipv4") / name
        if setting.exists():
            setting.write_text(str(value))
    must(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
    must(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
    os.system("ip link set lo up && ip address add 10.77.0.0/16 dev lo")
    pathlib.Path("/run/supervisor").mkdir(exist_ok=True)
    must(libc.mount(b"none", b"/run/supervisor", b"tmpfs", 0, None))
    for name in ("bin", "usr/lib/ollama", "proc", "dev", "tmp", "root/.ollama"):
        (root / name).mkdir(parents=True)
    for name in ("bin/ollama", "usr/lib/ollama/llama-server"):
        shutil.copy(simollama, root / name)
    for name in ("proc", "dev"):
        must(libc.mount(f"/{name}".encode(), str(root / name).encode(), None, MS_BIND | MS_REC, None))


class Warp:
    """The page of tests/shim/warp.c: the daemon's clocks, how far they may go, and how long it waits for an answer."""

    def __init__(self, path):
        import mmap
        self.path = path
        path.write_bytes(bytes(4096))
        self.memory = mmap.mmap(os.open(path, os.O_RDWR), 4096)
        self.patience(2.0)

    def _get(self, at):
        return struct.unpack_from("q", self.memory, 8 * at)[0]

    def _set(self, at, value):
        struct.pack_into("q", self.memory, 8 * at, value)

    def now(self):
        """Seconds that were jumped over."""
        return self._get(0) / 1e9

    def until(self, seconds):
        self._set(1, int(seconds * 1e9))

    def patience(self, seconds):
        self._set(2, int(seconds * 1e9))

    def jumps(self):
        return self._get(3), self._get(4)

    def heap(self):
        """Bytes that the daemon has allocated, as of its last wait; asks for the next count."""
        bytes_ = self._get(5)
        self._set(5, -1)
        return bytes_

    def wall(self):
        return time.time() + self.now()

    def environment(self, shim, follows=False):
        return {"LD_PRELOAD": str(shim), "WARP": str(self.path)} | ({"WARP_FOLLOWS": "1"} if follows else {})


def stamp(wall):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall)) + f".{int(wall % 1 * 1e9):09d}Z"


class Container:
    """From create to remove."""

    def __init__(self, engine, id, name, address, labels):
        self.engine, self.id, self.name, self.address, self.labels = engine, id, name, address, labels
        self.status, self.pid, self.exit_code, self.lives, self.memory = "created", 0, 0, 0, 256 * MIB
        self.started = self.finished = "0001-01-01T00:00:00Z"
        for directory in self.directories():
            directory.mkdir(parents=True, exist_ok=True)
        self.limit(self.memory)
        engine.containers[id] = self
        engine.tell(self, "create")

    def directories(self):
        return [hierarchy / self.id for hierarchy in HIERARCHIES]

    def limit(self, memory):
        self.memory = memory
        both = self.directories()[0] / "memory.memsw.limit_in_bytes"  # never below the memory's own
        if both.exists():
            both.write_text("-1")
        (self.directories()[0] / "memory.limit_in_bytes").write_text(str(memory))
        if both.exists():
            both.write_text(str(memory))

    def start(self):
        if self.status == "running":
            return
        environment = {"OLLAMA_HOST": f"{self.address}:{PORT}", "SIMOLLAMA_CONTROL": f"{self.address}:{CONTROL}",
                       "SIMOLLAMA_MODELS": "one=6M:64k,two=8M:64k", "SIMOLLAMA_LOAD_MS": "1", "OLLAMA_KEEP_ALIVE": "-1", "HOME": "/root"}
        pid = os.fork()
        if pid == 0:
            try:
                for directory in self.directories():
                    (directory / "cgroup.procs").write_text(str(os.getpid()))
                null = os.open("/dev/null", os.O_RDWR)
                for number in (0, 1, 2):
                    os.dup2(null, number)
                os.closerange(3, 256)
                os.chroot(self.engine.root)
                os.chdir("/")
                signal.pthread_sigmask(signal.SIG_SETMASK, ())
                os.execve("/bin/ollama", ["/bin/ollama", "serve"], environment)
            finally:
                os._exit(127)
        self.pid, self.status, self.lives = pid, "running", self.lives + 1
        self.started = stamp(self.engine.warp.wall())
        end = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < end and os.path.exists(f"/proc/{pid}"), f"{self.name} does not listen"
            time.sleep(0.001)
        self.engine.tell(self, "start")

    def _listens(self):
        with socket.socket() as one:
            return one.connect_ex((self.address, PORT)) == 0

    def _processes(self):
        return [int(pid) for pid in (self.directories()[0] / "cgroup.procs").read_text().split()]

    def end(self, exit_code=137):
        """It dies, with all its processes."""
        if self.status != "running":
            return
        end = time.monotonic() + 10
        while pids := self._processes():
            assert time.monotonic() < end, f"{self.name} does not die"
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.engine.reap()
            time.sleep(0.0005)
        self.engine.reap()
        self.status, self.pid, self.exit_code = "exited", 0, exit_code
        self.finished = stamp(self.engine.warp.wall())
        self.engine.tell(self, "die", exitCode=str(exit_code))

    def stop(self):
        if self.status == "running":
            self.engine.tell(self, "kill", signal="15")
            self.end(0)
            self.engine.tell(self, "stop")

    def restart(self):
        self.stop()
        self.start()
        self.engine.tell(self, "restart")

    def remove(self):
        self.end()
        for directory in self.directories():
            end = time.monotonic() + 10
            while True:
                try:
                    directory.rmdir()
                    break
                except OSError:
                    assert time.monotonic() < end, f"{directory} cannot be removed"
                    time.sleep(0.001)
        del self.engine.containers[self.id]
        self.engine.tell(self, "destroy")

    def ask(self, path, body, port=CONTROL):
        """The stand-in's levers, or Ollama's own API."""
        connection = http.client.HTTPConnection(self.address, port, timeout=3)
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
            return connection.getresponse().read()
        except (OSError, http.client.HTTPException):  # ill as it is: out of memory, hung, dying
            self.engine.asked["no answer of a container"] = self.engine.asked.get("no answer of a container", 0) + 1
        finally:
            connection.close()

    # ---- as the engine tells it

    def entry(self):
        return {"Id": self.id, "Names": [f"/{self.name}"], "Image": "ollama/ollama:0.33", "State": self.status,
                "Status": self.status, "Labels": self.labels}

    def inspect(self):
        return {"Id": self.id, "Name": f"/{self.name}", "RestartCount": 0,
                "State": {"Status": self.status, "Running": self.status == "running", "Pid": self.pid, "ExitCode": self.exit_code,
                          "OOMKilled": False, "Error": "", "StartedAt": self.started, "FinishedAt": self.finished},
                "Config": {"Image": "ollama/ollama:0.33", "Labels": self.labels, "Env": [f"OLLAMA_HOST=0.0.0.0:{PORT}"], "StopTimeout": 5},
                "HostConfig": {"Memory": self.memory, "MemorySwap": self.memory, "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
                               "NetworkMode": "bridge", "AutoRemove": False},
                "NetworkSettings": {"Networks": {"bridge": {"IPAddress": self.address if self.pid else ""}}}}


class Client:
    """One connection to the engine's socket."""

    def __init__(self, socket_):
        self.socket, self.waiting, self.follows = socket_, b"", False


class Engine:
    def __init__(self, directory, root, warp):
        self.path, self.root, self.warp = str(directory / "engine.sock"), root, warp
        self.containers, self.ring, self.clients, self.asked = {}, [], set(), {}
        self.selector, self.listener = selectors.DefaultSelector(), None
        self.back()

    def reap(self):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    # ---- its socket

    def back(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)

    def gone(self):
        self.selector.unregister(self.listener)
        self.listener.close()
        os.unlink(self.path)
        for client in list(self.clients):
            self._drop(client)

    def turn(self, timeout):
        for key, _ in self.selector.select(timeout):
            key.data(key.fileobj)

    def _accept(self, listener):
        try:
            one = Client(listener.accept()[0])
        except OSError:
            return
        self.clients.add(one)
        self.selector.register(one.socket, selectors.EVENT_READ, lambda _: self._read(one))

    def _drop(self, client):
        self.clients.discard(client)
        self.selector.unregister(client.socket)
        client.socket.close()

    def _read(self, client):
        try:
            data = client.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            self._drop(client)
            return
        client.waiting += data
        while b"\r\n\r\n" in client.waiting:
            head, rest = client.waiting.split(b"\r\n\r\n", 1)
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
            if len(rest) < length:
                return
            client.waiting = rest[length:]
            method, path = head.decode().split(" ", 2)[:2]
            try:
                self._answer(client, method, path, rest[:length])
            except BrokenPipeError:
                self._drop(client)
                return

    # ---- what it answers

    def _send(self, client, status, answer=None, head=False):
        body = b"OK" if answer == "OK" else b"" if answer is None else json.dumps(answer).encode()
        client.socket.sendall(b"HTTP/1.1 %d Told\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                              % (status, len(body), b"" if head else body))

    def _answer(self, client, method, path, body):
        url = urllib.parse.urlsplit(path)
        parts = [part for part in url.path.split("/") if part]
        if parts[0].startswith("v1."):
            parts = parts[1:]
        what = " ".join([method, parts[0], *parts[2:]])
        self.asked[what] = self.asked.get(what, 0) + 1
        if parts == ["_ping"]:
            self._send(client, 200, "OK", method == "HEAD")
        elif parts == ["containers", "json"]:
            self._send(client, 200, [one.entry() for one in self.containers.values()])
        elif parts == ["events"]:
            self._events(client, "since=" in url.query)
        elif parts == ["info"]:
            self._send(client, 200, {"ServerVersion": "20.10.24", "CgroupDriver": "cgroupfs", "CgroupVersion": "1", "MemoryLimit": True,
                                     "SwapLimit": True})
        elif parts[0] == "containers" and len(parts) == 3:
            self._container(client, method, parts[1], parts[2], body)
        else:
            self._send(client, 404, {"message": "page not found"})

    def _container(self, client, method, id, verb, body):
        one = self.containers.get(id) or next((c for c in self.containers.values() if c.name == id), None)
        if one is None:
            self._send(client, 404, {"message": f"No such container: {id}"})
        elif (method, verb) == ("GET", "json"):
            self._send(client, 200, one.inspect())
        elif method == "POST" and verb in ("start", "stop", "restart"):
            getattr(one, verb)()
            self._send(client, 204)
        elif (method, verb) == ("POST", "update"):
            one.limit(json.loads(body).get("Memory", one.memory))
            self.tell(one, "update")
            self._send(client, 200, {"Warnings": []})
        else:
            self._send(client, 404, {"message": "page not found"})

    # ---- events

    def tell(self, container, action, **attributes):
        now = self.warp.wall()
        event = {"status": action, "id": container.id, "from": "ollama/ollama:0.33", "Type": "container", "Action": action,
                 "Actor": {"ID": container.id, "Attributes": {"name": container.name} | attributes}, "scope": "local",
                 "time": int(now), "timeNano": int(now * 1e9)}
        line = json.dumps(event).encode() + b"\n"
        self.ring = [*self.ring[-RING + 1:], line]
        for client in [client for client in self.clients if client.follows]:
            try:
                client.socket.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            except OSError:
                self._drop(client)

    def _events(self, client, past):
        client.socket.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        if past:
            for line in self.ring:
                client.socket.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            client.socket.sendall(b"0\r\n\r\n")
        else:
            client.follows = True
