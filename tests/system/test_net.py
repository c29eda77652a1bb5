"""The HTTP server of the room net/, by real sockets: what is read as a request, and what is answered."""

import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import wait
from http_payloads import ACCEPTED, HOST, REFUSED, SMUGGLED, chunked, get, post
from netserver import Client, Server, echoes_without_keeping, waits_for_its_reader


@pytest.fixture(scope="module")
def server():
    with Server() as one:
        yield one
        assert one.process.poll() is None, "it died"


def curl(*arguments, timeout=30):
    done = subprocess.run(["curl", "-sS", "-m", "20", *arguments], capture_output=True, timeout=timeout, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("payload", [pytest.param(payload, id=name) for name, payload in REFUSED])
@pytest.mark.parametrize("way", ["whole", "byte by byte"])
def test_refused_and_nothing_behind_it_is_read(server, payload, way):
    before = len(server.said("request GET /smuggled"))
    with Client(server) as client:
        data = payload + SMUGGLED * 2
        for piece in [data] if way == "whole" else [bytes([one]) for one in payload] + [SMUGGLED]:
            try:
                client.send(piece)
            except (BrokenPipeError, ConnectionResetError):
                break  # it has seen enough
        raw, _ = client.rest()
    assert raw.startswith(b"HTTP/1.1 4") and len(re.findall(rb"HTTP/1\.1 \d", raw)) == 1, raw
    assert b"\r\nConnection: close\r\n" in raw
    assert len(server.said("request GET /smuggled")) == before


@pytest.mark.parametrize("payload, n", [pytest.param(payload, n, id=name) for name, payload, n in ACCEPTED])
@pytest.mark.parametrize("way", ["whole", "byte by byte"])
def test_odd_but_good(server, payload, n, way):
    with Client(server) as client:
        for piece in [payload] if way == "whole" else [bytes([one]) for one in payload]:
            client.send(piece)
        for _ in range(n):
            assert client.answer().status == 200


def test_body_arrives_as_it_was(server):
    with Client(server) as client:
        client.send(chunked(b"5;a=b\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX: y\r\n\r\n").replace(b"/count", b"/echo"))
        answer = client.answer()
        assert answer.body == b"hello world" and answer.fields["transfer-encoding"] == "chunked"
        client.send(post(b"Content-Length: 5", body=b"hello").replace(b"/count", b"/echo"))
        answer = client.answer()
        assert answer.body == b"hello" and answer.fields["content-length"] == "5"


def test_pipelined_requests_are_answered_in_order(server):
    with Client(server) as client:
        client.send(b"".join(get(HOST, line=b"GET /size/%d HTTP/1.1" % n) for n in range(50)))
        assert [len(client.answer().body) for _ in range(50)] == list(range(50))
        # The first one takes its time, the third one has a body, the last one ends it.
        client.send(get(HOST, line=b"GET /later/300 HTTP/1.1") + get(HOST) + post(b"Content-Length: 3", body=b"abc") +
                    get(HOST, b"Connection: close", line=b"GET /size/7 HTTP/1.1") + SMUGGLED)
        assert [client.answer().body for _ in range(4)] == [b"later\n", b"hello\n", b"3\n", b"x" * 7]
        assert client.is_closed()
    assert not server.said("request GET /smuggled")


def test_more_is_pipelined_than_is_kept(server):
    with Client(server) as client:
        n = 2000
        sent = threading.Thread(target=client.send, args=(get(HOST, line=b"GET /later/50 HTTP/1.1") + get(HOST, b"X: " + b"y" * 90) * n,))
        sent.start()
        assert client.answer().body == b"later\n"
        assert all(client.answer().body == b"hello\n" for _ in range(n))
        sent.join()


def test_keep_alive_and_its_end(server):
    with Client(server) as client:
        for _ in range(3):
            assert "connection" not in client.get("/hello").fields
        assert client.get("/hello", "Connection: close").fields["connection"] == "close"
        assert client.is_closed()
    with Client(server) as client:
        client.send("GET /hello HTTP/1.0\r\n\r\n")
        assert client.answer().fields["connection"] == "close"
        assert client.is_closed()
    with Client(server) as client:
        for _ in range(2):
            client.send("GET /hello HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            assert client.answer().fields["connection"] == "keep-alive"


def test_stream_for_http_1_0_ends_with_the_connection(server):
    with Client(server) as client:
        client.send("GET /stream/100/1000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = client.answer()
        assert len(answer.body) == 100_000 and answer.whole
        assert "transfer-encoding" not in answer.fields and answer.fields["connection"] == "close"
    assert len(curl("--http1.0", server.url("/stream/100/1000"))) == 100_000


def test_head_has_no_body(server):
    with Client(server) as client:
        for path, field in (("/size/1000", ("content-length", "1000")), ("/stream/3/10", ("transfer-encoding", "chunked"))):
            client.send(f"HEAD {path} HTTP/1.1\r\nHost: h\r\n\r\n")
            name, value = field
            assert client.answer(bodyless=True).fields[name] == value
        assert client.get("/hello").body == b"hello\n"


def test_refusal_behind_head_has_its_body(server):
    with Client(server) as client:
        client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.answer(bodyless=True).status == 200
        client.send("GET /hello HTTP/1.1\r\nHost: h\r\n no fold\r\n\r\n")
        answer = client.answer()
        assert answer.status == 400 and answer.body.startswith(b'{"title":')


def test_head_of_a_stream_of_events_ends(server):
    with Client(server) as client:
        client.send("HEAD /events/100000/10 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.answer(bodyless=True).fields["content-type"] == "text/event-stream"
        client.socket.settimeout(5)
        assert client.get("/hello").body == b"hello\n"


def test_continue_is_said_when_the_body_is_wanted(server):
    with Client(server) as client:
        start = time.monotonic()
        client.send(b"POST /admit/400 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.answer().status == 100
        assert time.monotonic() - start >= 0.35
        client.send(b"hello")
        assert client.answer().body == b"5\n"
        # Who does not wait for the word does not get it.
        client.send(b"POST /admit/100 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
        assert client.answer().body == b"5\n"


def test_refused_upload_is_not_sent(server):
    with Client(server) as client:
        client.send(b"POST /deny HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        answer = client.answer()
        assert answer.status == 403 and answer.fields["connection"] == "close"
        assert client.is_closed()
    with Client(server) as client:  # one that sends at once, 40 GB to come: answered, then closed
        client.send(b"POST /deny HTTP/1.1\r\nHost: h\r\nContent-Length: 40000000000\r\n\r\n" + b"x" * 100_000)
        assert client.answer().status == 403
        assert client.is_closed()


def test_short_body_that_nobody_wants_is_read_away(server):
    with Client(server) as client:
        for body in (b"x" * 10, b"x" * 60_000):
            client.send(post(b"Content-Length: %d" % len(body), body=body).replace(b"/count", b"/nope"))
            assert client.answer().status == 404
        client.send(chunked(b"5\r\nhello\r\n0\r\n\r\n").replace(b"/count", b"/nope"))
        assert client.answer().status == 404
        assert client.get("/hello").status == 200
        # Chunked without an end: it is not read for ever.
        client.send(chunked(b"").replace(b"/count", b"/nope"))
        assert client.answer().status == 404
        end = time.monotonic() + 10
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            while time.monotonic() < end:
                client.send(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
                time.sleep(0.01)


def test_upload_of_any_size_at_flat_memory(server, tmp_path):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(100 << 20)
    curl("-T", str(tmp_path / "large"), server.url("/large"))
    before = server.rss_kib()
    assert curl("-T", str(tmp_path / "large"), server.url("/large")) == b"%d\n" % (100 << 20)
    assert curl("-H", "Transfer-Encoding: chunked", "-T", str(tmp_path / "large"), server.url("/large")) == b"%d\n" % (100 << 20)
    assert server.rss_kib() < before + 1024


def test_back_pressure_both_ways(server):
    echoes_without_keeping(server)


def test_large_answer_waits_for_its_reader(server):
    waits_for_its_reader(server)


def test_client_that_leaves_is_seen(server):
    for method, path in (("GET", "/later/60001"), ("GET", "/drip/100/50001"), ("POST", "/large"), ("POST", "/admit/60001")):
        with Client(server) as client:
            client.send(f"{method} {path} HTTP/1.1\r\nHost: h\r\n" + ("Content-Length: 99\r\n\r\nx" if method == "POST" else "\r\n"))
            server.says(f"request {method} {path}")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        server.says(f"done {method} {path} -104", timeout=3)


def test_client_that_leaves_while_its_body_is_held_is_seen(server):
    with Client(server) as client:
        client.send(b"POST /admit/60002 HTTP/1.1\r\nHost: h\r\nContent-Length: 10000000\r\n\r\n" + b"x" * 50_000)
        server.says("request POST /admit/60002")
    server.says("done POST /admit/60002 -104", timeout=3)
    with Client(server) as client:  # all of it was sent
        client.send(b"POST /admit/1500 HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000)
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer().body == b"50000\n"


def test_half_closed_client_is_answered(server):
    with Client(server) as client:
        client.send(get(HOST, line=b"GET /later/300 HTTP/1.1") + get(HOST))
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer().body == b"later\n"
        assert client.answer().body == b"hello\n"
        assert client.is_closed()
    with Client(server) as client:  # its maker takes it to be gone
        client.send(get(HOST, line=b"GET /leaving HTTP/1.1"))
        server.says("request GET /leaving")
        client.socket.shutdown(socket.SHUT_WR)
        server.says("done GET /leaving -125", timeout=3)
        assert client.is_closed()


@pytest.mark.parametrize("behind", [b"\r\n", get(HOST), get(HOST, b"X: " + b"y" * 30_000) * 3], ids=("a line", "a request", "more than is kept"))
def test_half_closed_client_is_told_whatever_came_behind(server, behind):
    known = len(server.said("done GET /leaving -125"))
    with Client(server) as client:
        client.send(get(HOST, line=b"GET /leaving HTTP/1.1") + behind)
        client.socket.shutdown(socket.SHUT_WR)
        wait.until(lambda: len(server.said("done GET /leaving -125")) > known, 3, "it is told")


def test_client_that_leaves_is_seen_behind_more_than_is_kept(server):
    with Client(server) as client:
        client.send(get(HOST, line=b"GET /later/60004 HTTP/1.1") + get(HOST, b"X: " + b"y" * 30_000) * 3)
        server.says("request GET /later/60004")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    server.says("done GET /later/60004 -104", timeout=3)


def test_short_body_that_is_held_and_an_end(server):
    known = len(server.said("done POST /admit/60005/leaving -125"))
    with Client(server) as client:  # its maker takes it to be gone
        client.send(b"POST /admit/60005/leaving HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        client.socket.shutdown(socket.SHUT_WR)
        wait.until(lambda: len(server.said("done POST /admit/60005/leaving -125")) > known, 3, "it is told")
    with Client(server) as client:  # a body that never gets whole
        client.send(b"POST /admit/60006 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhell")
        client.socket.shutdown(socket.SHUT_WR)
        server.says("done POST /admit/60006 -104", timeout=3)
    with Client(server) as client:  # one that reads
        client.send(b"POST /admit/500 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.answer().body == b"5\n"


def test_broken_answer_looks_broken(server):
    with Client(server) as client:
        client.send(get(HOST, line=b"GET /broken HTTP/1.1"))
        assert client.until(b"4\r\nhalf\r\n") and client.is_closed()
    with Client(server) as client:
        client.send("GET /broken HTTP/1.0\r\n\r\n")
        raw, clean = client.rest()
        assert not clean, raw


def test_drained(tmp_path):
    with Server(f"unix:{tmp_path}/s") as server, Client(server) as idle, Client(server) as busy, Client(server) as hung, \
            Client(server) as events:
        assert idle.get("/hello").status == 200
        busy.send("GET /later/1000 HTTP/1.1\r\nHost: h\r\n\r\n")
        hung.send("GET /later/60000 HTTP/1.1\r\nHost: h\r\n\r\n")
        events.send("GET /events/100000/10 HTTP/1.1\r\nHost: h\r\n\r\n")
        wait.until(lambda: len(server.said("request")) == 4, 10, "the requests")
        while b"piece" not in events.got:
            assert events.more()
        server.signal(signal.SIGTERM)
        assert idle.is_closed(1)
        with pytest.raises(ConnectionRefusedError):
            Client(server)
        assert b"piece" in events.answer().body and events.is_closed()
        answer = busy.answer()
        assert answer.body == b"later\n" and answer.fields["connection"] == "close" and busy.is_closed()
        assert hung.is_closed(6)
        server.says("drained")
        assert server.said("done GET /later/60000") == ["done GET /later/60000 -125"]
        assert server.process.wait(5) == 0
        assert not (tmp_path / "s").exists()


def test_unix_socket(tmp_path):
    path = tmp_path / "s"
    with Server(f"unix:{path}") as server:
        assert path.stat().st_mode & 0o777 == 0o600
        with Client(server, path=str(path)) as client:
            assert client.get("/peer").body == b"unix loopback 0 local 1 uid 0\n"
        assert curl("--unix-socket", str(path), "http://any/hello") == b"hello\n"
        second = subprocess.run([server.process.args[0], f"unix:{path}"], capture_output=True, text=True, timeout=10, check=False)
        assert second.returncode == 3 and "Address already in use" in second.stderr
    assert path.exists(), "it was killed"
    with Server(f"unix:{path}") as server, Client(server, path=str(path)) as client:
        assert client.get("/hello").body == b"hello\n"
        path.unlink()
        path.write_text("somebody else's")
        server.signal(signal.SIGTERM)
        server.says("drained")
    assert path.read_text() == "somebody else's"


@pytest.mark.parametrize("address, why", [
    ("127.0.0.1", "ADDRESS:PORT"), ("127.0.0.1:99999", "ADDRESS:PORT"), ("name:80", "localhost or *"), ("unix:relative", "/path"),
    ("unix:/" + "x" * 110, "too long"), ("[::1:80", "[an IPv6 one]"), ("192.0.2.1:18999", "assign requested address")])
def test_address_that_is_none(address, why):
    done = subprocess.run([Server.__init__.__globals__["PROGRAM"], address], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode in (2, 3) and why in done.stderr, done


def test_every_address_of_a_list():
    with Server("[::1]:0,*:0") as server:
        ports = [int(line.split()[1]) for line in server.said("listening")]
        assert ports[0] > 0
        text = pathlib.Path(f"/proc/{server.process.pid}/net/tcp6").read_text(encoding="ascii")
        assert text.count(" 0A ") >= 2
