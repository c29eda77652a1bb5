"""The Debian package: made in a bare Debian 12 and 13, the same bytes twice, installed in a clean one, its service run
by that one's systemd against a real engine, removed and purged."""

import os
import re
import shutil
import subprocess
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

import debian
import program
import wait
from bench import Bench, QUICK
from debian import good, inside
from sizes import MIB

SUITES = ("bookworm", "trixie")
UNIT = "ollama-supervisor.service"
CONFIG = "etc/supervisor/supervisor.conf"
LEAK = 300 * MIB


def make(one, directory):
    """`make deb` in a directory of its own name; gives the file."""
    debian.copy_sources(one.work / directory)
    (one.work / directory / "compose/.env").write_text("POSTGRES_PASSWORD=secret\n")
    done = inside(one.build_root, f"cd '/mnt/{directory}' && make -s -j2 deb && rm -rf build/deb/release", one.work, timeout=400)
    good(done)
    files = list((one.work / directory / "build").glob("*.deb"))
    assert len(files) == 1, done.stdout
    return files[0]


@pytest.fixture(scope="module")
def build_roots(built):
    """With what the building needs; that of one Debian is made while another one is worked in."""
    if not shutil.which("debootstrap"):
        pytest.skip("this machine lacks debootstrap")
    with ThreadPoolExecutor(len(SUITES)) as pool:
        yield {suite: pool.submit(debian.root, suite, *debian.packages_build(suite), "dpkg-dev", "lintian") for suite in SUITES}


@pytest.fixture(scope="module", params=SUITES)
def package(request, build_roots, tmp_path_factory):
    """Made by that Debian's tools."""
    work = tmp_path_factory.mktemp(request.param)
    one = types.SimpleNamespace(suite=request.param, work=work, build_root=build_roots[request.param].result())
    one.deb = make(one, "here")
    yield one
    shutil.rmtree(work, ignore_errors=True)


@pytest.fixture(scope="module")
def installed(package):
    """A clean Debian with systemd, into which apt put it."""
    where = package.work / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", debian.root(package.suite, "systemd"), where], check=True)
    good(inside(where, f"apt-get install -q -y /mnt/{package.deb.name} || "
                       f"{{ apt-get -q update && apt-get install -q -y /mnt/{package.deb.name}; }}", package.deb.parent))
    return types.SimpleNamespace(package=package, root=where)


@pytest.mark.parametrize("package", SUITES[:1], indirect=True)
def test_the_same_sources_give_the_same_bytes(package):
    again = make(package, "elsewhere with a longer name")
    assert again.name == package.deb.name and again.read_bytes() == package.deb.read_bytes()
    assert re.fullmatch(r"ollama-supervisor_[\d.]+~deb1[23]_\w+\.deb", again.name)


def test_lintian_has_nothing_to_say(package):
    done = inside(package.build_root, f"lintian --allow-root --fail-on error,warning /mnt/{package.deb.name}", package.deb.parent)
    assert good(done) == "", done.stdout


def test_depends_on_this_debians_libraries(package):
    fields = good(inside(package.build_root, f"dpkg -f /mnt/{package.deb.name} Depends", package.deb.parent))
    assert ("libcurl4t64 " if package.suite == "trixie" else "libcurl4 ") in fields, fields


def test_all_is_there_and_works(installed):
    root = installed.root
    good(inside(root, "dpkg -s ollama-supervisor && supervisor version && supervisor config check"))
    assert f"/{CONFIG}: good" in good(inside(root, "supervisor config check"))
    assert good(inside(root, "supervisor config show")) == good(inside(root, ": >/tmp/x; supervisor -c /tmp/x config show"))
    share = root / "usr/share"
    for path in ("man/man8/supervisor.8.gz", "bash-completion/completions/supervisor", "zsh/vendor-completions/_supervisor",
                 "fish/vendor_completions.d/supervisor.fish", "doc/ollama-supervisor/copyright",
                 "doc/ollama-supervisor/changelog.gz", "doc/ollama-supervisor/README.md",
                 "doc/ollama-supervisor/docs/judgement.md", "supervisor/compose/compose.yml"):
        assert (share / path).stat().st_size > 0, path
    assert not list(share.glob("supervisor/**/.env*")), "passwords of whoever made it"
    good(inside(root, "bash -n /usr/share/bash-completion/completions/supervisor"))
    enabled = root / "etc/systemd/system/multi-user.target.wants" / UNIT
    assert enabled.is_symlink() and os.path.lexists(enabled)
    assert good(inside(root, f"dpkg -S {'/usr' if installed.package.suite == 'trixie' else ''}/lib/systemd/system/{UNIT}"))


def test_the_unit_is_good(installed):
    done = inside(installed.root, f"systemd-analyze verify --man=no {UNIT}")
    assert good(done) == "" and not done.stderr, done.stderr
    told = good(inside(installed.root, f"systemd-analyze security --offline=true --threshold=30 --no-pager {UNIT}"))
    print(told.strip().splitlines()[-1])
    assert "Overall exposure level" in told


