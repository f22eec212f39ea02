"""What a client of PyTorch finds at a server of its TCPStore: one case a function, whose name says it.

The cases run in the interpreter of a torch, which `here` (tests/conformance/store_peer.py) brings along, each
against a server of its own. They hold for trainit's store, and for the server of the same torch except where
the case says why not.
"""

import random
import resource
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Callable

RELEASES = ["1.13", "2.1", "2.15"]
OURS, THEIRS = "trainit", "reference"

# What an operation may take that has nothing to wait for, on a machine that has other things to do.
AT_ONCE = 20

MOST_VALUE = 8 << 20
MOST_KEY = 8 << 10
MOST_KEYS = 128 << 10


@dataclass
class Case:
    run: Callable
    since: str
    not_theirs: dict
    world_size: int

    @property
    def name(self):
        return self.run.__name__

    def holds_for(self, release, server):
        if RELEASES.index(release) < RELEASES.index(self.since):
            return False
        return server == OURS or release not in self.not_theirs


CASES = []


def case(since="1.13", not_theirs=None, world_size=0):
    """not_theirs: what the own server of a release does instead, by release; world_size: known to our server."""
    def keep(function):
        CASES.append(Case(function, since, not_theirs or {}, world_size))
        return function

    return keep


OUT_OF_STEP = "sends the answer to a wait that was given up, which is read as that to the next request"
NO_LIMIT = "takes all that there is memory for"
OLD_KEYS = "keeps the keys of those who have left"
WAKES_NOBODY = "leaves those asleep who wait for the key"


@contextmanager
def fails_after(seconds):
    """What is done within fails, not before its time and not much later."""
    started = time.monotonic()
    try:
        yield
    except RuntimeError:
        taken = time.monotonic() - started
        assert seconds * 0.9 <= taken < seconds + AT_ONCE, f"failed after {taken:.2f} s"
    else:
        raise AssertionError("it did not fail")


def fails_at_once():
    return fails_after(0)


def arrive(store):
    """What the client has sent before without being answered is done after this, in the sight of all."""
    store.num_keys()


def begins_to_wait():
    """Time for others to reach the server and wait there; what is tested holds without it, too."""
    time.sleep(0.2)


# ---- keys and values

@case()
def what_was_set_is_got(here):
    store = here.connect()
    values = {"text": b"value", "empty": b"", "bytes": bytes(range(256)), "ключ": "значение".encode(), "": b"no name",
              "a/b//c": b"slashes", "new\nline": b"\n"}
    for key, value in values.items():
        store.set(key, value)
    for key, value in values.items():
        assert store.get(key) == value, key


@case()
def a_value_is_replaced_by_the_next(here):
    store = here.connect()
    for value in (b"first", b"the second, which is longer", b""):
        store.set("key", value)
        assert store.get("key") == here.connect().get("key") == value


@case()
def a_get_waits_for_the_key(here):
    getting = here.start(here.connect().get, "later")
    begins_to_wait()
    assert not getting.done()
    here.connect().set("later", "now")
    assert getting.result(AT_ONCE) == b"now"


@case()
def a_sum_begins_with_nothing_and_is_kept_as_text(here):
    store = here.connect()
    assert [store.add("sum", amount) for amount in (5, -7, 0, 1 << 40)] == [5, -2, -2, (1 << 40) - 2]
    assert store.get("sum") == str((1 << 40) - 2).encode()


@case()
def a_sum_goes_on_from_text_that_was_set(here):
    store = here.connect()
    store.set("sum", "-41")
    assert store.add("sum", 83) == 42


@case()
def who_adds_to_what_is_no_number_is_sent_away_alone(here):
    store, other = here.connect(), here.connect()
    store.set("word", "eleven")
    arrive(store)
    with fails_at_once():
        store.add("word", 1)
    assert other.get("word") == b"eleven"
    assert here.connect().add("sum", 1) == 1


