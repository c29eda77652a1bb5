"""The emulated machine: runs tests/system/inside there, once, beside the other tests, and keeps each result."""

import json
import os
import re
import signal
import subprocess
import tempfile

from engine import LAB, ROOT

INSIDE = ROOT / "tests/system/inside"
MARK = "GUEST-RESULT "
MEMORY_MIB, SWAP_MIB, DISK_MIB, SECONDS = 5120, 3072, 8192, 2100


def names():
    """The tests inside, by reading them: those that a module has, and those that it takes from one outside."""
    found = [name for file in sorted(INSIDE.glob("test_*.py"))
             for name in re.findall(r"^(?:def |    )(test_\w+)(?=[(,])", file.read_text(), re.M)]
    assert len(set(found)) == len(found), f"two tests inside have one name: {sorted(found)}"
    return found


class Guest:
    def __init__(self):
        self.output = tempfile.TemporaryFile(mode="w+", errors="replace")
        self.process = subprocess.Popen(
            [LAB / "guest", "-m", str(MEMORY_MIB), "-s", str(SWAP_MIB), "-d", str(DISK_MIB),
             "-t", str(SECONDS), "/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--tb=short", "--color=no", INSIDE],
            cwd=ROOT, env=os.environ | {"SUPERVISOR_INSIDE_GUEST": "1"}, stdin=subprocess.DEVNULL,
            stdout=self.output, stderr=subprocess.STDOUT, start_new_session=True)
        self.results = None

    def wait(self):
        """{test: (outcome, text)} of all that ran; and all it said."""
        if self.results is None:
            self.process.wait(SECONDS + 60)
            self.output.seek(0)
            self.text = self.output.read()
            self.results = {}
            for line in self.text.splitlines():
                if MARK in line:
                    said = json.loads(line.split(MARK, 1)[1])
                    self.results.setdefault(said["test"], (said["outcome"], said["text"]))
        return self.results

    def close(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)  # the script waits for its pipe; all of it must go
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
        self.output.close()


def tell(report, terminal):
    """Inside: one line for each test that ended, for the eyes outside; short, as it goes over a serial line."""
    if report.when == "call" or report.outcome != "passed":
        text = report.longreprtext + "".join(f"\n--- {title}\n{content}" for title, content in report.sections)
        text = "" if report.outcome == "passed" else text[-6000:]
        terminal.write_line("\n" + MARK + json.dumps({"test": report.nodeid.split("::")[-1], "outcome": report.outcome, "text": text}))
