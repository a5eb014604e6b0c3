"""dogpile.cache on dbm.gnu, as a child of the benchmark: reads and writes, and the time of each."""

import dbm
import random
import sys
import time

from dogpile.cache import make_region
from dogpile.cache.api import NO_VALUE

file, calls, keys, seed = sys.argv[1], *map(int, sys.argv[2:5])
region = make_region().configure("dogpile.cache.dbm", arguments={"filename": file})
value = bytes(1024)
if seed == 0:
    for number in range(keys):
        region.set(f"key:{number}", value)
# Which `dbm` takes for new files where it has several is the Python's choice.
assert dbm.whichdb(file) == "dbm.gnu", dbm.whichdb(file)
print("ready", flush=True)
sys.stdin.readline()
chosen = random.Random(seed)
times = []
for _ in range(calls):
    key = f"key:{chosen.randrange(keys)}"
    if chosen.randrange(10) < 7:
        began = time.perf_counter_ns()
        found = region.get(key)
        times.append(("get", time.perf_counter_ns() - began))
        assert found is not NO_VALUE
    else:
        began = time.perf_counter_ns()
        region.set(key, value)
        times.append(("set", time.perf_counter_ns() - began))
for kind, took in times:
    print(kind, took)