@case()
def a_value_is_exchanged_only_for_the_expected_one(here):
    store = here.connect()
    assert store.compare_set("key", "", "first") == b"first"
    assert store.compare_set("key", "other", "second") == b"first"
    assert store.compare_set("key", "", "second") == b"first"
    assert store.compare_set("key", "first", "second") == b"second"
    assert store.get("key") == b"second"


@case()
def exchanging_what_is_not_there_tells_the_expected_value_and_leaves_nothing(here):
    store = here.connect()
    assert store.compare_set("missing", "expected", "desired") == b"expected"
    assert store.num_keys() == 0
    assert store.compare_set("missing", "", "desired") == b"desired"


@case()
def a_key_is_deleted_once(here):
    store = here.connect()
    store.set("key", "value")
    assert store.delete_key("key")
    assert not store.delete_key("key")
    assert store.num_keys() == 0
    store.set("key", "again")
    assert store.get("key") == b"again"


@case()
def a_client_may_begin_with_deleting(here):
    store = here.connect()
    store.set("key", "value")
    arrive(store)
    assert here.connect().delete_key("key")
    assert not here.connect().delete_key("key")


@case()
def a_client_that_has_joined_may_begin_with_deleting(here):
    store = here.connect()
    store.set("key", "value")
    arrive(store)
    assert here.connect(world_size=2).delete_key("key")


@case()
def a_thousand_keys_are_deleted_one_by_one(here):
    store = here.connect()
    for number in range(1000):
        store.set(str(number), "")
    assert all(store.delete_key(str(number)) for number in range(1000))
    assert store.num_keys() == 0


@case()
def keys_are_counted(here):
    store = here.connect()
    assert store.num_keys() == 0
    store.set("a", "")
    store.set("a", "again")
    store.add("b", 1)
    store.compare_set("c", "", "1")
    assert store.num_keys() == 3


@case()
def clients_that_join_are_counted_in_a_key_of_their_own(here):
    clients = [here.connect(world_size=3) for _ in range(2)]
    assert clients[0].num_keys() == 1
    clients[0].set("init/", "a user's key")
    arrive(clients[0])
    assert clients[1].get("init/") == b"a user's key"
    assert clients[1].num_keys() == 2


@case(since="2.1")
def what_is_appended_follows_what_is_there(here):
    store = here.connect()
    for part in ("one,", "two,", "", "three"):
        store.append("list", part)
    assert store.get("list") == b"one,two,three"
    store.set("list", "new")
    store.append("list", "er")
    assert store.get("list") == b"newer"


@case(since="2.1")
def a_client_may_begin_with_appending(here):
    for options, part in (({}, "a"), ({}, "bc"), ({}, ""), ({"world_size": 2}, "d")):
        store = here.connect(**options)
        store.append("list", part)
        arrive(store)
    assert here.connect().get("list") == b"abcd"


@case(since="2.1")
def a_client_may_begin_with_appending_to_a_key_that_it_sends_by_itself(here):
    key = "k" * 2000  # clients send off what they have when that is more than a segment
    store = here.connect()
    store.append(key, "value")
    assert store.get(key) == b"value"


@case(since="2.1")
def many_values_are_set_and_got_in_one_request(here):
    store = here.connect()
    assert store.has_extended_api()
    store.multi_set(["a", "b", "a"], ["1", "", "2"])
    assert store.multi_get(["b", "a", "b"]) == [b"", b"2", b""]
    assert store.num_keys() == 2


@case(since="2.1")
def getting_many_values_waits_for_the_last_of_them(here):
    store = here.connect()
    store.set("a", "1")
    getting = here.start(here.connect().multi_get, ["a", "b", "c"])
    store.set("c", "3")
    begins_to_wait()
    assert not getting.done()
    store.set("b", "2")
    assert getting.result(AT_ONCE) == [b"1", b"2", b"3"]


