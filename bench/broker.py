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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import boto3
from celery import Celery

Options = dict[str, Any]
REGION = "eu-west-1"
VISIBILITY = 8
STARTED: list[subprocess.Popen[bytes]] = []
PRUDENT = {"connect_timeout": 2, "read_timeout": 3, "retries": {"total_max_attempts": 1}}


# The application: one task, which writes what happens to it into a file that survives every kill.


def make_app(options: Options) -> Celery:
    app = Celery("bench", broker="sqs://")
    app.conf.update(
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
    make_app(options).worker_main(
        ["worker", "--pool=prefork", f"--concurrency={options.get('concurrency', 2)}", "--loglevel=WARNING"]
        + ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    )


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
        except Exception as error:  # noqa: BLE001 - which ones come is the question
            kind, cause = type(error), type(error.__cause__)
            outcome = f"{kind.__module__}.{kind.__name__}" + (f" from {cause.__name__}" if error.__cause__ else "")
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
        except Exception:  # noqa: BLE001
            failed += 1
    if 0 in children:
        os._exit(min(failed, 100))
    for child in children:
        failed += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(failed))


# The stage: processes, queues, and a proxy that counts and misbehaves.


def spawn(role: str, options: Options, endpoint: str = "", **kwargs: Any) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environment |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_ENDPOINT_URL": endpoint}
    environment |= options.get("environment", {})
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

            def log_message(self, format: str, *args: Any) -> None: ...

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
                with suppress(OSError, http.client.HTTPException):
                    self.answer(*((fault, b'{"__type": "x#Fault", "message": "as asked"}')
                                  if isinstance(fault, int) else proxy.forward(self.headers, body)))  # fmt: skip

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return server

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
        os.environ |= {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_ENDPOINT_URL": self.url}
        self.sqs = boto3.client("sqs", region_name=REGION)
        self.made = 0

    def queue(self, dead: str = "", visibility: int = VISIBILITY) -> tuple[str, str]:
        self.made += 1
        name = f"q{self.made}"
        attributes = {"VisibilityTimeout": str(visibility)}
        if dead:
            arn = self.sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            attributes["RedrivePolicy"] = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 3})
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


def together(*calls: Callable[[], list[str]]) -> list[list[str]]:
    with ThreadPoolExecutor(len(calls)) as pool:
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
                time.sleep(0.07)
        rows = []
        for case, worker in zip(cases, made, strict=True):
            events = worker.wait("sample", times=20)
            delays = sorted(1000 * (event["at"] - event["sent"]) for event in events)
            seen = f"p50 {statistics.median(delays):.0f} ms, p95 {delays[18]:.0f} ms, {len(delays)} of 20"
            rows.append([f"wait {case['wait_time_seconds']}, polling {case.get('polling_interval', 'unset')}", seen])
    return rows


def rate(stage: Stage) -> list[list[str]]:
    def measure(tasks: int, work: float, **options: Any) -> list[str]:
        worker = Worker(stage, start=False, visibility=60, **options)
        for _ in range(tasks):
            worker.send(key="load", work=work)
        worker.start()
        with workers(worker):
            worker.wait("load", "end", tasks, 25)
            starts = [event["at"] for event in worker.events("load")]
            ends = [event["at"] for event in worker.events("load", "end")]
        multiplier = options.get("conf", {}).get("worker_prefetch_multiplier", 1)
        interval = options.get("transport", {}).get("polling_interval", "unset")
        case = f"concurrency {options['concurrency']}, multiplier {multiplier}, polling {interval}, {work * 1000:.0f} ms"
        return [case, f"{len(ends) / (max(ends) - min(starts)):.0f} tasks/s"]

    four, fast = {"worker_prefetch_multiplier": 4}, {"polling_interval": 0.02}
    return [
        measure(10, 0, concurrency=1),
        measure(100, 0, concurrency=2),
        measure(100, 0, concurrency=2, transport=fast),
        measure(100, 0, concurrency=2, conf=four),
        measure(100, 0, concurrency=4),
        measure(100, 0, concurrency=4, conf=four),
        measure(60, 0.1, concurrency=2),
        measure(100, 0.1, concurrency=4),
        measure(100, 0.1, concurrency=4, conf=four),
    ]


