"""The gate beside its peers and the floor, on one Redis in one run. `python bench/ratelimit.py`; about four minutes.

Needs requirements-bench.txt. The floor is what any limiter of one round trip stands on: EVALSHA of `return 1` through
redis-py's own client, with the gate's timeouts. "held" is the gate as the product uses it, "client" the same on
connections that redis-py's client lends for each call, as behind a Sentinel, "cluster" through the whole client, as on
a Cluster. Every peer runs at its fastest setting; those without several limits loop over them.

Cases take turns in short slices, and medians are shown: whatever else the machine does, it does to all of them. With
one process, Redis and the client share one core, so a call takes as long as the work of both. Ratios are of the median
call, which other programs disturb least; on a machine at rest they are those of the rates.

  speed   ops/s with 1 and 8 processes, with one and three limits; p50 and p99 of one call; bytes a key after ten calls
  law     8 processes on one key of 50/s, burst 50: granted / permitted by the bucket law, and the worst excess of any
          interval. Window limiters promise something else (50 in a window); the column says by how much.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import redis

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from huntaze.laptop.environment import free_ports, redis_server
from ratelimit import server
from ratelimit.bucket import Ask, Bucket, Limit, Taken

SLICE_SECONDS, ROUNDS, PROCESSES, KEYS, LAW_SECONDS = 0.25, 9, 8, 100, 4.0
PERIODS = (60, 3_600, 86_400)
#: Never used up, so that every call is a grant, which costs more than a denial.
PLENTY = [(1_000_000 * number, period) for number, period in enumerate(PERIODS, start=1)]
#: What a creator may have, for the bytes.
REAL = list(zip((10, 80, 250), PERIODS, strict=True))

#: Asks once for a key; the answer says whether it was granted, and when if the server said so (seconds).
Call = Callable[[str], tuple[bool, float | None]]
Windows = Sequence[tuple[int, int]]


def floor(port: int, _windows: Windows) -> Call:
    client = redis.Redis(port=port, **server._OPTIONS)
    sha = client.script_load("return 1")
    return lambda key: (bool(client.evalsha(sha, 1, key)), None)


def held(port: int, windows: Windows) -> Call:
    return _ours(Bucket.at(f"127.0.0.1:{port}"), windows)


def client(port: int, windows: Windows) -> Call:
    lender = redis.Redis(port=port, **server._OPTIONS).connection_pool
    return _ours(Bucket(server._PooledConnections(lender, Bucket.script)), windows)


def cluster(port: int, windows: Windows) -> Call:
    through = server._Client(lambda: redis.Redis(port=port, **server._OPTIONS), Bucket.script)
    return _ours(Bucket(through), windows)


def _ours(bucket: Bucket, windows: Windows) -> Call:
    law = [Limit(limit, period, limit) for limit, period in windows]

    def call(key: str) -> tuple[bool, float | None]:
        answer = bucket.take(key, law)
        return (True, answer.granted_at_us / 1e6) if isinstance(answer, Taken) else (False, None)

    return call


def limits(port: int, windows: Windows, *, strategy: str) -> Call:
    from limits import RateLimitItemPerSecond
    from limits import strategies as known
    from limits.storage import RedisStorage

    limiter = getattr(known, strategy)(RedisStorage(f"redis://127.0.0.1:{port}"))
    items = [RateLimitItemPerSecond(limit, period) for limit, period in windows]
    return lambda key: (all(limiter.hit(item, key) for item in items), None)


def pyrate(port: int, windows: Windows) -> Call:
    from pyrate_limiter import Rate, RateItem, StateBucket, TokenBucket
    from pyrate_limiter.buckets.redis_state import RedisStateStore

    connected, rates, algorithm = redis.Redis(port=port), [Rate(n, s * 1_000) for n, s in windows], TokenBucket()
    buckets: dict[str, StateBucket] = {}

    def call(key: str) -> tuple[bool, float | None]:
        if key not in buckets:
            buckets[key] = StateBucket(rates, algorithm, RedisStateStore(connected, key))
        return bool(buckets[key].put(RateItem(key, int(time.time() * 1_000)))), None

    return call


def throttled(port: int, windows: Windows) -> Call:
    from throttled import RedisStore, Throttled, rate_limiter

    store = RedisStore(server=f"redis://127.0.0.1:{port}/0")
    asked = [
        Throttled(
            using="gcra", quota=rate_limiter.per_duration(timedelta(seconds=s), n, n), store=store, key_prefix=f"w{s}"
        )
        for n, s in windows
    ]
    return lambda key: (not any(one.limit(key).limited for one in asked), None)


def drf(port: int, windows: Windows) -> Call:
    from django.conf import settings

    if not settings.configured:
        cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": f"redis://127.0.0.1:{port}"}
        settings.configure(CACHES={"default": cache}, REST_FRAMEWORK={}, USE_TZ=True)
    from rest_framework.throttling import SimpleRateThrottle

    class Throttle(SimpleRateThrottle):
        def __init__(self, limit: int, period: int) -> None:
            self.num_requests, self.duration, self.key = limit, period, ""
            self.rate = "set"

        def get_cache_key(self, request: object, view: object) -> str:
            return f"{self.duration}:{request}"

    asked = [Throttle(*window) for window in windows]
    # Of a request and a view it asks only the key, which is what comes in the request's place.
    return lambda key: (all(one.allow_request(key, None) for one in asked), None)  # type: ignore[arg-type]


CASES: dict[str, Callable[[int, Windows], Call]] = {
    "floor: EVALSHA return 1": floor,
    "gate, held": held,
    "gate, client": client,
    "gate, cluster": cluster,
    "limits, fixed window": partial(limits, strategy="FixedWindowRateLimiter"),
    "limits, moving window": partial(limits, strategy="MovingWindowRateLimiter"),
    "pyrate-limiter, token bucket": pyrate,
    "throttled-py, gcra": throttled,
    "DRF SimpleRateThrottle": drf,
}
FLOOR, HELD, CLIENT = list(CASES)[:3]
PEERS = list(CASES)[4:]


def new_keys(number: int = KEYS) -> list[str]:
    return [f"rl:{{{uuid.uuid4()}}}" for _key in range(number)]


def one_slice(call: Call, keys: Sequence[str], seconds: float) -> tuple[float, list[float]]:
    """Calls a second, and how long each took (microseconds)."""
    took: list[float] = []
    clock, begun = time.perf_counter, time.perf_counter()
    while (now := clock()) < begun + seconds:
        call(keys[len(took) % len(keys)])
        took.append((clock() - now) * 1e6)
    return len(took) / (clock() - begun), took


def alone(port: int, admin: "redis.Redis", windows: Windows) -> dict[str, tuple[float, float, float]]:
    """Per case: median rate, p50 and p99 of a call."""
    calls, keys = {name: make(port, windows) for name, make in CASES.items()}, new_keys()
    rates: dict[str, list[float]] = {name: [] for name in CASES}
    took: dict[str, list[float]] = {name: [] for name in CASES}
    for number in range(ROUNDS + 1):
        for name, call in calls.items():
            admin.flushdb()
            rate, times = one_slice(call, keys, SLICE_SECONDS)
            if number:
                rates[name].append(rate)
                took[name] += times
    return {name: (statistics.median(rates[name]), *_percentiles(took[name])) for name in CASES}


def together(port: int, admin: "redis.Redis", windows: Windows) -> dict[str, float]:
    """Per case: the rate of eight processes."""
    context, rates = multiprocessing.get_context("fork"), dict[str, float]()
    for name in CASES:
        admin.flushdb()
        start = context.Barrier(PROCESSES)
        with context.Pool(PROCESSES, _begin, (start,)) as pool:
            rates[name] = sum(pool.map(_one_of_many, PROCESSES * [(name, port, windows)], chunksize=1))
    return rates


_start: "multiprocessing.synchronize.Barrier"


def _begin(start: "multiprocessing.synchronize.Barrier") -> None:
    global _start
    _start = start


def _one_of_many(asked: tuple[str, int, Windows]) -> float:
    name, port, windows = asked
    call, keys = CASES[name](port, windows), new_keys()
    call(keys[0])
    _start.wait(30)
    return one_slice(call, keys, 4 * SLICE_SECONDS)[0]


def grants(port: int, admin: "redis.Redis", name: str) -> tuple[float, float]:
    """Granted over permitted, and the worst excess in tokens, of eight processes on one key."""
    admin.flushdb()
    context = multiprocessing.get_context("fork")
    start = context.Barrier(PROCESSES)
    with context.Pool(PROCESSES, _begin, (start,)) as pool:
        lists = pool.map(_grants_of_one, PROCESSES * [(name, port)], chunksize=1)
    times = sorted(at for one in lists for at in one)
    times = [at - times[0] for at in times]
    rate, burst, lowest, excess = 50.0, 50.0, float("inf"), 0.0
    for place, at in enumerate(times):
        lowest = min(lowest, place - rate * at)
        excess = max(excess, place + 1 - rate * at - lowest - burst)
    return len(times) / (burst + rate * times[-1]), excess


def _grants_of_one(asked: tuple[str, int]) -> list[float]:
    name, port = asked
    call, times = CASES[name](port, [(50, 1)]), list[float]()
    _start.wait(30)
    until = time.time() + LAW_SECONDS
    while time.time() < until:
        granted, at = call("rl:{contended}")
        if granted:
            times.append(at or time.time())
    return times


def bytes_of(port: int, admin: "redis.Redis", name: str, windows: Windows) -> int:
    """What Redis keeps of one subject after ten calls, its keys and their values."""
    admin.flushdb()
    call, key = CASES[name](port, windows), new_keys(1)[0]
    for _call in range(10):
        call(key)
    return sum(admin.memory_usage(found) or 0 for found in admin.scan_iter())


def many(port: int, admin: "redis.Redis") -> float:
    """take_many of 100 keys: keys a second over takes a second, three limits, alternating slices."""
    bucket, law = Bucket.at(f"127.0.0.1:{port}"), [Limit(limit, period, limit) for limit, period in PLENTY]
    single, ratios = _ours(bucket, PLENTY), list[float]()
    keys = new_keys()
    asks = [Ask(key, law) for key in keys]
    for _round in range(ROUNDS):
        admin.flushdb()
        one = one_slice(single, keys, SLICE_SECONDS)[0]
        hundred = one_slice(lambda _key: (bool(bucket.take_many(asks)), None), keys, SLICE_SECONDS)[0]
        ratios.append(100 * hundred / one)
    return statistics.median(ratios)


def _percentiles(took: list[float]) -> tuple[float, float]:
    ordered = sorted(took)
    return ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]


def main() -> None:
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        command = [redis_server(), "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            run(port, process.pid)
        finally:
            process.kill()
            process.wait()


def run(port: int, redis_pid: int) -> None:
    admin = redis.Redis(port=port)
    while True:
        try:
            admin.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.05)
    print(f"Redis {admin.info()['redis_version']}, redis-py {redis.__version__}, load {os.getloadavg()[0]:.1f}")
    one_core = {max(os.sched_getaffinity(0))}
    all_cores = os.sched_getaffinity(0)
    for pid in (0, redis_pid):
        os.sched_setaffinity(pid, one_core)
    once, thrice, batch = (alone(port, admin, PLENTY[:1]), alone(port, admin, PLENTY), many(port, admin))
    for pid in (0, redis_pid):
        os.sched_setaffinity(pid, all_cores)
    once8, thrice8 = together(port, admin, PLENTY[:1]), together(port, admin, PLENTY)
    head = (
        f"{'':30}{'1 limit':>9}{'x8':>9}{'3 limits':>10}{'/floor':>8}{'x8':>9}{'p50':>7}{'p99':>7}{'bytes':>7}{'x3':>7}"
    )
    print(f"\n{head}{'granted':>9}{'excess':>8}")
    law: dict[str, tuple[float, float]] = {}
    for name in CASES:
        rate, p50, p99 = thrice[name]
        row = f"{name:30}{once[name][0]:9,.0f}{once8[name]:9,.0f}{rate:10,.0f}{thrice[FLOOR][1] / p50:8.2f}"
        row += f"{thrice8[name]:9,.0f}{p50:7.0f}{p99:7.0f}"
        if name != FLOOR:
            law[name] = grants(port, admin, name)
            row += f"{bytes_of(port, admin, name, REAL[:1]):7}{bytes_of(port, admin, name, REAL):7}"
            row += f"{law[name][0]:9.3f}{law[name][1]:8.2f}"
        print(row)
    best = min(thrice[name][1] for name in PEERS)
    goals = [
        ("three limits, held connection / floor", thrice[FLOOR][1] / thrice[HELD][1], 1.1),
        ("three limits, ordinary client / floor", thrice[FLOOR][1] / thrice[CLIENT][1], 0.75),
        ("three limits, held connection / best peer", best / thrice[HELD][1], 1.5),
        ("take_many of 100 keys / single", batch, 3.0),
        ("granted / permitted", law[HELD][0], 0.995),
        ("128 / bytes a key", 128 / bytes_of(port, admin, HELD, REAL), 1.0),
    ]
    print()
    for words, figure, goal in goals:
        print(f"{words:45}{figure:7.3f}  goal {goal:5.3f}  {'met' if figure >= goal else 'MISSED'}")
    print(f"{'over-grant, tokens':45}{law[HELD][1]:7.3f}  goal  none  {'met' if law[HELD][1] < 0.001 else 'MISSED'}")


if __name__ == "__main__":
    main()
