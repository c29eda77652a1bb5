"""The client of the room net/, as a proxy in front of its server: what came goes on, both ways, and no end is lost."""

import signal
import socket
import subprocess
import time

import pytest

import wait
from http_payloads import ACCEPTED, HOST, REFUSED, SMUGGLED, chunked, get, post
from netserver import Client, Server, echoes_without_keeping, waits_for_its_reader


@pytest.fixture(scope="module")
def upstream():
    with Server() as one:
        yield one
        assert one.process.poll() is None, "it died"


@pytest.fixture(scope="module")
def server(upstream):
    with Server(options=["--proxy", f"127.0.0.1:{upstream.port}"]) as one:
        yield one
        assert one.process.poll() is None, "it died"


def test_answers_of_every_kind(server):
    with Client(server) as client:
        assert client.get("/hello").body == b"hello\n"
        assert client.get("/nope").status == 404
        assert len(client.get("/size/1000000").body) == 1_000_000
        assert len(client.get("/stream/100/10000").body) == 1_000_000
        assert client.get("/drip/3/100").body == b"line 1\nline 2\nline 3\n"
        client.send("HEAD /size/1000 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert client.answer(bodyless=True).fields["content-length"] == "1000"
        assert client.get("/hello").body == b"hello\n"
    with Client(server) as client:
        client.send("GET /stream/100/1000 HTTP/1.0\r\n\r\n")
        answer = client.answer()
        assert len(answer.body) == 100_000 and answer.whole


def test_bodies_of_every_kind(server):
    with Client(server) as client:
        client.send(post(b"Content-Length: 5", body=b"hello"))
        assert client.answer().body == b"5\n"
        client.send(chunked(b"5;x\r\nhello\r\n6\r\n world\r\n0\r\nT: t\r\n\r\n").replace(b"/count", b"/echo"))
        assert client.answer().body == b"hello world"
        client.send(b"POST /admit/100 HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert client.answer().status == 100
        client.send(b"hello")
        assert client.answer().body == b"5\n"
        client.send(post(b"Content-Length: 0"))
        assert client.answer().body == b"0\n"


@pytest.mark.parametrize("payload", [pytest.param(payload, id=name) for name, payload in REFUSED])
def test_nothing_that_is_none_goes_on(server, upstream, payload):
    with Client(server) as client:
        try:
            client.send(payload + SMUGGLED)
        except (BrokenPipeError, ConnectionResetError):
            pass
        raw, _ = client.rest()
    assert raw.startswith(b"HTTP/1.1 4")
    known = len(upstream.said("request GET /size/70"))
    with Client(server) as client:  # what went on before this is known when this is
        assert client.get("/size/70").status == 200
    wait.until(lambda: len(upstream.said("request GET /size/70")) > known, 5, "the next request")
    assert not upstream.said("request GET /smuggled")


@pytest.mark.parametrize("payload, n", [pytest.param(payload, n, id=name) for name, payload, n in ACCEPTED])
def test_odd_but_good_goes_on(server, payload, n):
    with Client(server) as client:
        client.send(payload)
        for _ in range(n):
            assert client.answer().status == 200


def test_upload_and_echo_at_flat_memory(server):
    echoes_without_keeping(server)


def test_reader_that_waits_holds_the_upstream(server):
    waits_for_its_reader(server)


def test_client_that_leaves_is_told_to_the_upstream(server, upstream):
    for path in ("/leaving", "/drip/1000/50", "/later/60003"):
        with Client(server) as client:
            client.send(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")
            upstream.says(f"request GET {path}")
        server.says(f"done GET {path} -1", timeout=3)  # as it was seen: half-closed (-125) or by writing (-104)
        server.says(f"asked GET {path} -125", timeout=3)
    upstream.says("done GET /drip/1000/50 -104", timeout=3)


def test_answer_that_breaks_looks_broken(server):
    with Client(server) as client:
        client.send(get(HOST, line=b"GET /broken HTTP/1.1"))
        assert client.until(b"4\r\nhalf\r\n") and client.is_closed()


def test_early_refusal_of_an_upload(server):
    with Client(server) as client:
        client.send(b"POST /count HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" + b"x" * 50_000)
        answer = client.answer()
        assert answer.status == 413


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for address, why in ((f"127.0.0.1:{port}", b"refused"), ("unix:/nowhere/at/all", b"No such file")):
        with Server(options=["--proxy", address]) as server, Client(server) as client:
            for _ in range(3):
                answer = client.get("/hello")
                assert answer.status == 502 and why in answer.body


def test_connections_are_kept_and_their_end_is_seen(tmp_path):
    path = tmp_path / "s"
    with Server(f"unix:{path}", idle_ms=1000) as upstream:
        with Server(options=["--proxy", f"unix:{path}"]) as server, Client(server) as client:
            for _ in range(20):
                assert client.get("/hello").status == 200
            assert upstream.count("connections") == 2  # and the one that asks this
            time.sleep(1.5)
            assert client.get("/hello").status == 200
            assert server.open_files() < 20
            server.signal(signal.SIGTERM)
            assert server.process.wait(10) == 0


def test_curl_through_it(server, tmp_path):
    (tmp_path / "large").write_bytes(b"0123456789" * 500_000)
    done = subprocess.run(["curl", "-sS", "-m", "20", "-T", str(tmp_path / "large"), server.url("/echo")], capture_output=True, timeout=30, check=True)
    assert done.stdout == (tmp_path / "large").read_bytes()
