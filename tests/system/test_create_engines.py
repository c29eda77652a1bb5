"""supervisor create on the newest engine: the same requests, other answers."""

import time

import pytest

from engine import Engine
from making import LIMIT, Making, limit_of, localai, result, sound, trial, variant


@pytest.fixture(scope="module")
def newest(built):
    one = Engine("sid")
    making = None
    try:
        making = Making(one.start(), trial())
        yield making
    finally:
        if making:
            making.close()
        one.close()


@pytest.fixture
def bench(newest):
    yield newest
    newest.clear()


pytestmark = pytest.mark.engine("sid")


def test_made_and_there_and_replaced(bench):
    done = bench.create("trial")
    assert done.code == 0, done
    first = sound(bench, "trial")
    assert first["HostConfig"]["MemorySwap"] == LIMIT
    again = bench.create("trial")
    assert again.code == 0 and "runs already" in again.out and "would be" not in again.out, again
    replaced = bench.create("trial", "--replace", "--json")
    assert replaced.code == 0 and result(replaced)["limit"] == LIMIT, replaced
    assert sound(bench, "trial")["Id"] != first["Id"]


def test_localai(bench):
    localai(bench.engine)
    done = bench.create("create-localai", "--memory", "256m", "--gpu", "none", "--port", "0")
    assert done.code == 0, done
    assert limit_of(bench, "localai") == LIMIT


def test_one_that_dies_is_taken_away(bench):
    variant(bench.engine, "ollama/ollama:dies", entrypoint=["/bin/ollama", "no-such-command"])
    done = bench.create("trial", "--image", "ollama/ollama:dies")
    assert done.code == 1 and "instead of answering" in done.err, done
    assert not bench.there() and not bench.volumes()


def test_image_that_is_nowhere(bench):
    done = bench.create("trial", "--image", "127.0.0.1:1/no/such:tag")
    assert done.code == 1, done
    assert not bench.there() and not bench.volumes()


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3])
def test_killed_while_replacing(bench, delay):
    assert bench.create("trial", "--memory", "200m").code == 0
    child = bench.started("trial", "--replace")
    time.sleep(delay)
    child.kill()
    child.communicate()
    assert bench.create("trial").code == 0
    assert bench.create("trial", "--replace").code == 0
    sound(bench, "trial")
