"""Celery on Amazon SQS, measured on the pinned versions. Run `python bench/broker.py [section ...]`; under 5 minutes.

moto serves SQS in a process of its own, every worker is a real prefork worker in a process group of its own, and a
small HTTP proxy in this process counts requests and misbehaves on demand. Everything listens on 127.0.0.1.

  latency    publish to start on an idle queue: does wait_time_seconds or polling_interval change it?
  rate       tasks per second: what do concurrency and the prefetch multiplier buy?
  failure    a task raises, its process dies, its worker dies, it runs out of time: when does it run again, how often?
  swallowed  a message published just after a worker left: who gets it?
  faults     SQS answers 503 or 403, refuses, or never answers: does the worker live, spin, consume again?
  stop       SIGTERM: how long does it take, and what becomes of the running task?
  requests   what do tasks and idle minutes cost in SQS requests?
  publish    SQS is out of reach: after how many seconds does which exception come?
  facts      what else the code relies on: first publish, fork, region, size, calls at the start
"""

import base64
import http.client
import json
import logging
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import boto3
from celery import Celery
from celery.bin.celery import celery as command_line

logger = logging.getLogger(__name__)

Options = dict[str, Any]
REGION = "eu-west-1"
VISIBILITY = 8
ERRORS = {400: "ThrottlingException", 403: "AccessDenied", 503: "ServiceUnavailable"}
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
STARTED: list[subprocess.Popen[bytes]] = []
PRUDENT = {"connect_timeout": 2, "read_timeout": 3, "retries": {"total_max_attempts": 1}}


# The application: one task, which writes what happens to it into a file that survives every kill.


def make_app(options: Options) -> Celery:
    app = Celery("bench", broker="sqs://")
    app.conf.update(
        broker_transport="onlyfans.broker:Transport" if options.get("repaired") else None,
        task_default_queue=options["queue"],
        broker_transport_options={
            "region": REGION,
            "wait_time_seconds": 5,
            "predefined_queues": {options["queue"]: {"url": options["url"]}},
            **options.get("transport", {}),
        },
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_acks_on_failure_or_timeout=False,
        task_ignore_result=True,
        task_publish_retry=False,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    app.conf.update(options.get("conf", {}))

    @app.task(name="bench.step", bind=True)
    def step(self: Any, key: str, sent: float, act: str = "", work: float = 0) -> None:
        def note(event: str) -> None:
            line = {"event": event, "key": key, "sent": sent, "at": time.time(), "pid": os.getpid(),
                    "redelivered": (self.request.delivery_info or {}).get("redelivered")}  # fmt: skip
            with open(options["ledger"], "a") as ledger:
                ledger.write(json.dumps(line) + "\n")

        note("start")
        time.sleep(work)
        if act == "raise":
            raise ValueError("as asked")
        if act == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        note("end")

    return app


def run_worker(options: Options) -> None:
    make_app(options).set_current()
    quiet = ["--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    command_line(["worker", "--pool=prefork", f"--concurrency={options.get('concurrency', 2)}", *quiet])


def run_moto(_: Options) -> None:
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print("http://{}:{}".format(*server.get_host_and_port()), flush=True)
    signal.pause()


def run_publish(options: Options) -> None:
    """Publish once in a fresh process; say how long it took and what came out of it."""
    began = time.perf_counter()
    app = make_app(options)
    outcomes = []
    for _ in range(options.get("times", 1)):
        outcome = "ok"
        try:
            app.send_task("bench.step", ("x" * options.get("size", 1), time.time()))
        except Exception as error:
            outcome = type(error).__name__
            if error.__cause__:
                outcome += f" from {type(error.__cause__).__name__}"
        outcomes.append([round(time.perf_counter() - began, 3), outcome])
        began = time.perf_counter()
    print(json.dumps(outcomes))


def run_fork(options: Options) -> None:
    """Publish, fork twice, publish from all three at once: is a client made before the fork safe to share?"""
    app = make_app(options)
    app.send_task("bench.step", ("fork", time.time()))
    children = [os.fork() for _ in range(2)] if options.get("fork") else []
    failed = 0
    for _ in range(40):
        try:
            app.send_task("bench.step", ("fork", time.time()))
        except Exception:
            failed += 1
    if 0 in children:
        os._exit(min(failed, 100))
    for child in children:
        failed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(failed))


# The stage: processes, queues, and a proxy that counts and misbehaves.


def spawn(role: str, options: Options, endpoint: str = "", **kwargs: Any) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environment |= CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint} | options.get("environment", {})
    command = [sys.executable, __file__, "--role", role, json.dumps(options)]
    process = subprocess.Popen(command, env=environment, start_new_session=True, **kwargs)
    STARTED.append(process)
    return process