def configure(root, settings):
    """Above what the package brought."""
    file = root / CONFIG
    before = file.read_text()
    sections = {}
    for key, value in settings.items():
        section, name = key.split(".", 1)
        sections.setdefault(section, []).append(f"{name} = {value}\n")
    file.write_text(before + "".join(f"[{s}]\n" + "".join(lines) for s, lines in sections.items()))
    return before


@pytest.fixture
def service(installed, built):
    """The booted system with the service as the package starts it, and an engine that comes later than it."""
    engine = debian.EngineAmong()
    before = configure(installed.root, QUICK | {
        "docker.host": "unix:///run/engine/docker.sock", "paths.cgroupfs": "/run/host-cgroup", "leak.threshold": "128M",
        "leak.threshold_percent": "0", "leak.baseline": "64M"})
    booted = debian.Booted(installed.root, {engine.directory: "run/engine", "/sys/fs/cgroup": "run/host-cgroup"})
    engine.booted = booted
    one = types.SimpleNamespace(root=installed.root, booted=booted, bench=Bench(engine))
    try:
        wait.until(lambda: "engine lost" in booted.log(), 20, booted.log)
        engine.start()
        yield one
    finally:
        print(booted.log())
        one.bench.close()
        engine.close()
        booted.close()
        (installed.root / CONFIG).write_text(before)


def test_its_service_heals(service):
    """By the unit as it is, with all that it forbids."""
    booted = service.booted

    def show(name):
        return booted.call("systemctl", "show", "-p", name, "--value", UNIT).stdout.strip()
    ill, orphaned = service.bench.ollama("packaged"), service.bench.ollama("orphaned")
    main, started = show("MainPID"), (ill.started_at(), orphaned.started_at())
    ill.leak(LEAK)
    orphaned.orphan(LEAK)
    orphaned.alone()  # whose of several ports it is cannot be seen by who may only kill
    for name, step in (("packaged", "restart"), ("orphaned", "kill")):
        wait.until(lambda: re.search(f"msg=healed container={name} .* step={step} ", booted.log()), 120, booted.log)
    assert ill.started_at() != started[0] and orphaned.started_at() == started[1]
    status = booted.call("cat", f"/proc/{main}/status").stdout
    for line in (r"^CapBnd:\s0*20$", r"^NoNewPrivs:\s1$", r"^Seccomp:\s2$"):
        assert re.search(line, status, re.M), status
    assert (show("MemoryMax"), show("TasksMax"), show("OOMScoreAdjust")) == (str(128 * MIB), "32", "-900")
    good(booted.call("supervisor", "health"))
    assert "packaged" in good(booted.call("supervisor", "status"))
    good(booted.call("systemctl", "reload", UNIT))
    wait.until(lambda: re.search('msg="?config', booted.log()), 10, booted.log)
    good(booted.call("systemctl", "kill", "-s", "KILL", UNIT))
    wait.until(lambda: show("MainPID") not in ("0", main), 20, "a new one after the old was killed")
    good(booted.call("systemctl", "stop", UNIT))
    assert show("ActiveState") == "inactive" and show("Result") == "success"
    assert (service.root / "var/lib/supervisor/supervisor.db").stat().st_mode & 0o077 == 0


def test_a_changed_configuration_stays_and_purge_takes_all(installed):
    root, deb = installed.root, installed.package.deb
    state = root / "var/lib/supervisor"
    state.mkdir(mode=0o700, exist_ok=True)
    (state / "kept").touch()
    configure(root, {"leak.hold": "77s"})
    good(inside(root, f"dpkg -i /mnt/{deb.name}", deb.parent))
    assert "hold = 77s" in (root / CONFIG).read_text()
    good(inside(root, "dpkg --remove ollama-supervisor"))
    assert (state / "kept").exists() and "hold = 77s" in (root / CONFIG).read_text()
    assert not (root / "usr/bin/supervisor").exists()
    daemon = program.Daemon(["--state", state, "--host", "unix:///nowhere.sock"])  # another one: in a container, say
    try:
        daemon.wait("started", 10)
        assert "is kept" in (done := inside(root, "dpkg --purge ollama-supervisor")).stderr and good(done) is not None
        assert (state / "supervisor.db").exists() and (state / "kept").exists()
        assert daemon.alive()
    finally:
        daemon.end()
    good(inside(root, f"dpkg -i /mnt/{deb.name} && dpkg --purge ollama-supervisor", deb.parent))
    left = inside(root, "find / -xdev -name '*supervisor*' -not -path '/proc/*' -not -path '/var/log/*' "
                        "-not -path '/var/lib/apt/*'")
    assert good(left) == "", left.stdout