def failure(stage: Stage) -> list[list[str]]:
    def fate(worker: Worker, key: str, seconds: float, began: float) -> str:
        until(lambda: sum(stage.count(worker.dead)) > 0, seconds)
        runs = worker.events(key)
        gaps = ", ".join(f"{after['at'] - before['at']:.1f}" for before, after in pairwise(runs))
        dead, (waiting, flying) = sum(stage.count(worker.dead)), stage.count(worker.url)
        end = f"DLQ after {time.time() - began:.0f} s" if dead else f"queue {waiting}+{flying} in flight, DLQ 0"
        marks = {event["redelivered"] for event in runs}
        return f"{len(runs)} runs" + (f", gaps {gaps} s" if gaps else "") + f"; {end}; redelivered {marks}"

    def task(case: str, act: str, work: float = 0, **options: Any) -> list[str]:
        with workers(Worker(stage, visibility=5, **options)) as (worker,):
            began = time.time()
            key = worker.send(act, work)
            seen = fate(worker, key, 28, began)
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
        lambda: task("child killed, reject on lost False, ack on failure False", "die", conf=no | lost),
        lambda: task("child killed, reject on lost False, ack on failure True", "die", conf=yes | lost),
        lambda: task("hard time limit 1 s, ack on failure False, wait 3", "", 60, conf=no | limit, transport=wait),
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


def faults(stage: Stage) -> list[list[str]]:
    def case(name: str, act: Callable[[Proxy, Worker], None], patience: float = 8, **options: Any) -> list[str]:
        proxy = Proxy(stage.url)
        with workers(Worker(stage, proxy, **options)) as (worker,):
            cpu, polls, began = worker.cpu(), proxy.counts["ReceiveMessage"], time.monotonic()
            act(proxy, worker)
            spent, polled, lasted = "", proxy.counts["ReceiveMessage"] - polls, time.monotonic() - began
            if worker.alive():
                spent = f"; {polled / lasted:.0f} polls/s and {100 * (worker.cpu() - cpu) / lasted:.0f} % CPU meanwhile"
            proxy.faults, healed = {}, time.time()
            runs = worker.wait(worker.send(), timeout=patience)
            state = "alive" if worker.alive() else f"exited {worker.process.returncode}"
            seen = f"consumes {runs[0]['at'] - healed:.1f} s after" if runs else f"CONSUMES NOTHING for {patience:.0f} s"
        return [name, f"{state}, {seen}{spent}"]

    def answer(fault: int | str, seconds: float = 0, action: str = "ReceiveMessage") -> Callable[..., None]:
        def act(proxy: Proxy, worker: Worker) -> None:
            proxy.once, proxy.faults = not seconds, {action: fault}
            until(lambda: not proxy.faults, 7)
            time.sleep(seconds or 1)

        return act

    def refuse(proxy: Proxy, worker: Worker) -> None:
        proxy.down()
        time.sleep(10)
        proxy.up()

    def lose_acks(fault: int | str) -> Callable[..., None]:
        """As many acks fail as there are prefetch slots."""

        def act(proxy: Proxy, worker: Worker) -> None:
            proxy.once, proxy.faults = False, {"DeleteMessage": fault}
            for _ in range(2):
                worker.wait(worker.send(), "end")
            until(lambda: proxy.counts["DeleteMessage"] >= 3, 4)
            time.sleep(1)

        return act

    patient = {"client-config": {"connect_timeout": 2, "read_timeout": 3, "retries": {"total_max_attempts": 4}}}
    rows = together(
        lambda: case("503 once", answer(503)),
        lambda: case("403 once", answer(403)),
        lambda: case("400 once", answer(400)),
        lambda: case("the poll is never answered", answer("hang"), 30),
        lambda: case("2 acks get 503, 1 attempt", lose_acks(503), transport={"client-config": PRUDENT}),
        lambda: case("2 acks dropped, 1 attempt", lose_acks("drop"), transport={"client-config": PRUDENT}),
        lambda: case("2 acks dropped, 4 attempts", lose_acks("drop"), transport=patient),
    )
    rows.append(case("503 for 5 s", answer(503, 5)))
    rows.append(case("refused for 10 s", refuse, 15))
    return rows