@case(since="2.15")
def a_check_tells_whether_all_keys_are_there(here):
    store = here.connect()
    store.multi_set(["a", "b"], ["", ""])
    assert store.check(["a", "b", "a"]) and store.check([])
    assert not store.check(["a", "missing", "b"])


@case(since="2.15")
def keys_are_listed_without_what_is_not_the_users(here):
    store = here.connect(world_size=2)
    store.multi_set(["a", "b/c", ""], ["", "", ""])
    assert sorted(store.list_keys()) == ["", "a", "b/c"]
    assert store.num_keys() == 4


# ---- waiting

@case()
def a_wait_for_what_is_there_ends_at_once(here):
    store = here.connect()
    store.set("a", "")
    store.set("b", "")
    store.wait(["a", "b", "a"])
    store.wait(["b"], timedelta(seconds=1))


@case()
def a_wait_ends_when_the_last_of_its_keys_has_come_whichever_went_again(here):
    store = here.connect()
    waiting = here.start(here.connect().wait, ["a", "b", "c"])
    begins_to_wait()
    store.set("c", "")
    store.set("a", "")
    assert store.delete_key("c")
    begins_to_wait()
    assert not waiting.done()
    store.set("b", "")
    waiting.result(AT_ONCE)


def wakes(here, change):
    waiting = here.start(here.connect().wait, ["key"])
    begins_to_wait()
    change(here.connect())
    waiting.result(AT_ONCE)


@case()
def adding_wakes_who_waits(here):
    wakes(here, lambda store: store.add("key", 0))


@case(not_theirs={"1.13": WAKES_NOBODY, "2.1": WAKES_NOBODY})
def exchanging_wakes_who_waits(here):
    wakes(here, lambda store: store.compare_set("key", "", "value"))


@case(since="2.1")
def appending_wakes_who_waits(here):
    wakes(here, lambda store: store.append("key", "value"))


@case(since="2.1")
def setting_many_wakes_who_waits(here):
    wakes(here, lambda store: store.multi_set(["other", "key"], ["", ""]))


@case()
def a_hundred_who_wait_for_one_key_are_all_woken(here):
    waiting = [here.start(here.connect().get, "key") for _ in range(100)]
    begins_to_wait()
    here.connect().set("key", "value")
    assert {each.result(AT_ONCE) for each in waiting} == {b"value"}


@case()
def a_key_that_was_deleted_is_waited_for_again(here):
    store = here.connect()
    store.set("key", "first")
    assert store.delete_key("key")
    getting = here.start(here.connect().get, "key")
    begins_to_wait()
    assert not getting.done()
    store.set("key", "second")
    assert getting.result(AT_ONCE) == b"second"


@case()
def a_wait_for_a_missing_key_fails_in_the_asked_time(here):
    store = here.connect()
    with fails_after(0.3):
        store.wait(["missing"], timedelta(seconds=0.3))


@case()
def a_get_of_a_missing_key_fails_in_the_asked_time(here):
    store = here.connect(patience=0.3)
    with fails_after(0.3):
        store.get("missing")
    store.set_timeout(timedelta(seconds=0.6))
    with fails_after(0.6):
        here.prefix("deeper", store).get("missing")


def is_good(store):
    assert store.add("good sum", 1) == 1
    store.set("good", "value")
    assert store.get("good") == b"value"
    assert store.delete_key("good sum")
    assert store.compare_set("good", "value", "other") == b"other"
    assert store.num_keys() > 0


@case(not_theirs={"1.13": OUT_OF_STEP})
def a_connection_is_good_after_a_wait_that_failed(here):
    store, other = here.connect(), here.connect()
    with fails_after(0.3):
        store.wait(["missing"], timedelta(seconds=0.3))
    is_good(store)
    other.set("missing", "late")
    arrive(other)
    is_good(store)
    assert store.get("missing") == b"late"
    with fails_after(0.3):
        store.wait(["missing", "another"], timedelta(seconds=0.3))
    is_good(store)


