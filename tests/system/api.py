"""The daemon's HTTP API, asked as a program would."""

import dataclasses
import http.client
import json
import socket
import threading

import jsonschema

TOKEN, READ_TOKEN = "0123456789abcdef-admin", "0123456789abcdef-read"
ANYWHERE = {"http.listen": "127.0.0.1:0", "http.token": f"me:{TOKEN}", "http.read_token": f"grafana:{READ_TOKEN}"}


@dataclasses.dataclass
class Answer:
    status: int
    fields: dict
    body: bytes

    def json(self):
        return json.loads(self.body)


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Api:
    """Of one daemon: over its first port, or over a unix socket."""

    def __init__(self, daemon, host="127.0.0.1", path=None):
        self.host, self.path = host, path
        daemon.wait("first look", 10)
        self.port = None if path else next(int(r["port"]) for r in daemon.find("http listening", tls="0") if "port" in r)

    def connection(self, timeout=20):
        return Unix(self.path, timeout) if self.path else http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def ask(self, method, path, body=None, token=None, timeout=20, **fields):
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self.connection(timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def get(self, path, **options):
        answer = self.ask("GET", path, **options)
        assert answer.status == 200, (path, answer)
        return answer.json()

    def metrics(self, **options):
        """{'name{labels}': value} of /metrics."""
        text = self.ask("GET", "/metrics", **options).body.decode()
        return {name: float(value) for name, _, value in
                (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))}


def follows_its_description(description, method, path, answer):
    """Whether an answer is one that the description has, and what that says. path: as there."""
    answers = description["paths"][path][method.lower()]["responses"]
    assert str(answer.status) in answers or answer.status >= 400, (path, answer.status)
    said = answers[str(answer.status) if str(answer.status) in answers else "default"]
    kind = answer.fields.get("content-type", "").split(";")[0]
    assert kind in said.get("content", {"": None}), (path, kind, said)
    if kind.endswith("json"):
        schema = {"$ref": "#/it", "it": said["content"][kind]["schema"], "components": description["components"]}
        jsonschema.validate(answer.json(), schema)


class Stream:
    """Reads /api/v1/stream by a thread; `events` has (name, data) of each that came."""

    def __init__(self, api, path="/api/v1/stream"):
        self.connection = api.connection()
        self.connection.request("GET", path)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200 and self.answer.getheader("Content-Type") == "text/event-stream"
        self.events, self.ended = [], False
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        name = None
        try:
            for line in self.answer:
                if line.startswith(b"event: "):
                    name = line[7:].strip().decode()
                elif line.startswith(b"data: "):
                    self.events.append((name, json.loads(line[6:])))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):  # it was closed under it
            pass
        self.ended = True

    def of(self, name):
        return [data for its, data in self.events if its == name]
