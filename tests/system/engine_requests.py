"""Every request that a Docker Engine knows, of its API from 1.12 to 1.52, and how each may look: for the test of a proxy that
is to let a few of them through."""

import socket

NAMED = {  # behind /containers/ID, /images/ID …: no endpoint of any version is missing, whatever its method
    "containers": ("", "/json", "/top", "/logs", "/changes", "/export", "/stats", "/resize", "/start", "/stop", "/restart", "/kill",
                   "/update", "/rename", "/pause", "/unpause", "/attach", "/attach/ws", "/wait", "/archive", "/copy", "/exec",
                   "/checkpoints", "/checkpoints/one"),
    "images": ("", "/json", "/history", "/push", "/tag", "/get"), "exec": ("/start", "/resize", "/json"), "volumes": ("",),
    "networks": ("", "/connect", "/disconnect"), "plugins": ("", "/json", "/enable", "/disable", "/upgrade", "/push", "/set"),
    "nodes": ("", "/update"), "services": ("", "/update", "/logs"), "tasks": ("", "/logs"), "secrets": ("", "/update"),
    "configs": ("", "/update"), "distribution": ("/json",)}
PLAIN = ("/", "/_ping", "/info", "/version", "/events", "/auth", "/commit", "/build", "/build/prune", "/build/cancel", "/session", "/grpc",
         "/system/df", "/containers/json", "/containers/create", "/containers/prune", "/images/json", "/images/create", "/images/load",
         "/images/get", "/images/search", "/images/prune", "/volumes", "/volumes/create", "/volumes/prune", "/networks",
         "/networks/create", "/networks/prune", "/plugins", "/plugins/privileges", "/plugins/pull", "/plugins/create", "/swarm",
         "/swarm/init", "/swarm/join", "/swarm/leave", "/swarm/update", "/swarm/unlock", "/swarm/unlockkey", "/nodes", "/services",
         "/services/create", "/tasks", "/secrets", "/secrets/create", "/configs", "/configs/create", "/debug/pprof/", "/debug/vars",
         "/debug/pprof/heap", "/metrics")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
SPOKEN = tuple(f"/v1.{minor}" for minor in (40, 41, 44, 52))
OTHER_VERSIONS = ("", "/v1.12", "/v1.22", "/v1.23", "/v1.24", "/v1.39", "/v1.53", "/v1.99", "/v1.410", "/v1.041", "/v01.41", "/v1.41.0",
                  "/v2.41", "/V1.41", "/v1.41/v1.23", "/v1.23/../v1.41", "//v1.41", "/v1%2E41")
HOST_CONFIG = '{"Binds":["/:/host"],"Privileged":true}'
LIMIT = '{"Memory":33554432,"MemorySwap":33554432}'


def bodyless(method, path, *headers):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: engine", *headers, "", ""]).encode()


def bodied(method, path, body, *headers):
    return bodyless(method, path, "Content-Type: application/json", f"Content-Length: {len(body.encode())}", *headers) + body.encode()


def chunked(method, path, body):
    return (bodyless(method, path, "Content-Type: application/json", "Transfer-Encoding: chunked")
            + f"{len(body.encode()):x}\r\n{body}\r\n0\r\n\r\n".encode())


def endpoints(one):
    """Each path of each version, with the container or whatever it is named `one`."""
    return [*PLAIN, *(f"/{kind}/{one}{tail}" for kind, tails in NAMED.items() for tail in tails)]


def passing(one, minor=41):
    """What the supervisor asks for: each passes, and nothing else does."""
    at, container = f"/v1.{minor}", f"/v1.{minor}/containers/{one}"
    return [bodyless("HEAD", "/_ping"), bodyless("GET", "/_ping"), bodyless("GET", f"{at}/containers/json?all=1"),
            bodyless("GET", f"{container}/json"), bodyless("GET", f"{container}/stats?stream=false&one-shot=true"),
            bodyless("GET", f"{at}/events?since=1&until=2.000999999"),
            *(bodyless("POST", f"{container}/{tail}", "Content-Length: 0") for tail in ("start", "restart?t=0", "stop?t=0")),
            bodied("POST", f"{container}/update", LIMIT),
            bodied("POST", f"{container}/update", LIMIT[:-1] + ',"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}}')]