@case(not_theirs={"1.13": OUT_OF_STEP})
def a_wait_that_failed_may_be_followed_by_any_request(here):
    other = here.connect()
    other.set("key", "value")
    arrive(other)
    follows = [lambda store: store.delete_key("nothing") is False,
               lambda store: store.num_keys() >= 1,
               lambda store: store.add("sum", 1) >= 1,
               lambda store: store.compare_set("key", "value", "value") == b"value",
               lambda store: store.get("key") == b"value",
               lambda store: store.wait(["key"]) is None,
               lambda store: store.set("free", "") or store.num_keys() >= 1]
    for number, follow in enumerate(follows):
        store = here.connect()
        # torch 1.13 waits for the next answers so long, too: a busy machine is to keep up.
        with fails_after(0.5):
            store.wait([f"missing {number}"], timedelta(seconds=0.5))
        assert follow(store), number
        other.set(f"missing {number}", "late")
        arrive(other)
        assert follow(store), number
        is_good(store)


@case(since="2.1")
def getting_many_values_fails_in_the_asked_time_when_one_is_missing(here):
    store = here.connect(patience=0.3)
    store.set("a", "")
    with fails_after(0.3):
        store.multi_get(["a", "missing"])
    is_good(store)


@case(since="2.1")  # older clients do not tell that they give up
def a_wait_that_has_failed_stays_so_whenever_its_key_comes(here):
    store, other = here.connect(), here.connect()
    for number in range(3):
        with fails_after(0.1):
            store.wait([f"missing {number}"], timedelta(seconds=0.1))
        other.set(f"missing {number}", "late")
        arrive(other)
        is_good(store)
        assert store.get(f"missing {number}") == b"late"


@case(since="2.1")
def a_wait_may_be_given_up_while_its_key_is_set(here):
    chance = random.Random(1)
    store, other = here.connect(), here.connect()
    outcomes = set()
    for number in range(150):
        key = f"key {number}"
        setting = here.start(lambda: (time.sleep(chance.uniform(0, 0.01)), other.set(key, key)))
        try:
            store.wait([key], timedelta(milliseconds=5))
            outcomes.add("came")
        except RuntimeError:
            outcomes.add("given up")
        setting.result(AT_ONCE)
        assert store.get(key) == key.encode()
        assert store.add("rounds", 1) == number + 1
    assert outcomes == {"came", "given up"}, outcomes


# ---- sizes and numbers

@case()
def a_value_may_have_8_mebibytes(here):
    value = random.Random(1).randbytes(MOST_VALUE)
    store = here.connect()
    store.set("large", value)
    assert store.get("large") == value
    assert here.connect().compare_set("large", value, value[::-1]) == value[::-1]
    assert store.get("large") == value[::-1]


@case(not_theirs={"1.13": NO_LIMIT, "2.1": NO_LIMIT})
def who_sets_a_larger_value_is_sent_away_alone(here):
    store, other = here.connect(), here.connect()
    other.set("key", "value")
    arrive(other)
    with fails_at_once():
        store.set("large", bytes(MOST_VALUE + 1))
        store.get("key")
    assert other.get("key") == b"value"
    assert other.num_keys() == 1
    assert here.connect().get("key") == b"value"


@case(not_theirs={"1.13": NO_LIMIT, "2.1": NO_LIMIT})
def a_key_may_have_8_kibibytes_and_no_more(here):
    store, other = here.connect(), here.connect()
    longest = "k" * (MOST_KEY - 1)  # the client puts a slash in front
    store.set(longest, "value")
    assert other.get(longest) == b"value"
    with fails_at_once():
        store.set(longest + "k", "")
        store.num_keys()
    assert other.num_keys() == 1


@case(since="2.15")
def a_request_may_name_131072_keys_and_no_more(here):
    store, other = here.connect(), here.connect()
    store.set("k", "")
    assert store.check(["k"] * MOST_KEYS)
    with fails_at_once():
        store.check(["k"] * (MOST_KEYS + 1))
    assert other.get("k") == b""