def stop(stage: Stage) -> list[list[str]]:
    def idle(wait: int) -> list[str]:
        with workers(Worker(stage, transport={"wait_time_seconds": wait})) as (worker,):
            return [f"SIGTERM idle, wait {wait}", f"exit {worker.terminate():.1f} s, code {worker.process.poll()}"]

    def busy(wait: int) -> list[str]:
        with workers(Worker(stage, transport={"wait_time_seconds": wait}, visibility=60)) as (worker,):
            keys = [worker.send(work=4) for _ in range(5)]
            worker.wait(keys[0])
            time.sleep(1)
            held = stage.count(worker.url)[1]
            took, done = worker.terminate(), len([key for key in keys if worker.events(key, "end")])
            started, (waiting, flying) = len([key for key in keys if worker.events(key)]), stage.count(worker.url)
        seen = f"{held} held; exit {took:.1f} s; {started} started, {done} finished; {waiting} left, {flying} in flight"
        return [f"SIGTERM with 5 tasks of 4 s, concurrency 2, wait {wait}", seen]

    return together(lambda: idle(5), lambda: idle(20), lambda: busy(5), lambda: busy(20))


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
    for status in (403, 503):
        proxy = Proxy(stage.url)
        proxy.faults = {"SendMessage": status}
        endpoints[f"answers {status}"] = proxy.url
    prudent = {"client-config": PRUDENT}

    def measure(case: str, settings: str, **options: Any) -> list[str]:
        name, url = stage.queue()
        found = ask("publish", {"queue": name, "url": url, "ledger": "", **options}, endpoints[case], 15)
        return [f"publish, {case}, {settings}", "{:.1f} s, {}".format(*found[0]) if found else "nothing after 15 s"]

    retried = {"task_publish_retry": True}
    with hole:
        return together(
            *[lambda c=case: measure(c, "timeouts 2/3, no retry", transport=prudent) for case in endpoints],  # type: ignore[misc]
            lambda: measure("never answers", "timeouts 2/3, task_publish_retry", transport=prudent, conf=retried),
            lambda: measure("refused", "timeouts 2/3, task_publish_retry", transport=prudent, conf=retried),
            lambda: measure("never answers", "no timeouts set"),
            lambda: measure("refused", "no timeouts set"),
        )


def facts(stage: Stage) -> list[list[str]]:
    name, url = stage.queue()
    queue: Options = {"queue": name, "url": url, "ledger": ""}
    first, *later = ask("publish", queue | {"times": 6}, stage.url)
    rows = [["publish in a new process", f"first {first[0] * 1000:.0f} ms, then {1000 * later[-1][0]:.0f} ms"]]

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

    for fork in (False, True):
        failed = ask("fork", queue | {"fork": fork, "transport": {"client-config": PRUDENT}}, stage.url)
        rows.append([f"40 publishes, client made before {'two forks' if fork else '(no fork)'}", f"{failed} failed"])

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


SECTIONS = [latency, rate, failure, swallowed, faults, stop, requests, publish, facts]
ROLES = {"worker": run_worker, "moto": run_moto, "publish": run_publish, "fork": run_fork}


def main() -> None:
    chosen = [section for section in SECTIONS if section.__name__ in (sys.argv[1:] or [s.__name__ for s in SECTIONS])]
    with tempfile.TemporaryDirectory() as folder:
        try:
            stage = Stage(Path(folder))
            for section in chosen:
                began = time.monotonic()
                for case, seen in section(stage):
                    print(f"{section.__name__:<10} {case:<62} {seen}", flush=True)
                print(f"{section.__name__} took {time.monotonic() - began:.0f} s", file=sys.stderr)
        finally:
            for process in STARTED:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--role"]:
        ROLES[sys.argv[2]](json.loads(sys.argv[3]))
    else:
        main()