def all_others(one):
    """Every endpoint by every method in every version, without a body and a query: none is what the supervisor sends, but for
    four. Then those that it sends, each with something that it does not."""
    allowed = {("GET", "/_ping"), ("HEAD", "/_ping")}
    allowed |= {(method, f"{version}/containers/{one}{tail}") for version in SPOKEN for method, tail in (("GET", "/json"), ("POST", "/start"))}
    for version in (*SPOKEN, *OTHER_VERSIONS):
        for path in endpoints(one):
            for method in METHODS:
                if (method, version + path) not in allowed:
                    yield bodyless(method, version + path, *(["Content-Length: 0"] if method == "POST" else []))
    at = f"/v1.41/containers/{one}"
    asked = ["/v1.41/containers/json?all=1", f"{at}/json", f"{at}/stats?stream=false&one-shot=true", "/v1.41/events?since=1&until=2.0",
             "/v1.41/events?filters=%7B%7D"]
    done = [f"{at}/start", f"{at}/restart?t=1", f"{at}/stop?t=1"]
    for version in OTHER_VERSIONS:  # with their own queries and bodies
        yield from (bodyless("GET", path.replace("/v1.41", version, 1)) for path in asked)
        yield from (bodyless("POST", path.replace("/v1.41", version, 1), "Content-Length: 0") for path in done)
        yield bodied("POST", f"{version}/containers/{one}/update", LIMIT)
        yield bodied("POST", f"{version}/containers/{one}/start", HOST_CONFIG)
    for path in ("/_ping", *asked):
        yield bodied("GET", path, "{}")
        yield chunked("GET", path, "{}")
        yield bodyless("GET", path, "Connection: Upgrade", "Upgrade: tcp")
        yield bodyless("GET", path, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
        yield bodyless("GET", f"http://engine{path}")
        yield bodyless("GET", f"{path}{'&' if '?' in path else '?'}size=1")
        yield bodyless("GET", f"{path}#x")
    for path in done:
        yield bodied("POST", path, HOST_CONFIG)
        yield bodied("POST", path, " ")
        yield chunked("POST", path, HOST_CONFIG)
        yield bodyless("POST", path, "Content-Length: 0", "Connection: Upgrade", "Upgrade: tcp")
        yield bodyless("POST", f"{path}{'&' if '?' in path else '?'}signal=KILL", "Content-Length: 0")
    for tail in ("start?checkpoint=one&checkpoint-dir=/", "start?detachKeys=a", "restart", "restart?t=", "restart?t=-1", "restart?t=1&t=2",
                 "stop", "stop?t=1x", "stop?signal=KILL", "stop?t=1%26signal=KILL"):
        yield bodyless("POST", f"{at}/{tail}", "Content-Length: 0")
    for body in ("", "{}", HOST_CONFIG, '{"Memory":1}', '{"MemorySwap":-1}', '{"Memory":-1,"MemorySwap":-1}', LIMIT + LIMIT, "x" + LIMIT,
                 LIMIT.replace("}", ',"CpuShares":2}'), LIMIT.replace("}", ',"Devices":[]}'), LIMIT.replace("}", "," + HOST_CONFIG[1:]),
                 LIMIT.replace("}", ',"Memory":9}'), LIMIT.replace("}", ',"RestartPolicy":{"Name":"no","x":{}}}'),
                 LIMIT + "\0" + HOST_CONFIG, LIMIT + " " * 20000 + HOST_CONFIG):
        yield bodied("POST", f"{at}/update", body)
    yield chunked("POST", f"{at}/update", LIMIT)
    yield bodied("POST", f"{at}/update?x=1", LIMIT)
    yield bodied("PUT", f"{at}/update", LIMIT)
    for name in ("..", "../images", f"{one}/..", f"{one}%2Fexec", f"{one}/../{one}", f"{one};x", f"{one}%00", ".", "%2e%2e", "-", "_a"):
        yield bodyless("GET", f"/v1.41/containers/{name}/json")
        yield bodyless("POST", f"/v1.41/containers/{name}/start", "Content-Length: 0")


def answer(socket_path, request, timeout=20):
    """Its answer on a connection of its own: status, the head in small letters, the beginning of the body."""
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(timeout)
        one.connect(socket_path)
        one.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            piece = one.recv(65536)
            if not piece:
                break
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        if b"content-length:" in head.lower() and not body and not request.startswith(b"HEAD"):
            body = one.recv(65536)
    return int(head.split()[1]) if head else None, head.decode(errors="replace").lower(), body.decode(errors="replace")
