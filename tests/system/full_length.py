"""The one run with the real times: started with the first test, looked at by the last."""

import threading
import time

from bench import Bench
from sizes import GIB

GRACE, HOLD, INTERVAL, POLL = 30.0, 60.0, 1.0, 2.0  # the defaults, of which nothing is set


class FullLength:
    def __init__(self, engine):
        self.bench = Bench(engine, settings={}, label="full-length.enable")
        # A name of its own, so that no other test's daemon takes it for Ollama.
        image = engine.tag("0.33", "full-length", "1")
        self.one = self.bench.ollama("full-length", image=image)
        self.started = self.one.started_at()
        self.daemon = self.bench.daemon(self.one)
        self.leaked = None
        self.thread = threading.Thread(target=self._leak, daemon=True)
        self.thread.start()

    def _leak(self):
        time.sleep(GRACE + 2)
        self.leaked = self.one.leak(2 * GIB)

    def close(self):
        self.thread.join(GRACE + 60)
        self.bench.close()
