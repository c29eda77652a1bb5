"""Fixtures of the system tests: one private engine for all of them, a bench for each."""

import os
import shutil
import signal

import pytest

import guest
import program
import wait
import workers
from bench import Bench, Bystander
from engine import Engine
from registry import Registry

pytest_addoption, pytest_runtestloop = workers.pytest_addoption, workers.pytest_runtestloop
collect_ignore = [] if wait.INSIDE_GUEST else ["inside"]


def pytest_configure(config):
    config.addinivalue_line("markers", "engine(suite): needs the engine of a newer Debian suite")
    config.addinivalue_line("markers", "guest: needs the emulated machine (QEMU, a stock kernel)")
    config.addinivalue_line("markers", "slow: takes more than half a minute")
    config.addinivalue_line("markers", "prove: one of many hundreds of cells; only where -m names it")
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("told to stop (signal 15)"))


def pytest_collection_modifyitems(config, items):
    if "prove" in config.option.markexpr:
        return
    many = [item for item in items if item.get_closest_marker("prove")]
    items[:] = [item for item in items if not item.get_closest_marker("prove")]
    config.hook.pytest_deselected(items=many)


def lacking(item):
    """What this machine lacks for a test, or nothing."""
    if os.geteuid() != 0:
        return "root"
    if item.get_closest_marker("guest"):
        for tool in ("qemu-system-x86_64", "busybox", "cpio", "mkfs.ext4"):
            if not shutil.which(tool):
                return tool
        if not any(name.startswith("vmlinuz-") and name.endswith("-amd64") for name in os.listdir("/boot")):
            return "a kernel in /boot (linux-image-amd64)"
    if item.get_closest_marker("engine") and not shutil.which("apt-get"):
        return "apt-get, to fetch a newer engine"
    if item.path.name in ("test_fault_matrix.py", "test_force.py") and not shutil.which("gdb"):
        return "gdb"
    for tool in ("dockerd", "runc", "iptables", "ip", "curl"):
        if not shutil.which(tool):
            return tool
    return None


def pytest_runtest_setup(item):
    what = lacking(item)
    if what:
        pytest.skip(f"this machine lacks {what}")


@pytest.fixture(scope="session")
def built():
    assert os.access(program.PROGRAM, os.X_OK), f"{program.PROGRAM} is not there: run make first"


@pytest.fixture(scope="session")
def engine():
    """The host's docker.io, privately started."""
    one = Engine(parent="/data" if wait.INSIDE_GUEST else None)
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture(scope="session")
def registry():
    """A real registry for pulls; the engines take its address without TLS."""
    if not shutil.which("docker-registry"):
        pytest.skip("this machine lacks docker-registry")
    one = Registry()
    try:
        yield one.start()
    finally:
        one.close()


@pytest.fixture
def bench(request, engine, built):
    """By the settings of its module, where that has some."""
    one = Bench(engine, getattr(request.module, "SETTINGS", None))
    try:
        yield one
    finally:
        one.close()


@pytest.fixture
def bystander(bench):
    """Whatever is healed beside it, it is untouched."""
    one = Bystander(bench)
    yield one
    one.is_untouched()


@pytest.fixture(scope="module")
def shared_bench(engine, built):
    """One bench for a whole module, whose containers wait at the same time."""
    one = Bench(engine)
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="session")
def emulated(built):
    """The emulated machine, with its tests under way."""
    one = guest.Guest()
    try:
        yield one
    finally:
        one.close()


class Teller:
    """Inside the emulated machine: results go out over its serial line."""

    def __init__(self, config):
        self.terminal = config.pluginmanager.getplugin("terminalreporter")

    def pytest_runtest_logreport(self, report):
        guest.tell(report, self.terminal)


def pytest_sessionstart(session):
    if wait.INSIDE_GUEST:
        session.config.pluginmanager.register(Teller(session.config))
