"""The Docker Engine API, as far as the tests drive it, over its unix socket."""

import http.client
import json
import socket
import struct
import threading
import time
import urllib.parse


class EngineError(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status = status


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout):
        super().__init__("engine", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class EngineAPI:
    """Unversioned paths: the engine's newest version."""

    def __init__(self, socket_path):
        self.socket_path = socket_path

    def raw(self, method, path, body=None, timeout=60, query=None):
        if query:
            path += "?" + urllib.parse.urlencode(query)
        connection = UnixConnection(self.socket_path, timeout)
        try:
            payload = json.dumps(body) if body is not None else None
            connection.request(method, path, payload, {"Content-Type": "application/json"} if payload else {})
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            try:
                message = json.loads(data)["message"]
            except (ValueError, KeyError):
                message = data.decode(errors="replace")
            raise EngineError(answer.status, message)
        return data

    def call(self, method, path, body=None, timeout=60, query=None):
        data = self.raw(method, path, body, timeout, query)
        return json.loads(data) if data.strip() else None

    def ping(self):
        try:
            return self.raw("GET", "/_ping", timeout=2) == b"OK"
        except (OSError, EngineError, http.client.HTTPException):
            return False

    def inspect(self, container):
        return self.call("GET", f"/containers/{container}/json")

    def remove(self, container):
        try:
            self.call("DELETE", f"/containers/{container}", query={"force": 1, "v": 1})
        except EngineError as error:
            if error.status not in (404, 409):  # gone, or going already
                raise

    def containers(self):
        return self.call("GET", "/containers/json", query={"all": 1})

    def logs(self, container):
        """Its stdout and stderr so far, as text."""
        data = self.raw("GET", f"/containers/{container}/logs", query={"stdout": 1, "stderr": 1})
        text, at = b"", 0
        while at + 8 <= len(data):  # each frame: stream, three zeros, length, bytes
            size = struct.unpack(">I", data[at + 4 : at + 8])[0]
            text += data[at + 8 : at + 8 + size]
            at += 8 + size
        return text.decode(errors="replace")

    def exec_start(self, container, argv):
        """Starts argv in the container, detached; gives the id of the exec."""
        made = self.call("POST", f"/containers/{container}/exec", {"Cmd": argv, "AttachStdout": False})
        self.raw("POST", f"/exec/{made['Id']}/start", {"Detach": True, "Tty": False})
        return made["Id"]

    def exec_state(self, exec_id):
        return self.call("GET", f"/exec/{exec_id}/json")


class Events:
    """Follows the engine's events in a thread, so that none is forgotten by the engine's ring of 256."""

    def __init__(self, socket_path):
        self.seen = []
        self.connection = UnixConnection(socket_path, None)
        filters = json.dumps({"type": ["container"]})
        self.connection.request("GET", "/events?" + urllib.parse.urlencode({"filters": filters}))
        self.answer = self.connection.getresponse()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()

    def _follow(self):
        try:
            while line := self.answer.readline():
                event = json.loads(line)
                event["at"] = time.monotonic()
                self.seen.append(event)
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # the engine went, or close() was called

    def of(self, container_id, *actions):
        """Events of one container whose action begins with one of `actions`; all actions without."""
        return [e for e in self.seen if e["Actor"]["ID"] == container_id
                and (not actions or e["Action"].split(":")[0] in actions)]

    def close(self):
        try:
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        except (OSError, AttributeError):
            pass
        self.thread.join(5)
