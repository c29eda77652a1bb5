"""What the HTTP server of the room net/ takes from its clients at most, and that others are served meanwhile."""

import shutil
import socket
import subprocess
import threading
import time

import pytest

import wait
from netserver import Client, Server

SHORT = {"head_ms": 1500, "body_ms": 1500, "write_ms": 1500, "idle_ms": 2500, "linger_ms": 500}


@pytest.fixture(scope="module")
def server():
    with Server(**SHORT) as one:
        yield one
        assert one.process.poll() is None, "it died"


@pytest.fixture
def others(server):
    """Somebody who is served all the while, each time within the given time."""
    slowest, stop = [0.0], threading.Event()

    def ask():
        with Client(server) as client:
            while not stop.is_set():
                start = time.monotonic()
                assert client.get("/hello").status == 200
                slowest[0] = max(slowest[0], time.monotonic() - start)
                time.sleep(0.01)
    thread = threading.Thread(target=ask)
    thread.start()
    yield
    stop.set()
    thread.join()
    assert 0 < slowest[0] < 1, slowest


def head_of(size):
    start = b"GET /hello HTTP/1.1\r\nHost: h\r\nX: "
    return start + b"x" * (size - len(start) - 4) + b"\r\n\r\n"


def test_size_of_the_head(server):
    with Client(server) as client:
        client.send(head_of(64 * 1024))
        assert client.answer().status == 200
        client.send(head_of(64 * 1024 + 1))
        answer = client.answer()
        assert answer.status == 431 and answer.fields["connection"] == "close" and client.is_closed()
    with Client(server) as client:
        client.send(b"GET /" + b"x" * 70_000)
        assert client.answer().status == 431
    with Client(server) as client:
        client.send(b"GET /hello HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 100 + b"\r\n")
        assert client.answer().status == 431 and client.is_closed()


def test_size_of_the_body(server):
    with Client(server) as client:
        for length in (0, 65536):
            client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % length + b"x" * length)
            assert client.answer().body == b"%d\n" % length
        assert client.get("/size/69").status == 200
        server.says("done GET /size/69")  # so all that was said before is read
        known = len(server.said("request"))
        client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\n\r\n")
        assert client.answer().status == 413 and client.is_closed()
    with Client(server) as client:
        assert client.get("/size/70").status == 200
    server.says("request GET /size/70")
    assert server.said("request")[known:] == ["request GET /size/70"]  # the service was not asked
    with Client(server) as client:
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2 + b"0\r\n\r\n")
        assert client.answer().body == b"65536\n"
        client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 2 + b"1\r\nx\r\n0\r\n\r\n")
        assert client.answer().status == 413 and client.is_closed()
        server.says("done POST /count -90")


def test_framing_without_an_end(server):
    for body in (b"1;" + b"x" * 70_000, b"0\r\n" + b"X: y\r\n" * 20_000):
        with Client(server) as client:
            client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                client.send(body)
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert client.answer().status in (400, 431)


def test_slow_head(server, others):
    """A byte now and then: the head as a whole has its time."""
    with Client(server) as client:
        start = time.monotonic()
        data = b"GET /hello HTTP/1.1\r\nHost: h\r\n" + b"X: y\r\n" * 100
        for i in range(100):
            try:
                client.send(data[i:i + 1])
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(0.1)
            if time.monotonic() - start > 5:
                pytest.fail("it is still read")
        raw, _ = client.rest()
        assert raw.startswith(b"HTTP/1.1 408 ")


def test_nothing_at_all(server, others):
    with Client(server) as client:
        start = time.monotonic()
        assert client.is_closed(10)
        assert 1.4 <= time.monotonic() - start < 4
        assert server.open_files() < 100


def test_idle_between_requests(server, others):
    with Client(server) as client:
        client.get("/hello")
        start = time.monotonic()
        assert client.is_closed(10)
        assert time.monotonic() - start >= 2.4


def test_slow_body(server, others):
    with Client(server) as client:
        client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n")
        start = time.monotonic()
        for _ in range(100):
            try:
                client.send(b"x" * 20)
            except (BrokenPipeError, ConnectionResetError):
                break
            time.sleep(0.1)
            assert time.monotonic() - start < 6, "it is still read"
        raw, _ = client.rest()
        assert raw.startswith(b"HTTP/1.1 408 ")
    server.says("done POST /count -110")
    with Client(server) as client:  # slow, but it comes
        client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n")
        for _ in range(25):
            client.send(b"x" * 400)
            time.sleep(0.15)
        assert client.answer().body == b"10000\n"


