"""The engine's socket with faults: between a daemon and its engine all bytes pass, but for the requests that a rule takes."""

import contextlib
import os
import re
import socket
import threading
import time

PASS, ANSWER, LOSE, LEAVE, CLOSE, HANG = "pass", "answer", "lose", "leave", "close", "hang"
BEGUN = 0.2  # seconds in which the engine has begun what it was asked for


class Rule:
    """What becomes of requests whose method and path match. `times`: so many of them (None: all until it is taken off)."""

    def __init__(self, method, path, act, status=0, body=b"", delay=0.0, times=None):
        self.method, self.path = re.compile(method), re.compile(path)
        self.act, self.status, self.body, self.delay, self.left = act, status, body, delay, times
        self.taken = 0
        self.done = threading.Event()  # taken `times` times, each to its end

    def takes(self, method, path):
        return self.left != 0 and self.method.fullmatch(method) and self.path.search(path)


class Request:
    def __init__(self, method, path, rule):
        self.at, self.method, self.path, self.rule = time.monotonic(), method, path, rule

    def __repr__(self):
        return f"{self.at:.2f} {self.method} {self.path}" + (f" -> {self.rule.act} {self.rule.status or ''}" if self.rule else "")


class EngineProxy:
    """Listens on `directory`/engine.sock until close(). `requests` has all that came."""

    def __init__(self, engine_socket, directory):
        self.engine_socket, self.path = engine_socket, str(directory / "engine.sock")
        self.url = f"unix://{self.path}"
        self.lock, self.rules, self.requests = threading.Lock(), [], []
        self.open, self.listener, self.ended = set(), None, threading.Event()
        self.back()

    # ---- faults

    def rule(self, *arguments, **options):
        one = Rule(*arguments, **options)
        with self.lock:
            self.rules.append(one)
        return one

    def answer(self, status, path, method=".*", message="refused by the test", **options):
        """An error of the engine's, without asking it."""
        return self.rule(method, path, ANSWER, status, b'{"message":"%s"}\n' % message.encode(), **options)

    def lose(self, path, method="POST", **options):
        """The engine carries it out, and its answer never comes."""
        return self.rule(method, path, LOSE, **options)

    def off(self, *rules):
        with self.lock:
            self.rules = [rule for rule in self.rules if rule not in rules]

    def gone(self):
        """No engine: the socket is away, and all connections are closed."""
        with self.lock:
            listener, self.listener, sockets = self.listener, None, list(self.open)
        if listener:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path)
            shut(listener)
        for one in sockets:
            shut(one)

    def back(self):
        if self.listener:
            return
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        listener.listen(64)
        self.listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def since(self, moment):
        with self.lock:
            return [request for request in self.requests if request.at > moment]

    def close(self):
        self.ended.set()
        self.gone()

    # ---- mechanics: one thread reads requests, another one passes answers back

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                client = listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        engine = socket.socket(socket.AF_UNIX)
        with self.lock:
            self.open |= {client, engine}
        try:
            engine.connect(self.engine_socket)
            connection = Connection(client, engine)
            while (request := connection.read_request()) and self._pass(connection, *request):
                pass
        except OSError:
            pass
        finally:
            with self.lock:
                self.open -= {client, engine}
            for one in (client, engine):
                shut(one)
                one.close()

    def _take(self, method, path):
        with self.lock:
            rule = next((rule for rule in self.rules if rule.takes(method, path)), None)
            if rule:
                rule.taken += 1
                rule.left = None if rule.left is None else rule.left - 1
            self.requests.append(Request(method, path, rule))
            return rule

    def _pass(self, connection, method, path, data):
        """False: the connection ends."""
        rule = self._take(method, path)
        if not rule:
            connection.send(data)
            return True
        time.sleep(rule.delay)
        try:
            if rule.act == PASS:
                connection.send(data)
            elif rule.act == ANSWER:
                connection.client.sendall(b"HTTP/1.1 %d Fault\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
                                          % (rule.status, len(rule.body), rule.body))
            elif rule.act == LOSE:
                connection.silent.set()
                connection.send(data)
                connection.answered.wait(120)
            elif rule.act == LEAVE:  # it has begun, and its client is gone
                connection.silent.set()
                connection.send(data)
                time.sleep(BEGUN)
            elif rule.act == HANG:
                while not self.ended.wait(0.05) and rule in self.rules:
                    pass
            return rule.act in (PASS, ANSWER)
        finally:
            if rule.left in (0, None):
                rule.done.set()


class Connection:
    def __init__(self, client, engine):
        self.client, self.engine, self.waiting = client, engine, b""
        self.silent, self.answered = threading.Event(), threading.Event()
        threading.Thread(target=self._back, daemon=True).start()

    def _back(self):
        with contextlib.suppress(OSError, ValueError):
            while data := self.engine.recv(65536):
                if self.silent.is_set():
                    break
                self.client.sendall(data)
        self.answered.set()
        shut(self.client)

    def send(self, data):
        self.engine.sendall(data)

    def read_request(self):
        """(method, path, all its bytes); None at the end."""
        while b"\r\n\r\n" not in self.waiting:
            if not self._more():
                return None
        head = self.waiting[:self.waiting.index(b"\r\n\r\n") + 4]
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        size = len(head) + (int(length[1]) if length else 0)
        while len(self.waiting) < size:
            if not self._more():
                return None
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        method, path = head.split(b" ", 2)[:2]
        return method.decode(), path.decode(), data

    def _more(self):
        data = self.client.recv(65536)
        self.waiting += data
        return data


def shut(one):
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
