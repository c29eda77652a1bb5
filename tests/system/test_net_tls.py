"""TLS of the HTTP server of the room net/, as curl, openssl and Python speak it."""

import hashlib
import os
import signal
import socket
import ssl
import subprocess
import time

import pytest

import wait
from netserver import Client, Server


def make_pair(directory, name, *options):
    """A certificate for localhost and its key."""
    certificate, key = directory / f"{name}.pem", directory / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate,
                    *options], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_pair(tmp_path_factory.mktemp("tls"), "first")


@pytest.fixture(scope="module")
def server(pair):
    with Server(tls=pair, head_ms=1500) as one:
        yield one
        assert one.process.poll() is None, "it died"


class TlsClient(Client):
    def __init__(self, server, certificate, alpn=(), **context):
        super().__init__(server)
        settings = ssl.create_default_context(cafile=certificate)
        if alpn:
            settings.set_alpn_protocols(list(alpn))
        for name, value in context.items():
            setattr(settings, name, value)
        self.socket = settings.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)


def curl(server, pair, path, *options, timeout=60):
    done = subprocess.run(["curl", "-sS", "--cacert", pair[0], *options, server.url(path, "https")], capture_output=True, timeout=timeout,
                          check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl(server, pair, tmp_path):
    assert curl(server, pair, "/hello") == b"hello\n"
    # It offers h2 as well, and is told http/1.1.
    assert curl(server, pair, "/hello", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{num_connects}") == b"1.1 1"
    assert curl(server, pair, "/hello", "--tls-max", "1.2") == b"hello\n"
    large = os.urandom(20 << 20)
    (tmp_path / "large").write_bytes(large)
    echoed = curl(server, pair, "/echo", "-T", str(tmp_path / "large"))
    assert hashlib.sha256(echoed).digest() == hashlib.sha256(large).digest()
    assert len(curl(server, pair, "/stream/300/65536")) == 300 * 65536


def test_openssl_and_the_protocols(server, pair):
    def s_client(*options):
        return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", pair[0], *options],
                              input=b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", capture_output=True, timeout=20, check=False)
    one = s_client("-alpn", "h2,http/1.1", "-quiet", "-ign_eof").stdout
    assert one.startswith(b"HTTP/1.1 200 ") and one.endswith(b"hello\n")
    assert b"ALPN protocol: http/1.1" in s_client("-alpn", "h2,http/1.1", "-ign_eof").stdout
    assert b"no application protocol" in s_client("-alpn", "h2").stderr
    for old in ("-tls1_1", "-tls1"):
        assert s_client(old, "-cipher", "DEFAULT:@SECLEVEL=0").returncode != 0


def test_end_is_told(server, pair):
    """A close_notify behind the last answer: nobody cut it."""
    with TlsClient(server, pair[0]) as client:
        answer = client.get("/hello", "Connection: close")
        assert answer.body == b"hello\n"
        assert client.socket.recv(10) == b""  # not an SSLEOFError
    with TlsClient(server, pair[0]) as client:
        client.send("GET /broken HTTP/1.0\r\n\r\n")
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            while client.socket.recv(100):
                pass


def test_back_pressure(server, pair):
    before = server.rss_kib()
    size, pattern = 32 << 20, bytes(range(256)) * 4096
    with TlsClient(server, pair[0]) as client:
        client.socket.settimeout(60)
        client.send(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % size)
        # One thread at a time may use it: it sends until nothing goes any more, then it reads.
        client.socket.setblocking(False)
        sent, got, stalled = 0, bytearray(), time.monotonic()
        while len(got) < size and time.monotonic() - stalled < 20:
            moved = False
            try:
                if sent < size:
                    sent += client.socket.send(pattern[sent % len(pattern):])
                    moved = True
            except ssl.SSLWantWriteError:
                assert server.rss_kib() < before + 4096
                try:
                    got += client.socket.recv(1 << 20)
                    moved = True
                except ssl.SSLWantReadError:
                    pass
            if sent == size:
                client.socket.setblocking(True)
                client.socket.settimeout(20)
                got += client.socket.recv(1 << 20)
                moved = True
            if moved:
                stalled = time.monotonic()
        head, _, body = bytes(got).partition(b"\r\n\r\n")
        while len(body) < size:
            body += client.socket.recv(1 << 20)
        assert head.startswith(b"HTTP/1.1 200") and body == pattern * (size // len(pattern))


def test_pipelined_in_one_record(server, pair):
    with TlsClient(server, pair[0]) as client:
        client.send(b"GET /later/200 HTTP/1.1\r\nHost: h\r\n\r\n" + b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n" * 100)
        assert client.answer().body == b"later\n"
        assert all(client.answer().body == b"hello\n" for _ in range(100))


def test_what_is_no_tls(server, pair):
    curl(server, pair, "/size/69")
    server.says("done GET /size/69")
    known = len(server.said("request"))
    with Client(server) as client:
        client.send("GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
        raw, _ = client.rest()
        assert raw.startswith(b"HTTP/1.1 400 ") and b"speaks TLS" in raw
    for data in (b"\x16\x03\x01", b"\x16\x03\x01\xff\xff" + b"\0" * 70_000, os.urandom(5000), b""):
        with Client(server) as client:
            try:
                client.send(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            client.socket.settimeout(5)
            try:
                while client.socket.recv(1000):
                    pass
            except ConnectionResetError:
                pass
    curl(server, pair, "/size/70")
    server.says("request GET /size/70")
    assert server.said("request")[known:] == ["request GET /size/70"]  # the service was asked nothing else


def test_client_that_leaves_is_seen(server, pair):
    with TlsClient(server, pair[0]) as client:
        client.send("GET /leaving HTTP/1.1\r\nHost: h\r\n\r\n")
        server.says("request GET /leaving")
    server.says("done GET /leaving", timeout=3)


def test_held_body_and_an_end(server, pair):
    """All of it was sent; some of it is still to be decrypted. It has not left."""
    with TlsClient(server, pair[0]) as client:
        client.send(b"POST /admit/1000 HTTP/1.1\r\nHost: h\r\nContent-Length: 50000\r\n\r\n" + b"x" * 50_000)
        with socket.socket(fileno=os.dup(client.socket.fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        assert client.answer().body == b"50000\n"


def test_nothing_is_read_behind_its_end(server, pair):
    """A close_notify, then megabytes: they are not kept, and the answer is still made."""
    before = server.rss_kib()
    with TlsClient(server, pair[0]) as client:
        client.send("GET /later/1503 HTTP/1.1\r\nHost: h\r\n\r\n")
        server.says("request GET /later/1503")
        client.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.socket.unwrap()  # says so, and waits for the server's
        with socket.socket(fileno=os.dup(client.socket.fileno())) as raw:
            raw.settimeout(0.5)
            with pytest.raises(TimeoutError):
                for _ in range(1024):
                    raw.sendall(bytes(65536))
        assert server.rss_kib() < before + 4096
        server.says("done GET /later/1503 0")


def test_slow_handshakes_do_not_stop_others(server, pair):
    several = [Client(server) for _ in range(50)]
    for client in several:
        client.send(b"\x16\x03\x01\x02")
    start = time.monotonic()
    assert curl(server, pair, "/hello") == b"hello\n"
    assert time.monotonic() - start < 1.5
    assert all(client.is_closed(5) for client in several)


def serial(server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(raw) as one:
            return hashlib.sha256(one.getpeercert(binary_form=True)).hexdigest()


def test_certificate_is_read_again(tmp_path):
    first, key = make_pair(tmp_path, "served")
    second, second_key = make_pair(tmp_path, "second")
    third, _ = make_pair(tmp_path, "third")
    with Server(tls=(first, key)) as server:
        before = serial(server)
        with TlsClient(server, str(first)) as open_since_before:
            assert open_since_before.get("/hello").status == 200

            def reload(says):
                known = len(server.said(says))
                server.signal(signal.SIGHUP)
                return wait.until(lambda: server.said(says)[known:], 10, says)[0]
            # A key of another one, then none at all: the old pair stays.
            first.write_bytes(third.read_bytes())
            assert f"the key {key} cannot be used: key values mismatch" in reload("kept")
            first.write_bytes(b"nonsense")
            assert f"the certificate {first} cannot be used" in reload("kept")
            first.unlink()
            assert "No such file" in reload("kept")
            assert serial(server) == before
            first.write_bytes(second.read_bytes())
            key.write_bytes(second_key.read_bytes())
            reload("reloaded")
            assert serial(server) != before
            assert open_since_before.get("/hello").status == 200


def test_pair_that_is_none(tmp_path, pair):
    encrypted = tmp_path / "encrypted.key"
    subprocess.run(["openssl", "pkey", "-in", pair[1], "-aes256", "-passout", "pass:x", "-out", encrypted], check=True, capture_output=True)
    for certificate, key in ((pair[0], encrypted), (pair[1], pair[0]), (tmp_path, pair[1]), (pair[0], tmp_path / "none")):
        done = subprocess.run([Server.__init__.__globals__["PROGRAM"], "--tls", certificate, key, "127.0.0.1:0"], capture_output=True, text=True,
                              timeout=10, check=False, stdin=subprocess.DEVNULL)
        assert done.returncode == 2 and "cannot be used" in done.stderr, done


def test_large_answers_leave_no_memory_behind(pair):
    """Nor do large requests: their clients stay, and have nothing to say."""
    with Server(tls=pair) as server:
        with TlsClient(server, pair[0]) as client:
            assert len(client.get("/size/1000000").body) == 1_000_000
        before = server.rss_kib()
        clients = [TlsClient(server, pair[0]) for _ in range(50)]
        for client in clients:
            assert len(client.get("/size/1000000").body) == 1_000_000
            client.send(b"POST /large HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n" + bytes(1_000_000))
            assert client.answer().body == b"1000000\n"
        assert server.rss_kib() < before + 50 * 60
        for client in clients:
            client.close()


def test_what_waits_is_bounded_before_it_is_encrypted(pair):
    with Server(tls=pair, waiting_bytes=1 << 20) as server, TlsClient(server, pair[0]) as client:
        assert client.get("/hello").status == 200
        before = server.status("VmRSS:")
        client.send("GET /size/60000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        server.says("done GET /size/60000000 -104")
        assert server.rss_kib() == 0 or server.status("VmHWM:") < before + 60_000 + 8192  # the answer, as its maker has it


def test_nothing_is_left_behind(pair):
    with Server(tls=pair) as server:
        def some(n):
            for _ in range(n):
                with TlsClient(server, pair[0]) as client:
                    assert client.get("/size/100000").status == 200
            time.sleep(0.3)
            return server.rss_kib(), server.open_files()
        some(100)
        rss, files = some(50)
        for _ in range(3):
            last = some(50)
        assert last[0] <= rss + 256 and last[1] == files