def test_body_that_is_held_is_in_no_hurry(server):
    with Client(server) as client:
        client.send(b"POST /admit/3000 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.answer().status == 100
        client.send(b"hello")
        assert client.answer().body == b"5\n"


def test_reader_that_does_not_read(server, others):
    with Client(server, small_buffer=True) as client:
        client.send("GET /stream/5000/65536 HTTP/1.1\r\nHost: h\r\n\r\n")
        server.says("done GET /stream/5000/65536 -110", timeout=10)
    with Client(server, small_buffer=True) as client:  # one that reads, though slowly
        client.send("GET /stream/100/65535 HTTP/1.1\r\nHost: h\r\n\r\n")
        for _ in range(40):
            client.got += client.socket.recv(2000)
            time.sleep(0.1)
        assert len(client.answer().body) == 100 * 65535


def test_events_and_their_reader(server, others):
    with Client(server) as client:
        client.send("GET /events/300/1000 HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = client.answer()
        assert answer.fields["content-type"] == "text/event-stream" and answer.fields["x-accel-buffering"] == "no"
        events = answer.body.decode().split("\n\n")
        assert events[0] == f"event: piece\nid: 1\ndata: {'x' * 1000}" and len(events) == 301


def test_event_of_any_size_reaches_who_reads(server, others):
    size = (8 << 20) - 1  # more than the kernels take
    with Client(server) as client:
        client.send(f"GET /events/1/{size} HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.answer().body.decode() == f"event: piece\nid: 1\ndata: {'x' * size}\n\n"


def test_reader_of_events_who_does_not_read_is_told(server, others):
    before = server.rss_kib()
    with Client(server, small_buffer=True) as client:
        client.send("GET /events/10000/10000 HTTP/1.1\r\nHost: h\r\n\r\n")
        # What its kernel and ours took, then 256 KiB; then it is over, though it may still read for write_ms.
        time.sleep(1.2)
        assert server.rss_kib() < before + 1024
        time.sleep(0.2)
        events = client.answer().body.decode().split("\n\n")
        assert events[-1] == "" and events[-2].startswith('event: dropped\ndata: {"behind_bytes":')
        assert [event.split("\n")[1] for event in events[:-2]] == [f"id: {i}" for i in range(1, len(events) - 1)]
        assert client.get("/hello").status == 200
    with Client(server, small_buffer=True) as client:  # never
        client.send("GET /events/10000/9999 HTTP/1.1\r\nHost: h\r\n\r\n")
        server.says("done GET /events/10000/9999 -110", timeout=15)


def test_truncated_answer_looks_truncated_to_http_1_0(server):
    """The stream was ended by its maker, and its last 256 KiB are never read."""
    with Client(server, small_buffer=True) as client:
        client.send("GET /events/10000/9998 HTTP/1.0\r\n\r\n")
        server.says("done GET /events/10000/9998 -110", timeout=15)
        raw, clean = client.rest()
        assert not clean and b"event: dropped" not in raw


def test_too_many_connections():
    with Server(connections=20) as server:
        clients = [Client(server) for _ in range(20)]
        try:
            for i, client in enumerate(clients):
                client.send(f"GET {'/leaving' if i < 18 else '/hello'} HTTP/1.1\r\nHost: h\r\n\r\n")
            assert [client.answer().status for client in clients[18:]] == [200, 200]
            # Two are idle: the one that is so for longer goes for the next one.
            time.sleep(0.1)
            assert clients[19].get("/hello").status == 200
            with Client(server) as further:
                assert further.get("/hello").status == 200
                assert clients[18].is_closed()
                further.send("GET /leaving HTTP/1.1\r\nHost: h\r\n\r\n")
                clients[19].send("GET /leaving HTTP/1.1\r\nHost: h\r\n\r\n")
                time.sleep(0.3)
                with Client(server) as refused:
                    answer = refused.answer()
                    assert answer.status == 503 and answer.fields["connection"] == "close" and refused.is_closed()
                many = [Client(server) for _ in range(200)]
                time.sleep(0.5)
                assert server.open_files() < 80  # those that are told why, and no more
                for client in many:
                    client.close()
        finally:
            for client in clients:
                client.close()
        time.sleep(0.5)
        with Client(server) as client:
            assert client.get("/hello").status == 200


def test_silent_connections_do_not_keep_others_out():
    with Server(connections=20) as server:
        silent = [Client(server) for _ in range(20)]
        time.sleep(1.5)
        busy = [Client(server) for _ in range(15)]
        assert all(client.get("/hello").status == 200 for client in busy)
        assert all(client.is_closed(1) for client in silent[:15])
        for client in silent + busy:
            client.close()


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return one.getsockname()[0]


def test_too_many_connections_of_one_address():
    address = own_address()
    with Server("*:0", per_address=5, connections=50) as server:
        port = int(server.said("listening")[1].split()[1])
        several = [socket.create_connection((address, port), timeout=5) for _ in range(5)]
        time.sleep(0.2)
        with socket.create_connection((address, port), timeout=5) as sixth:
            assert sixth.recv(100).startswith(b"HTTP/1.1 503 ")
        several.pop().close()
        with Client(server) as client:
            assert client.get("/peer").body.endswith(b"loopback 1 local 0 uid 0\n")
        loopback = [Client(server) for _ in range(20)]
        assert all(client.get("/hello").status == 200 for client in loopback)
        with socket.create_connection((address, port), timeout=5) as again:
            again.sendall(b"GET /peer HTTP/1.1\r\nHost: h\r\n\r\n")
            assert f"{address}:".encode() in again.recv(1000)
        for client in loopback + several:
            client.close()


def test_connections_that_were_answered_count_too():
    """Each is answered and stays: the cap is one of connections, not of requests."""
    address = own_address()
    with Server("*:0", per_address=5, connections=50, linger_ms=60000) as server:
        port = int(server.said("listening")[1].split()[1])
        several = []
        for _ in range(20):
            several.append(socket.create_connection((address, port), timeout=5))
            several[-1].sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            assert several[-1].recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.count("open") == 5 + 1
        for one in several:
            one.close()


def test_answers_that_wait_have_a_bound():
    """Readers who do not read: each waits for 64 KiB and what its maker had, all together for no more than the bound."""
    with Server(waiting_bytes=4 << 20) as server:
        before = server.rss_kib()
        clients = [Client(server, small_buffer=True) for _ in range(100)]
        for client in clients:
            client.send("GET /size/8000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        time.sleep(2)
        assert server.count("waiting") <= 4 << 20
        assert server.rss_kib() < before + (32 << 10)
        for client in clients:
            client.close()
        time.sleep(0.5)
        assert server.count("waiting") == 0 and server.count("open") == 1


def test_one_that_reads_does_not_pay_for_those_that_do_not():
    with Server(waiting_bytes=1 << 20) as server:
        stuck = [Client(server, small_buffer=True) for _ in range(20)]
        for client in stuck:
            client.send("GET /stream/5000/65536 HTTP/1.1\r\nHost: h\r\n\r\n")
        wait.until(lambda: server.said("done GET /stream/5000/65536 -1"), 10, "one gives way")
        with Client(server, small_buffer=True) as client:
            client.send("GET /stream/8000/1000 HTTP/1.1\r\nHost: h\r\n\r\n")
            for _ in range(20):
                client.got += client.socket.recv(2000)
                time.sleep(0.05)
            assert server.count("waiting") <= 1 << 20
            assert client.answer().body == b"x" * 8_000_000
        assert server.said("done GET /stream/5000/65536 -105")
        for client in stuck:
            client.close()
        wait.until(lambda: server.count("waiting") == 0, 5, "nothing waits")


def test_nothing_is_left_behind():
    with Server() as server:
        def round_():
            for i in range(300):
                with Client(server) as client:
                    client.send(b"GET /hello HTTP/1.1\r\nHost: h\r\nX: " + b"y" * (i * 40) + b"\r\n\r\n" * (i % 2))
                    if i % 2:
                        client.answer()
            time.sleep(0.3)
            return server.rss_kib(), server.open_files()
        round_()
        rss, files = round_()
        for _ in range(3):
            last = round_()
        assert last[0] <= rss + 128 and last[1] == files


@pytest.mark.parametrize("way", [("-H",), ("-B", "-s", "100000"), ("-X", "-k", "3", "-w", "10", "-y", "20", "-n", "1", "-z", "5")])
def test_slowhttptest(server, others, way):
    if not shutil.which("slowhttptest"):
        pytest.skip("this machine lacks slowhttptest")
    done = subprocess.run(["slowhttptest", *way, "-c", "150", "-r", "100", "-i", "1", "-l", "5", "-u", server.url("/size/50000"), "-p", "1"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_ab_speaks_http_1_0(server):
    if not shutil.which("ab"):
        pytest.skip("this machine lacks ab (apache2-utils)")
    for options in ((), ("-k",)):
        done = subprocess.run(["ab", "-q", "-n", "500", "-c", "16", *options, server.url("/size/3000")], capture_output=True, text=True,
                              timeout=60, check=False)
        assert "Failed requests:        0" in done.stdout and "Complete requests:      500" in done.stdout, done.stdout + done.stderr