@case()
def ten_thousand_keys_are_kept(here):
    store, other = here.connect(), here.connect()
    keys = [f"key/{number}" for number in range(10000)]
    for key in keys:
        store.set(key, key[::-1])
    assert store.num_keys() == 10000
    other.wait(keys)
    assert all(other.get(key) == key[::-1].encode() for key in keys)


@case(since="2.1")
def ten_thousand_keys_are_set_and_got_in_one_request(here):
    store = here.connect()
    keys = [f"key/{number}" for number in range(10000)]
    getting = here.start(here.connect().multi_get, keys)
    store.multi_set(keys, keys)
    assert getting.result(AT_ONCE) == [key.encode() for key in keys]


@case(since="2.15")
def ten_thousand_keys_are_listed(here):
    store = here.connect()
    keys = [f"key/{number}" for number in range(10000)]
    store.multi_set(keys, keys)
    assert sorted(store.list_keys()) == sorted(keys)


@case()
def a_thousand_values_are_set_without_an_answer_in_between(here):
    store = here.connect()
    for number in range(1000):
        store.set("key", str(number) * 200)
    assert store.get("key") == b"999" * 200


# ---- stores upon stores

@case()
def a_prefix_keeps_names_apart(here):
    plain = here.connect()
    outer = here.prefix("outer", plain)
    inner = here.prefix("inner", outer)
    for store, value in ((plain, "plain"), (outer, "outer"), (inner, "inner")):
        store.set("key", value)
    assert [plain.get(key) for key in ("key", "outer/key", "outer/inner/key")] == [b"plain", b"outer", b"inner"]
    assert inner.add("sum", 2) == 2 and plain.get("outer/inner/sum") == b"2"
    assert inner.compare_set("key", "inner", "new") == b"new" and outer.get("inner/key") == b"new"
    inner.wait(["key", "sum"])
    assert inner.delete_key("sum") and not outer.delete_key("sum")
    assert inner.num_keys() == plain.num_keys() == 3


@case(since="2.1")
def a_prefix_holds_for_requests_of_many(here):
    plain = here.connect()
    store = here.prefix("outer", here.prefix("inner", plain))
    assert store.has_extended_api()
    store.multi_set(["a", "b"], ["1", "2"])
    store.append("a", "!")
    assert store.multi_get(["a", "b"]) == plain.multi_get(["inner/outer/a", "inner/outer/b"]) == [b"1!", b"2"]


@case(since="2.15")
def a_prefix_holds_for_queues_and_lists(here):
    plain = here.connect()
    store = here.prefix("outer", here.prefix("inner", plain))
    store.queue_push("queue", "value")
    assert plain.queue_len("inner/outer/queue") == store.queue_len("queue") == 1
    assert store.queue_pop("queue") == b"value"
    store.set("key", "")
    assert plain.list_keys() == ["inner/outer/key"]
    assert store.check(["key"]) and not plain.check(["key"])


@case(since="2.15")
def a_clone_is_a_connection_of_its_own_to_the_same_keys(here):
    store = here.connect(world_size=2)
    clone = store.clone()
    waiting = here.start(store.get, "key")
    begins_to_wait()
    assert clone.num_keys() == 1  # "init/": a clone does not join
    clone.set("key", "value")
    assert waiting.result(AT_ONCE) == b"value"
    deeper = here.prefix("deeper", store).clone()
    deeper.set("key", "other")
    assert store.get("deeper/key") == b"other"


# ---- queues

@case(since="2.15")
def a_queue_gives_the_oldest_first(here):
    store, other = here.connect(), here.connect()
    assert store.queue_len("queue") == 0
    for value in (b"first", b"", bytes(range(256))):
        store.queue_push("queue", value)
    arrive(store)
    assert other.queue_len("queue") == 3
    assert [other.queue_pop("queue") for _ in range(3)] == [b"first", b"", bytes(range(256))]
    assert store.queue_len("queue") == 0


