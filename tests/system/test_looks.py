"""How often a container is sampled: once an interval, whatever a verdict wants to know, of itself or of another one."""

import contextlib
import ctypes
import http.client
import os
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import memory
from bench import CALM, Bench, outlive_grace
from ollama import PORT
from sizes import MIB

IN_ACCESS, IN_NONBLOCK = 1, os.O_NONBLOCK
INTERVAL, FOR = 1.0, 8.0
COUNT, LEAKING = 20, 5
SETTINGS = CALM | {"supervisor.interval": f"{INTERVAL:g}s", "supervisor.poll": "2s", "leak.hold": "4s",
                   "leak.connected_hold": "10m", "leak.grace": "1s", "leak.threshold": "64M",
                   "leak.threshold_percent": "0", "leak.baseline": "32M"}


class Reads(threading.Thread):
    """Counts how often each file is read, by whomever."""

    def __init__(self, files):
        super().__init__(daemon=True)
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.fd = self.libc.inotify_init1(IN_NONBLOCK)
        assert self.fd >= 0, os.strerror(ctypes.get_errno())
        self.of = {self.libc.inotify_add_watch(self.fd, str(file).encode(), IN_ACCESS): name for name, file in files.items()}
        assert min(self.of) > 0 and len(self.of) == len(files)
        self.moments = {name: [] for name in files}
        self.ending = threading.Event()

    def run(self):
        while not self.ending.wait(0.001):
            with contextlib.suppress(BlockingIOError):
                data, at, now = os.read(self.fd, 65536), 0, time.monotonic()
                while at < len(data):
                    watch, _, _, length = struct.unpack_from("iIII", data, at)
                    at += 16 + length
                    if watch in self.of:
                        self.moments[self.of[watch]].append(now)

    def end(self):
        self.ending.set()
        self.join()
        os.close(self.fd)


@contextlib.contextmanager
def connected(one):
    """A client that keeps a connection, so that the leak's hold is longer and its connections are read all the while."""
    connection = http.client.HTTPConnection(one.address, PORT, timeout=30)
    connection.request("GET", "/api/version")
    connection.getresponse().read()
    with contextlib.closing(connection):
        yield


def test_one_sample_an_interval_whatever_a_verdict_wants(engine, built):
    bench = Bench(engine, SETTINGS)
    with contextlib.ExitStack() as ends:
        ends.callback(bench.close)
        engine.image()
        with ThreadPoolExecutor(5) as pool:
            ones = list(pool.map(lambda i: bench.ollama(f"sampled-{i}", mode="observe"), range(COUNT)))
        for one in ones[:LEAKING]:
            ends.enter_context(connected(one))
            one.leak(100 * MIB)
        bench.daemon(*ones)
        outlive_grace(float(SETTINGS["leak.hold"][0]) + 5 + 2)  # the connections are wanted from here on
        reads = Reads({one.name: memory.directory(one.id) / "memory.stat" for one in ones})
        reads.start()
        began = time.monotonic()
        for _ in range(20):  # `status` samples nobody either
            assert bench.supervisor("status", "--json").code == 0
            time.sleep(0.2)
        time.sleep(max(0.0, FOR - (time.monotonic() - began)))
        took = time.monotonic() - began
        reads.end()
    counts = {name: len(moments) for name, moments in reads.moments.items()}
    print(f"{took:.1f} s: {counts}")
    for name, n in counts.items():
        assert 0.5 * took / INTERVAL <= n <= 1.3 * took / INTERVAL + 1, f"{name} was sampled {n} times in {took:.1f} s: {counts}"
