"""dogpile.cache on a server, as a child of the benchmark: it is told what to do in lines, and answers in lines."""

import json
import sys
import threading
import time

from dogpile.cache import make_region
from dogpile.cache.api import NO_VALUE

backend, arguments = sys.argv[1], json.loads(sys.argv[2])
count, several, length = map(int, sys.argv[3:6])
region = make_region(key_mangler=lambda key: f"py:{key}")
region.configure(backend, expiration_time=3600, arguments=arguments)
keys = [f"key:{number % count}" for number in range(count + several)]
value = bytes([7]) * length


def get(at):
    assert region.get(keys[at]) is not NO_VALUE


def set(at):
    region.set(keys[at], value)


def get_multi(at):
    assert NO_VALUE not in region.get_multi(keys[at : at + several])


def set_multi(at):
    region.set_multi({key: value for key in keys[at : at + several]})


def run(call, thread, calls, barrier, spans):
    barrier.wait()
    start = time.monotonic_ns()
    for number in range(calls):
        call((thread * 331 + number * 7) % count)
    spans.append((start, time.monotonic_ns()))


def together(threads, target, *arguments):
    threads = [threading.Thread(target=target, args=(thread, *arguments)) for thread in range(threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def turn(call, threads, calls):
    barrier, spans = threading.Barrier(threads), []
    together(threads, lambda thread: run(call, thread, calls, barrier, spans))
    print(min(span[0] for span in spans), max(span[1] for span in spans), flush=True)


def hold(key):
    ended = []

    def creator():
        print("creating", flush=True)
        sys.stdin.readline()
        ended.append(time.monotonic_ns())
        return value

    region.get_or_create(key, creator)
    print(ended[0], flush=True)


def wait(key, threads):
    created, back = [], []

    def call(_):
        region.get_or_create(key, lambda: created.append(1) or value)
        back.append(time.monotonic_ns())

    together(threads, call)
    print(max(back), len(created), flush=True)


for number in range(count):
    set(number)
print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    what, *arguments = line.split()
    if what == "hold":
        hold(arguments[0])
    elif what == "wait":
        wait(arguments[0], int(arguments[1]))
    else:
        call = {"get": get, "set": set, "get_multi": get_multi, "set_multi": set_multi}[what]
        turn(call, *map(int, arguments))
