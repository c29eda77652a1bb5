"""`scripts/test system`, interrupted and killed in the middle of its tests: nothing is left of it, and what a crash leaves is
taken away by the next run."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import program
import wait
from engine import CACHE, LAB, ROOT

TWO_MODULES = "test_full_length or (test_heal and two_gib)"  # each in a worker, with an engine and a daemon

GROUPS = [pathlib.Path("/sys/fs/cgroup"), *pathlib.Path("/sys/fs/cgroup").glob("*/")]


class Run:
    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="sv-t"))
        self.env = program.environment({"TMPDIR": str(self.directory), "LAB_CACHE": CACHE, "PYTEST_ADDOPTS": f"-k '{TWO_MODULES}'"})
        with open(self.directory / "said", "w") as said:
            self.script = subprocess.Popen([ROOT / "scripts/test", "system"], env=self.env, stdin=subprocess.DEVNULL, stdout=said,
                                           stderr=subprocess.STDOUT, start_new_session=True)

    def engines(self):
        return [file.parent for file in self.directory.glob("sv-run.*/sv-*/net")]

    def containers(self):
        return [one.name for engine in self.engines() for one in engine.glob("data/containers/*") if len(one.name) == 64]

    def processes(self):
        """Whatever has its directory as TMPDIR, and the words of its command line."""
        found = {}
        for one in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if f"TMPDIR={self.directory}".encode() in (one / "environ").read_bytes():
                    found[int(one.name)] = (one / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                pass
        return found

    def wait_until_it_is_at_work(self):
        """Two engines, a container in each, a daemon on each."""
        def at_work():
            assert self.script.poll() is None, (self.directory / "said").read_text()
            daemons = [words for words in self.processes().values() if words.startswith(str(program.PROGRAM)) and " run" in words]
            return len(daemons) >= 2 and len(self.containers()) >= 2
        wait.until(at_work, 300, lambda: f"two tests run: {self.processes()}\n{(self.directory / 'said').read_text()}", every=0.2)
        self.numbers = [(engine / "net").read_text().strip() for engine in self.engines()]
        self.ids = self.containers()

    def left(self):
        """Everything that there is of it."""
        rules = subprocess.run(["iptables", "-w", "-S"], capture_output=True, text=True, check=True).stdout.splitlines()
        return [*self.processes().values(),
                *(str(path.parent) for path in pathlib.Path("/sys/class/net").glob("*/ifalias") if str(self.directory) in read(path)),
                *(rule for rule in rules for number in self.numbers if f"10.213.{number}." in rule or f"10.214.{number}." in rule),
                *(str(group / "docker" / one) for one in self.ids for group in GROUPS if (group / "docker" / one).exists()),
                *(line for line in open("/proc/mounts") if str(self.directory) in line),
                *(str(path) for path in self.directory.iterdir() if path.name != "said")]

    def close(self):
        if self.script.poll() is None:
            self.script.terminate()
            self.script.wait(60)
        shutil.rmtree(self.directory, ignore_errors=True)


def read(path):
    try:
        return path.read_text()
    except OSError:
        return ""


@pytest.fixture
def run(built):
    one = Run()
    try:
        one.wait_until_it_is_at_work()
        yield one
    finally:
        one.close()


@pytest.mark.parametrize("how", ["keyboard", "TERM", "HUP", "KILL"])
def test_nothing_is_left(run, how):
    if how == "keyboard":  # to all of the terminal's foreground, and once more by somebody who cannot wait
        os.killpg(run.script.pid, signal.SIGINT)
        os.killpg(run.script.pid, signal.SIGINT)
    else:
        run.script.send_signal(getattr(signal, f"SIG{how}"))
    assert run.script.wait(60) == {"keyboard": 130, "KILL": -signal.SIGKILL}.get(how, 143)
    if how == "KILL":  # what outlives it needs a moment
        wait.until(lambda: not run.left(), 30, lambda: f"nothing is left: {run.left()}")
    assert run.left() == []


def test_next_run_takes_away_what_a_crash_left(run):
    sweepers = [int(one.name) for one in pathlib.Path("/proc").glob("[0-9]*")
                if f"{run.directory}/sv-run.".encode() in read_bytes(one / "cmdline") and b"--sweep" in read_bytes(one / "cmdline")]
    assert len(sweepers) == 1
    os.kill(sweepers[0], signal.SIGKILL)
    run.script.kill()
    run.script.wait(60)
    wait.until(lambda: not run.processes(), 30, lambda: f"its processes ended with it: {run.processes()}")
    assert [line for line in run.left() if "/sys/class/net/lab" in line], "a crash leaves what nobody took away"
    subprocess.run([LAB / "run", "true"], env=run.env, stdin=subprocess.DEVNULL, check=True, timeout=60)
    assert run.left() == []


def test_bridge_whose_engine_has_no_directory_any_more_is_taken_away(tmp_path):
    """Of a run without tests/lab/run that crashed. 251: no engine's."""
    net = ["-s", "10.213.251.0/24", "-d", "10.213.251.0/24", "-j", "ACCEPT"]
    for command in (["ip", "link", "add", "lab251", "type", "bridge"], ["ip", "link", "set", "lab251", "alias", tmp_path / "gone"],
                    ["iptables", "-w", "-I", "FORWARD", *net]):
        subprocess.run(command, check=True)
    subprocess.run([LAB / "run", "true"], stdin=subprocess.DEVNULL, check=True, timeout=60)
    assert not os.path.exists("/sys/class/net/lab251")
    assert subprocess.run(["iptables", "-w", "-C", "FORWARD", *net], capture_output=True, check=False).returncode == 1


def read_bytes(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""