def ask(role: str, options: Options, endpoint: str, timeout: float = 30) -> Any:
    process = spawn(role, options, endpoint, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        return json.loads(process.communicate(timeout=timeout)[0] or "null")
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return None


class Proxy:
    """An HTTP proxy in front of moto. `faults` maps an SQS action to a status, "hang" or "drop"."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream.removeprefix("http://")
        self.counts: Counter[str] = Counter()
        self.faults: dict[str, int | str] = {}
        self.once = False
        self.bodies: list[tuple[str, bytes]] = []
        self.open: set[socket.socket] = set()
        self.server = self.listen(0)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def listen(self, port: int) -> ThreadingHTTPServer:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                proxy.open.add(self.request)
                super().setup()

            def finish(self) -> None:
                proxy.open.discard(self.request)
                with suppress(OSError):
                    super().finish()

            def log_message(self, *args: Any) -> None: ...

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                action = self.headers["X-Amz-Target"].partition(".")[2]
                proxy.counts[action] += 1
                proxy.bodies.append((self.headers.get("Authorization", ""), body))
                fault = proxy.faults.get(action) or proxy.faults.get("*")
                if fault and proxy.once:
                    proxy.faults = {}
                if fault == "hang":
                    time.sleep(3600)
                if fault == "drop":
                    self.close_connection = True
                    return
                assert not isinstance(fault, str)
                with suppress(OSError, http.client.HTTPException):
                    self.answer(*(proxy.refuse(fault) if fault else proxy.forward(self.headers, body)))

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None: ...

        server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

    def refuse(self, status: int) -> tuple[int, bytes]:
        return status, json.dumps({"__type": f"com.amazonaws.sqs#{ERRORS[status]}", "message": "as asked"}).encode()

    def forward(self, headers: Any, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        with suppress(KeyError):
            del headers["Accept-Encoding"]
        connection.request("POST", "/", body, dict(headers))
        answer = connection.getresponse()
        return answer.status, answer.read()

    def down(self) -> None:
        """Refuse connections and cut the open ones."""
        self.server.shutdown()
        self.server.server_close()
        for peer in list(self.open):
            with suppress(OSError):
                peer.shutdown(socket.SHUT_RDWR)

    def up(self) -> None:
        self.server = self.listen(self.port)


class Stage:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.moto = spawn("moto", {}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.moto.stdout
        self.url = self.moto.stdout.readline().decode().strip()
        os.environ |= CREDENTIALS | {"AWS_ENDPOINT_URL": self.url}
        self.sqs = boto3.client("sqs", region_name=REGION)
        self.made = 0

    def queue(self, dead: str = "", visibility: int = VISIBILITY) -> tuple[str, str]:
        self.made += 1
        name = f"q{self.made}"
        attributes: Any = {"VisibilityTimeout": str(visibility)}
        if dead:
            found = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
            redrive = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": 3}
            attributes["RedrivePolicy"] = json.dumps(redrive)
        return name, self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]

    def count(self, url: str) -> tuple[int, int]:
        names: Any = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


class Worker:
    """A queue, its dead-letter queue, a publisher that goes straight to moto, and a worker (through `proxy`)."""

    def __init__(self, stage: Stage, proxy: Proxy | None = None, start: bool = True, **options: Any) -> None:
        self.stage, self.endpoint = stage, proxy.url if proxy else stage.url
        self.dead = stage.queue()[1]
        name, self.url = stage.queue(self.dead, options.pop("visibility", VISIBILITY))
        self.ledger = stage.folder / f"{name}.jsonl"
        self.ledger.touch()
        self.log = stage.folder / f"{name}.log"
        self.options = {"queue": name, "url": self.url, "ledger": str(self.ledger), **options}
        self.app = make_app(self.options)
        if start:
            self.start()
            self.warm()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = spawn("worker", self.options, self.endpoint, stdout=log, stderr=log)

    def warm(self) -> None:
        """Run one task, then let the next long poll open."""
        key = self.send()
        assert self.wait(key, event="end", timeout=20), self.log.read_text()
        time.sleep(0.6)

    def send(self, act: str = "", work: float = 0, key: str = "") -> str:
        key = key or os.urandom(4).hex()
        self.app.send_task("bench.step", (key, time.time(), act, work))
        return key

    def events(self, key: str = "", event: str = "start") -> list[Options]:
        lines = [json.loads(line) for line in self.ledger.read_text().splitlines()]
        return [line for line in lines if line["event"] == event and key in ("", line["key"])]

    def wait(self, key: str, event: str = "start", times: int = 1, timeout: float = 10) -> list[Options]:
        until(lambda: len(self.events(key, event)) >= times, timeout)
        return self.events(key, event)

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self) -> bool:
        return self.process.poll() is None

    def terminate(self) -> float:
        began = time.perf_counter()
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(45)
        return time.perf_counter() - began

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


Fault = Callable[[Proxy, Worker], None]


def until(done: Callable[[], Any], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while not (found := bool(done())) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found


@contextmanager
def workers(*made: Worker) -> Iterator[tuple[Worker, ...]]:
    try:
        yield made
    finally:
        for worker in made:
            worker.kill()


def together(*calls: Callable[[], list[str]], at_once: int = 8) -> list[list[str]]:
    with ThreadPoolExecutor(at_once) as pool:
        return [future.result() for future in [pool.submit(call) for call in calls]]


# The sections. Each returns rows: what was asked, of what, and what was seen.


def latency(stage: Stage) -> list[list[str]]:
    cases: list[Options] = [
        {"wait_time_seconds": wait} | ({} if interval is None else {"polling_interval": interval})
        for wait in (5, 20)
        for interval in (None, 0.02, 0, 1)
    ]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda case: Worker(stage, transport=case), cases))
    with workers(*made):
        for _ in range(20):
            for worker in made:
                worker.send(key="sample")
                time.sleep(0.05)
        rows = []
        for case, worker in zip(cases, made, strict=True):
            events = worker.wait("sample", times=20)
            delays = sorted(1000 * (event["at"] - event["sent"]) for event in events)
            seen = f"p50 {statistics.median(delays):.0f} ms, p95 {delays[18]:.0f} ms, {len(delays)} of 20"
            interval = case.get("polling_interval", "unset")
            rows.append([f"wait {case['wait_time_seconds']}, polling_interval {interval}", seen])
    return rows


def rate(stage: Stage) -> list[list[str]]:
    def measure(tasks: int, work: float, proxy: Proxy | None = None, **options: Any) -> list[str]:
        worker = Worker(stage, proxy, start=False, visibility=60, **options)
        for _ in range(tasks):
            worker.send(key="load", work=work)
        worker.start()
        with workers(worker):
            worker.wait("load", "end", tasks, 25)
            starts = [event["at"] for event in worker.events("load")]
            ends = [event["at"] for event in worker.events("load", "end")]
        multiplier = options.get("conf", {}).get("worker_prefetch_multiplier", 1)
        interval = options.get("transport", {}).get("polling_interval", "unset")
        case = f"{work * 1000:.0f} ms tasks, concurrency {options['concurrency']}, prefetch x {multiplier}"
        case += "" if interval == "unset" else f", polling_interval {interval}"
        case += ", kept alive" if proxy else ""
        return [case, f"{len(ends) / (max(ends) - min(starts)):.0f} tasks/s"]

    four, fast = {"worker_prefetch_multiplier": 4}, {"polling_interval": 0.02}
    return [
        measure(10, 0, concurrency=1),
        measure(30, 0, Proxy(stage.url), concurrency=1),
        measure(60, 0, concurrency=2),
        measure(60, 0, concurrency=2, transport=fast),
        measure(60, 0, concurrency=2, conf=four),
        measure(60, 0, concurrency=4),
        measure(60, 0, concurrency=4, conf=four),
        measure(40, 0.1, concurrency=2),
        measure(60, 0.1, concurrency=4),
        measure(60, 0.1, concurrency=4, conf=four),
    ]


def failure(stage: Stage) -> list[list[str]]:
    def fate(worker: Worker, key: str, seconds: float, began: float) -> str:
        until(lambda: sum(stage.count(worker.dead)) > 0, seconds)
        runs = worker.events(key)
        gaps = ", ".join(f"{after['at'] - before['at']:.1f}" for before, after in pairwise(runs))
        dead, (waiting, flying) = sum(stage.count(worker.dead)), stage.count(worker.url)
        end = f"in the DLQ after {time.time() - began:.0f} s" if dead else f"DLQ 0, queue {waiting + flying}"
        marks = {event["redelivered"] for event in runs}
        return f"{len(runs)} runs" + (f", gaps {gaps} s" if gaps else "") + f"; {end}; redelivered {marks}"

    def task(case: str, act: str, work: float = 0, **options: Any) -> list[str]:
        with workers(Worker(stage, visibility=5, **options)) as (worker,):
            began = time.time()
            key = worker.send(act, work)
            seen = fate(worker, key, 20, began)
            after = worker.wait(worker.send(), timeout=7)
        return [case, f"{seen}; next task {'runs' if after else 'NEVER RUNS'}"]

    def group(wait: int) -> list[str]:
        with workers(Worker(stage, transport={"wait_time_seconds": wait})) as (worker,):
            key = worker.send(work=1.5)
            received = worker.wait(key)[0]["at"]
            worker.kill()
            worker.start()
            runs = worker.wait(key, "start", 2, 30)
            again = f"{runs[1]['at'] - received:.1f} s after receipt" if len(runs) > 1 else "never in 30 s"
            worker.wait(key, "end", 1, 5)
            seen = f"again {again}, finished {len(worker.events(key, 'end'))} time(s)"
        return [f"kill -9 of the group, wait {wait}, visibility {VISIBILITY}", seen]

    yes, no = {"task_acks_on_failure_or_timeout": True}, {"task_acks_on_failure_or_timeout": False}
    kept, lost = {"task_reject_on_worker_lost": True}, {"task_reject_on_worker_lost": False}
    limit = {"task_time_limit": 1}
    wait = {"wait_time_seconds": 3}
    return together(
        lambda: task("raises, ack on failure True", "raise", conf=yes),
        lambda: task("raises, ack on failure False, visibility 5", "raise", conf=no),
        lambda: task("child killed, reject on lost True, wait 3", "die", conf=no | kept, transport=wait),
        lambda: task("child killed, reject on lost False, ack on fail False", "die", conf=no | lost),
        lambda: task("child killed, reject on lost False, ack on fail True", "die", conf=yes | lost),
        lambda: task("time limit 1 s, ack on failure False, wait 3", "", 60, conf=no | limit, transport=wait),
        lambda: group(5),
        lambda: group(20),
    )


def swallowed(stage: Stage) -> list[list[str]]:
    def leave(how: str, wait: int, pause: float) -> list[str]:
        with workers(Worker(stage, transport={"wait_time_seconds": wait})) as (worker,):
            if how == "kill -9":
                worker.kill()
            else:
                worker.terminate()
            worker.start()
            time.sleep(pause)
            keys = [worker.send() for _ in range(3)]
            times = [run[0]["at"] - run[0]["sent"] for key in keys if (run := worker.wait(key, timeout=25))]
        late = [f"{seconds:.1f}" for seconds in times if seconds > 1]
        case = f"{how}, wait {wait}, 3 messages {pause:.0f} s later, visibility {VISIBILITY}"
        return [case, f"{len(times) - len(late)} at once, {len(late)} late ({', '.join(late) or '-'} s)"]

    return together(
        lambda: leave("kill -9", 5, 2),
        lambda: leave("kill -9", 5, 6),
        lambda: leave("kill -9", 20, 2),
        lambda: leave("kill -9", 20, 6),
        lambda: leave("SIGTERM", 5, 2),
        lambda: leave("SIGTERM", 20, 2),
    )


def once(fault: int | str, action: str = "ReceiveMessage") -> Fault:
    def act(proxy: Proxy, worker: Worker) -> None:
        proxy.once, proxy.faults = True, {action: fault}
        until(lambda: not proxy.faults, 7)
        time.sleep(2)

    return act


def lasting(fault: int, seconds: float) -> Fault:
    def act(proxy: Proxy, worker: Worker) -> None:
        proxy.faults = {"ReceiveMessage": fault}
        time.sleep(seconds)

    return act


def refused(proxy: Proxy, worker: Worker) -> None:
    proxy.down()
    time.sleep(10)
    proxy.up()


def lost_acks(proxy: Proxy, worker: Worker, fault: int | str = "drop") -> None:
    """As many acks fail as there are prefetch slots; each of them once."""
    for _ in range(2):
        proxy.once, proxy.faults = True, {"DeleteMessage": fault}
        worker.send()
        until(lambda: not proxy.faults, 5)
    time.sleep(2)


def faults(stage: Stage) -> list[list[str]]:
    def case(name: str, act: Fault, patience: int = 8, **options: Any) -> list[str]:
        proxy = Proxy(stage.url)
        with workers(Worker(stage, proxy, **options)) as (worker,):
            cpu, polls, began = worker.cpu(), proxy.counts["ReceiveMessage"], time.monotonic()
            act(proxy, worker)
            lasted, state, spent = time.monotonic() - began, f"exited {worker.process.poll()}", ""
            if worker.alive():
                rate = (proxy.counts["ReceiveMessage"] - polls) / lasted
                state = "alive"
                spent = f"; meanwhile {rate:.1f} polls/s, {100 * (worker.cpu() - cpu) / lasted:.0f} % CPU"
            proxy.faults, healed = {}, time.time()
            runs = worker.wait(worker.send(), timeout=patience)
            seen = f"NOTHING CONSUMED in {patience} s"
            if runs:
                seen = f"consumes {runs[0]['at'] - healed:.1f} s later"
        return [f"{name}, {'repaired' if options.get('repaired') else 'stock'}", f"{state}, {seen}{spent}"]

    twice = {"client-config": PRUDENT | {"retries": {"total_max_attempts": 2}}}
    one = {"client-config": PRUDENT}
    return together(
        lambda: case("poll gets 503 once", once(503)),
        lambda: case("poll gets 503 for 8 s", lasting(503, 8)),
        lambda: case("poll gets 403 once", once(403)),
        lambda: case("poll gets 400 once", once(400)),
        lambda: case("poll gets 403 once", once(403), repaired=True),
        lambda: case("poll gets 403 for 8 s", lasting(403, 8), repaired=True),
        lambda: case("poll gets no answer", once("hang"), 30),
        lambda: case("poll gets no answer", once("hang"), 30, repaired=True),
        lambda: case("refused for 10 s", refused, 15),
        lambda: case("refused for 10 s", refused, 15, repaired=True),
        lambda: case("2 acks get 503, 1 attempt", partial(lost_acks, fault=503), transport=one),
        lambda: case("2 acks get 403 AccessDenied, 1 attempt", partial(lost_acks, fault=403), transport=one),
        lambda: case(
            "2 acks get 403 AccessDenied, 1 attempt", partial(lost_acks, fault=403), transport=one, repaired=True
        ),
        lambda: case("2 acks dropped, 1 attempt", lost_acks, transport=one),
        lambda: case("2 acks dropped, 2 attempts", lost_acks, transport=twice),
        lambda: case("2 acks dropped, 1 attempt", lost_acks, transport=one, repaired=True),
        at_once=5,
    )


def stop(stage: Stage) -> list[list[str]]:
    def idle(wait: int) -> list[str]:
        with workers(Worker(stage, transport={"wait_time_seconds": wait})) as (worker,):
            took = worker.terminate()
            return [f"SIGTERM idle, wait {wait}", f"exit {took:.1f} s, code {worker.process.poll()}"]

    def cut_off() -> list[str]:
        proxy = Proxy(stage.url)
        with workers(Worker(stage, proxy)) as (worker,):
            key = worker.send(work=3)
            worker.wait(key)
            proxy.down()
            took = worker.terminate()
            done, left = len(worker.events(key, "end")), sum(stage.count(worker.url))
            seen = f"exit {took:.1f} s, code {worker.process.poll()}; {done} finished, {left} still in the queue"
        return ["SIGTERM with a task of 3 s while SQS refuses", seen]

    def busy(wait: int) -> list[str]:
        with workers(Worker(stage, transport={"wait_time_seconds": wait}, visibility=60)) as (worker,):
            keys = [worker.send(work=4) for _ in range(5)]
            worker.wait(keys[0])
            time.sleep(1)
            held = stage.count(worker.url)[1]
            took = worker.terminate()
            started, done = (sum(bool(worker.events(key, event)) for key in keys) for event in ("start", "end"))
            waiting, flying = stage.count(worker.url)
        seen = f"{held} held; exit {took:.1f} s; {started} started, {done} finished, {waiting} left, {flying} stuck"
        return [f"SIGTERM with 5 tasks of 4 s, concurrency 2, wait {wait}", seen]

    return together(lambda: idle(5), lambda: idle(20), lambda: busy(5), lambda: busy(20), cut_off)


def requests(stage: Stage) -> list[list[str]]:
    def show(counts: Counter[str]) -> str:
        return ", ".join(f"{number} {action}" for action, number in sorted(counts.items())) or "none"

    def steady(wait: int) -> list[str]:
        proxy = Proxy(stage.url)
        with workers(Worker(stage, proxy, transport={"wait_time_seconds": wait})) as (worker,):
            proxy.counts.clear()
            for _ in range(20):
                worker.send(key="steady")
                time.sleep(1)
            worker.wait("steady", "end", 20)
            return [f"20 tasks, one a second, wait {wait}", f"20 SendMessage, {show(proxy.counts)}"]

    def idle(wait: int) -> list[str]:
        proxy = Proxy(stage.url)
        with workers(Worker(stage, proxy, transport={"wait_time_seconds": wait})) as (worker,):
            proxy.counts.clear()
            cpu = worker.cpu()
            time.sleep(60)
            return [f"60 s idle, wait {wait}", f"{show(proxy.counts)}; {worker.cpu() - cpu:.2f} s CPU"]

    return together(lambda: steady(5), lambda: steady(20), lambda: idle(5), lambda: idle(20))


def publish(stage: Stage) -> list[list[str]]:
    hole = socket.create_server(("127.0.0.1", 0))
    closed = socket.create_server(("127.0.0.1", 0))
    addresses = {"never answers": hole.getsockname()[1], "refused": closed.getsockname()[1]}
    closed.close()
    endpoints = {case: f"http://127.0.0.1:{port}" for case, port in addresses.items()}
    passing: dict[str, int | str] = {"403 once": 403, "503 once": 503, "no answer once": "hang"}
    for case, fault in passing.items():
        proxy = Proxy(stage.url)
        proxy.once, proxy.faults = True, {"SendMessage": fault}
        endpoints[case] = proxy.url
    prudent = {"client-config": PRUDENT}

    def measure(case: str, settings: str, **options: Any) -> list[str]:
        name, url = stage.queue()
        times = 2 if "once" in case else 1
        options |= {"queue": name, "url": url, "ledger": "", "times": times}
        found = ask("publish", options, endpoints[case], 10)
        seen = "; then ".join(f"{seconds:.1f} s, {outcome}" for seconds, outcome in found or [])
        return [f"{case}, {settings}", seen or "nothing in 10 s"]

    retried = {"task_publish_retry": True}
    with hole:
        return together(
            *[partial(measure, case, "timeouts 2/3, no retry", transport=prudent) for case in endpoints],
            lambda: measure("never answers", "timeouts 2/3, with retry", transport=prudent, conf=retried),
            lambda: measure("never answers", "no timeouts set"),
            lambda: measure("refused", "no timeouts set"),
            at_once=4,
        )


def facts(stage: Stage) -> list[list[str]]:
    name, url = stage.queue()
    queue: Options = {"queue": name, "url": url, "ledger": ""}
    first, *later = ask("publish", queue | {"times": 6}, stage.url)
    took = f"first {first[0] * 1000:.0f} ms, then {1000 * later[-1][0]:.0f} ms"
    rows = [["publish in a new process", took]]

    proxy = Proxy(stage.url)
    ask("publish", queue, proxy.url)
    _, body = proxy.bodies[-1]
    sent = json.loads(body)["MessageBody"]
    inner = json.loads(base64.b64decode(sent))
    twice = f"body {inner['properties']['body_encoding']} inside base64"
    rows.append(["publish, calls made", f"{dict(proxy.counts)}; {len(sent)} bytes; {twice}"])

    region = {"environment": {"AWS_REGION": "eu-west-3"}, "transport": {"region": None}}
    ask("publish", queue | region, proxy.url)
    rows.append(["only AWS_REGION=eu-west-3 set, no `region` option", proxy.bodies[-1][0].split("/")[2]])

    rows.append(["an argument of 600 kB", ask("publish", queue | {"size": 600_000}, stage.url)[0][1]])

    proxy = Proxy(stage.url)
    with workers(Worker(stage, proxy)) as (worker,):
        worker.kill()
        counts = dict(proxy.counts)
    rows.append(["worker start and one task, calls made", str(counts)])

    once = queue | {"transport": {"client-config": PRUDENT}}
    alone, forked = (ask("fork", once | {"fork": fork}, Proxy(stage.url).url) for fork in (False, True))
    seen = f"{alone} of 40 failed; {forked} of 120 failed"
    rows.append(["40 publishes alone; 40 from each of 3 after two forks", seen])

    here, there = Proxy(stage.url), Proxy(stage.url)
    for proxy in (here, there):
        os.environ["AWS_ENDPOINT_URL"] = proxy.url
        make_app(once).send_task("bench.step", ("p", time.time()))
    os.environ["AWS_ENDPOINT_URL"] = stage.url
    sends = f"{here.counts['SendMessage']} to the first, {there.counts['SendMessage']} to the second"
    rows.append(["second app in a process, same queue name, other endpoint", sends])

    here.down()
    here.up()
    outcome = "ok"
    try:
        make_app(queue).send_task("bench.step", ("p", time.time()))
    except Exception as error:
        outcome = repr(error)
    rows.append(["publish after SQS closed the idle connection, 1 attempt", outcome])

    with workers(Worker(stage)) as (worker,):
        for foreign in ("hello", '{"a": 1}', '{"properties": {}, "body": "x"}', "[]"):
            stage.sqs.send_message(QueueUrl=worker.url, MessageBody=foreign)
            time.sleep(0.3)
        runs = worker.wait(worker.send(), timeout=5)
        state = "alive" if worker.alive() else f"exited {worker.process.returncode}"
        seen = (
            f"{state}, next task {'runs' if runs else 'NEVER RUNS'}, {sum(stage.count(worker.url))} left in the queue"
        )
    rows.append(["four messages that are not Celery's", seen])

    proxy = Proxy(stage.url)
    proxy.down()
    worker = Worker(stage, proxy, start=False)
    worker.start()
    with workers(worker):
        time.sleep(6)
        proxy.up()
        began, key = time.time(), worker.send()
        runs = worker.wait(key, timeout=15)
        state = "alive" if worker.alive() else f"exited {worker.process.returncode}"
        seen = f"consumes {runs[0]['at'] - began:.1f} s after it is back" if runs else "consumes nothing for 15 s"
    rows.append(["worker started while SQS refuses (6 s)", f"{state}, {seen}"])
    return rows


Section = Callable[[Stage], list[list[str]]]
# Groups run one after another, the lanes of a group side by side: counting requests is mostly sleeping.
GROUPS: list[list[list[Section]]] = [
    [[latency]],
    [[rate]],
    [[failure, swallowed], [requests]],
    [[faults]],
    [[stop]],
    [[publish]],
    [[facts]],
]
ROLES = {"worker": run_worker, "moto": run_moto, "publish": run_publish, "fork": run_fork}


def run_lane(lane: list[Section], stage: Stage, chosen: list[str]) -> list[list[str]]:
    wanted = [section for section in lane if section.__name__ in chosen or not chosen]
    return [[section.__name__, *row] for section in wanted for row in section(stage)]


def main(chosen: list[str]) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        try:
            stage = Stage(Path(folder))
            for group in GROUPS:
                with ThreadPoolExecutor(len(group)) as pool:
                    lanes = [pool.submit(run_lane, lane, stage, chosen) for lane in group]
                for section, case, seen in chain.from_iterable(lane.result() for lane in lanes):
                    print(f"{section:<9} | {case:<62} | {seen}", flush=True)
        finally:
            for process in STARTED:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
    print(f"took {time.monotonic() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--role"]:
        ROLES[sys.argv[2]](json.loads(sys.argv[3]))
    else:
        main(sys.argv[1:])