@case(since="2.15")
def a_queue_is_no_key_though_it_may_be_waited_for(here):
    store = here.connect()
    store.queue_push("name", "in the queue")
    assert store.num_keys() == 0 and store.list_keys() == []
    assert store.check(["name"])  # what a wait would wait for is there
    store.set("name", "in the store")
    assert store.get("name") == b"in the store"
    assert store.delete_key("name") and not store.delete_key("name")
    assert store.queue_pop("name") == b"in the queue"
    assert not store.check(["name"])


@case(since="2.15")
def a_queue_that_has_something_ends_a_wait_for_its_name(here):
    store = here.connect()
    store.queue_push("queue", "value")
    here.connect().wait(["queue"])
    assert store.queue_pop("queue") == b"value"
    with fails_after(0.3):
        store.wait(["queue"], timedelta(seconds=0.3))


@case(since="2.15")
def taking_from_an_empty_queue_fails_at_once_when_it_shall_not_wait(here):
    store = here.connect()
    with fails_at_once():
        store.queue_pop("queue", block=False)
    store.queue_push("queue", "value")
    assert store.queue_pop("queue", block=False) == b"value"


@case(since="2.15")
def taking_from_an_empty_queue_fails_in_the_asked_time(here):
    store = here.connect(patience=0.3)
    with fails_after(0.3):
        store.queue_pop("queue")
    is_good(store)
    store.queue_push("queue", "value")
    assert store.queue_pop("queue") == b"value"


@case(since="2.15")
def each_push_wakes_one_of_those_who_wait(here):
    store = here.connect()
    poppers = [here.start(here.connect().queue_pop, "queue") for _ in range(3)]
    for value in (b"first", b"second", b"third"):
        begins_to_wait()
        assert not any(popper.done() for popper in poppers)
        store.queue_push("queue", value)
        woken = here.first_of(poppers, AT_ONCE)
        assert woken.result() == value
        poppers.remove(woken)
    assert store.queue_len("queue") == 0


@case(since="2.15")
def a_push_passes_by_who_has_given_up(here):
    impatient, patient = here.connect(patience=0.3), here.connect()
    gone = here.start(impatient.queue_pop, "queue")
    begins_to_wait()
    popping = here.start(patient.queue_pop, "queue")
    with fails_after(0):
        gone.result(AT_ONCE)
    here.connect().queue_push("queue", "value")
    assert popping.result(AT_ONCE) == b"value"


@case(since="2.15")
def a_push_passes_by_who_was_killed(here):
    gone = here.fork(lambda: here.connect().queue_pop("queue"))
    begins_to_wait()
    popping = here.start(here.connect().queue_pop, "queue")
    begins_to_wait()
    gone.kill()
    here.connect().queue_push("queue", "value")
    assert popping.result(AT_ONCE) == b"value"


# ---- barriers

@case(since="2.15")
def a_barrier_holds_all_until_the_last_has_come(here):
    waiting = [here.start(here.connect().barrier, "barrier", 3) for _ in range(2)]
    begins_to_wait()
    assert not any(each.done() for each in waiting)
    here.connect().barrier("barrier", 3)
    for each in waiting:
        each.result(AT_ONCE)
    store = here.connect()
    assert store.get("barrier") == b"3"
    store.barrier("barrier", 3)  # who comes later is let through


@case(since="2.15")
def who_waits_for_the_key_of_a_barrier_is_woken_when_it_opens(here):
    waiting = here.start(here.connect().wait, ["barrier"])
    begins_to_wait()
    first = here.start(here.connect().barrier, "barrier", 2)
    begins_to_wait()
    assert not waiting.done() and not first.done()
    here.connect().barrier("barrier", 2)
    waiting.result(AT_ONCE)
    first.result(AT_ONCE)


@case(since="2.15")
def a_barrier_fails_in_the_asked_time_and_still_counts_who_has_come(here):
    store = here.connect()
    with fails_after(0.3):
        store.barrier("barrier", 2, timedelta(seconds=0.3))
    is_good(store)
    here.connect().barrier("barrier", 2)


