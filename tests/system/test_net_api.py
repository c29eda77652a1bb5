"""A table of routes as it is served (tell/api), over the sample of tests/netserver."""

import json
import subprocess

import pytest

from netserver import Client, Server

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


@pytest.fixture(scope="module")
def server():
    with Server(options=["--api"]) as one:
        yield one
        assert one.process.poll() is None, "it died"


@pytest.fixture
def client(server):
    with Client(server) as one:
        yield one


def ask(client, method, path, body=None):
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    client.send(f"{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    answer = client.answer(bodyless=method == "HEAD")
    if answer.status >= 400 and method != "HEAD":
        assert answer.fields["content-type"] == "application/problem+json"
        problem = json.loads(answer.body)
        assert problem["status"] == answer.status and problem["title"] and problem["detail"]
        return answer.status, problem["detail"]
    return answer.status, json.loads(answer.body) if answer.body else None


def test_a_thing_and_its_life(client):
    thing = {"name": "ä b/c", "level": "high", "size_bytes": None, "tags": ["x"]}
    assert ask(client, "POST", "/things", thing) == (201, thing)
    assert ask(client, "POST", "/things", thing) == (409, "there is one of that name")
    assert ask(client, "GET", "/things/%C3%A4%20b%2Fc") == (200, thing)
    assert ask(client, "HEAD", "/things/%C3%A4%20b%2Fc") == (200, None)
    assert ask(client, "GET", "/things?level=high&limit=5") == (200, [thing])
    assert ask(client, "GET", "/things?level=low") == (200, [])
    client.send("GET /events HTTP/1.1\r\nHost: h\r\n\r\n")
    assert client.answer().body.startswith(b'event: thing\ndata: {"name":')
    assert ask(client, "DELETE", "/things/%C3%A4%20b%2Fc") == (204, None)
    assert ask(client, "DELETE", "/things/%C3%A4%20b%2Fc") == (404, "there is none of that name")


def test_what_is_not_there(server, client):
    for path in ("/", "/thing", "/things/", "/things/a/b", "//things", "/openapi.json/"):
        status, detail = ask(client, "GET", path)
        assert status == 404 and "/openapi.json" in detail
    with Client(server) as other:  # one that nobody can read
        other.send("NOSUCH /things HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = other.answer()
        assert answer.status == 405 and "DELETE" in answer.fields["allow"] and other.is_closed()
    for method in ("PUT", "PATCH", "PROPFIND"):
        client.send(f"{method} /things HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = client.answer()
        assert answer.status == 405 and answer.fields["allow"] == "GET, HEAD, POST"
    client.send("OPTIONS /things/a HTTP/1.1\r\nHost: h\r\n\r\n")
    answer = client.answer()
    assert answer.status == 204 and answer.fields["allow"] == "GET, HEAD, DELETE"


@pytest.mark.parametrize("path, why", [
    ("/things?level=x", '"level" is none of: low, middle, high'), ("/things?limit=0", '"limit" must be from 1 to 50'),
    ("/things?limit=x", '"limit" must be a whole number'), ("/things?limit=1&limit=1", '"limit" is there twice'),
    ("/things?other=1", '"other" is no parameter of this'), ("/things/%FF", "not encoded as it must be"),
    ("/things?%C3%A4" + "%F0%9F%99%82" * 100 + "=1", "is no parameter"), ("/things/" + "x" * 2000, "too long")])
def test_parameters(client, path, why):
    status, detail = ask(client, "GET", path)
    assert status == 400 and why in detail


@pytest.mark.parametrize("body, status, why", [
    (b"{", 400, "the body is no JSON"), (b"[]", 422, "must be a JSON object"), (b"{}", 422, '"name" is missing'),
    (b"", 422, '"name" is missing'), (b'{"name": "a", "name": "b", "level": "low"}', 400, "duplicate"), (b"\xff", 400, "no JSON"),
    ({"name": "a", "level": "low", "size_bytes": -1}, 422, '"size_bytes" must be from 0'),
    ({"name": "a", "level": "low", "tags": "x"}, 422, '"tags" must be a list'), ({"name": "", "level": "low"}, 422, "empty"),
    ({"name": "a", "level": "low", "more": 1}, 422, '"more" is not known here'),
    (b"[" * 60_000, 400, "depth"), (b'{"name": "a\\u0000b", "level": "low"}', 400, "no JSON")])
def test_bodies(client, body, status, why):
    answer = ask(client, "POST", "/things", body)
    assert answer[0] == status and why in answer[1]


def test_body_that_is_too_long_or_chunked(server):
    with Client(server) as client:
        assert ask(client, "POST", "/things", b"x" * 65537)[0] == 413
    with Client(server) as client:
        client.send(b"POST /things HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in b'{"name":"slow","level":"low"}':
            client.send(b"1\r\n%c\r\n" % byte)
        client.send(b"0\r\n\r\n")
        assert client.answer().status == 201
        assert ask(client, "DELETE", "/things/slow") == (204, None)


def test_description(server, client):
    status, all_ = ask(client, "GET", "/openapi.json")
    assert status == 200 and all_["openapi"] == "3.1.0"
    operations = [(path, method, one) for path, methods in all_["paths"].items() for method, one in methods.items()]
    assert len(operations) == 6 and {method for _, method, _ in operations} <= set(METHODS)
    for path, _, one in operations:
        assert one["operationId"] and one["summary"] and one["responses"]["default"]
        named = [parameter["name"] for parameter in one.get("parameters", []) if parameter["in"] == "path"]
        assert named == [part[1:-1] for part in path.split("/") if part.startswith("{")]
    assert all_["paths"]["/things"]["post"]["requestBody"]["required"]
    text = json.dumps(all_)
    for name in text.split("#/components/schemas/")[1:]:
        assert name.split('"')[0] in all_["components"]["schemas"]
    # curl says the same.
    done = subprocess.run(["curl", "-sS", server.url("/openapi.json")], capture_output=True, timeout=20, check=True)
    assert json.loads(done.stdout) == all_
