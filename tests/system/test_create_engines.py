"""supervisor create on the newest engine: the same requests, other answers."""

import re

import pytest

import proxy
from engine import Engine
from making import KEPT, LIMIT, Making, change, killed_at, limit_of, localai, result, sound, through_proxy, trial, variant
from sizes import MIB


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
    assert not bench.there() and bench.volumes() == {"trial-models"}


def test_image_that_is_nowhere(bench):
    done = bench.create("trial", "--image", "127.0.0.1:1/no/such:tag")
    assert done.code == 1, done
    assert not bench.there() and not bench.volumes()


@pytest.mark.parametrize("act", [proxy.HANG, proxy.LOSE], ids=["before", "behind"])
@pytest.mark.parametrize("number, step", enumerate(["aside", "create", "policy", "stop", "start", "keep"], 1))
def test_killed_while_replacing(bench, number, step, act):
    assert bench.create("trial", "--memory", "200m").code == 0
    old = bench.inspect("trial")["Id"]
    with through_proxy(bench):
        said = killed_at(bench, number, act, "--replace")
        assert re.search(change(step), said), said
        nothing = (number, act) == (1, proxy.HANG)
        assert bench.create("trial").code == 0
        one = sound(bench, "trial", 200 * MIB if nothing else LIMIT)
        assert (one["Id"] == old) == nothing
        assert nothing == ("trial" + KEPT not in bench.there()) and (nothing or bench.inspect("trial" + KEPT)["Id"] == old)