@case(since="2.15")
def a_barrier_below_a_prefix_holds_all_until_the_last_has_come(here):
    deep = [here.prefix("outer", here.prefix("inner", here.connect())) for _ in range(3)]
    waiting = [here.start(store.barrier, "barrier", 3) for store in deep[:2]]
    begins_to_wait()
    assert not any(each.done() for each in waiting)
    deep[2].barrier("barrier", 3)
    for each in waiting:
        each.result(AT_ONCE)


# ---- many clients

@case()
def a_hundred_clients_in_four_processes_find_what_the_others_set(here):
    def one_process(number):
        clients = [here.connect(world_size=100) for _ in range(25)]
        for index, client in enumerate(clients):
            client.set(f"from {number} {index}", f"{number} {index}")
            client.add("sum", 1)
        for index, client in enumerate(clients):
            for other in range(4):
                assert client.get(f"from {other} {index}") == f"{other} {index}".encode()
        clients[0].add("done", 1)

    for process in [here.fork(lambda number=number: one_process(number)) for number in range(4)]:
        process.result()
    store = here.connect()
    assert store.get("sum") == b"100" and store.get("done") == b"4"


@case()
def exchanging_is_a_lock_between_processes(here):
    def one_process(name):
        store = here.connect()
        for _ in range(50):
            while store.compare_set("lock", "free", name) != name.encode():
                time.sleep(0.001)
            store.set("sum", str(int(store.get("sum")) + 1))
            assert store.compare_set("lock", name, "free") == b"free"

    store = here.connect()
    store.set("lock", "free")
    store.set("sum", "0")
    arrive(store)
    for process in [here.fork(lambda name=name: one_process(name)) for name in ("a", "b", "c")]:
        process.result()
    assert store.get("sum") == b"150"


@case()
def who_is_killed_while_waiting_leaves_the_others_alone(here):
    gone = [here.fork(lambda: here.connect().get("key")) for _ in range(3)]
    begins_to_wait()
    waiting = here.start(here.connect().get, "key")
    begins_to_wait()
    for child in gone:
        child.kill()
    here.connect().set("key", "value")
    assert waiting.result(AT_ONCE) == b"value"
    is_good(here.connect())


@case()
def who_waits_learns_at_once_that_the_server_is_gone(here):
    waiting = here.start(here.connect().get, "key")
    begins_to_wait()
    here.server.end()
    with fails_at_once():
        waiting.result(AT_ONCE)


@case(not_theirs={release: "has its own descriptors in this process" for release in RELEASES})
def a_client_goes_on_when_silent_connections_make_room(here):
    """Before torch 2.1 its own second connection is the first of them."""
    store = here.connect(world_size=1)
    store.set("key", "value")
    arrive(store)
    resource.prlimit(here.server.process.pid, resource.RLIMIT_NOFILE, (40, 40))
    strangers = [socket.create_connection(("127.0.0.1", here.server.port), AT_ONCE) for _ in range(100)]
    assert strangers[0].recv(1) == b""  # and whoever was silent before it
    is_good(here.connect())
    assert store.get("key") == b"value"
    is_good(store)


# ---- who joins again

def join_again_and_again(here, rank, rounds):
    """What init_process_group, destroy_process_group and init_process_group do."""
    for number in range(rounds):
        store = here.connect(world_size=2)
        store.set(f"address {rank}", f"{rank} in round {number}")
        found = store.get(f"address {1 - rank}").decode()
        assert found == f"{1 - rank} in round {number}", found
        del store


@case(world_size=2, not_theirs={release: OLD_KEYS for release in RELEASES})
def all_who_join_again_find_none_of_the_old_keys(here):
    for process in [here.fork(lambda rank=rank: join_again_and_again(here, rank, 20)) for rank in (0, 1)]:
        process.result()
