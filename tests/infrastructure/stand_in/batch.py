"""AWS Batch that runs jobs: each as its definition says, as processes of this machine in place of containers.

Everything but submitting and describing jobs goes on to the emulator behind it. A job is run while it is
submitted, so it has ended when the answer comes, and is tried again as its definition says; one that needs
more vCPUs than Fargate lends the account is never started and stays RUNNABLE.
"""

from __future__ import annotations

import fnmatch
import http.client
import http.server
import json
import signal
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager

import boto3


class Batch:
    """What was submitted, and how it ended.

    Attributes:
        jobs: by id, what DescribeJobs tells, with the children's codes and their words, and the codes of all
            attempts.
        vcpus: how many Fargate lends the account at once.
        more: variables of every process beside those of its definition.
        before_retry: called before another attempt: it takes Fargate some time to find a host.
    """

    def __init__(self, endpoint, place_of, environ):
        """Take the emulator's URL, what finds the folder of an image, and what every process is given."""
        self.emulator = boto3.client(
            "batch",
            endpoint_url=endpoint,
            region_name="ca-west-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",  # noqa: S106 -- the emulator takes any
        )
        self.endpoint = endpoint
        self.jobs = {}
        self.vcpus = float("inf")
        self.more = {}
        self.before_retry = lambda: None
        self._running = None
        self._is_reclaimed = False
        self._place_of = place_of
        self._environ = environ

    def submit(self, job):
        """Run a job or the children of an array, one after the other, and return its id."""
        name = job["jobDefinition"].rpartition("/")[2].partition(":")[0]
        known = self.emulator.describe_job_definitions(jobDefinitionName=name, status="ACTIVE")
        newest = max(known["jobDefinitions"], key=lambda one: one["revision"])
        container = newest["containerProperties"] | job.get("containerOverrides", {})
        number = str(uuid.uuid4())
        told = {"jobId": number, "jobName": job["jobName"]}
        if _vcpus(container) > self.vcpus:
            self.jobs[number] = told | {"status": "RUNNABLE", "statusReason": "", "ends": []}
            return number
        size = job.get("arrayProperties", {}).get("size")
        ends, attempts = [], []
        for index in range(size or 1):
            child = {"AWS_BATCH_JOB_ID": number}
            if size:
                child |= {"AWS_BATCH_JOB_ARRAY_INDEX": str(index), "AWS_BATCH_JOB_ARRAY_SIZE": str(size)}
            tried = list(self._attempts(container, newest.get("retryStrategy") or {}, child))
            attempts += [code for code, _ in tried]
            ends.append((tried[-1][0], "".join(words for _, words in tried)))
        failed = [code for code, _ in ends if code != 0]
        print(*(words for code, words in ends if code != 0), file=sys.stderr)  # as the log of a job
        self.jobs[number] = told | {
            "status": "FAILED" if failed else "SUCCEEDED",
            "statusReason": f"exit codes {failed}" if failed else "",
            "ends": ends,
            "attempts": attempts,
        }
        return number

    def reclaim(self):
        """Take back the host of the job that runs, as Fargate Spot does: by SIGTERM."""
        self._is_reclaimed = True
        self._running.send_signal(signal.SIGTERM)

    def _attempts(self, container, strategy, child):
        """Yield the code and words of each attempt."""
        for attempt in range(1, strategy.get("attempts", 1) + 1):
            if attempt > 1:
                self.before_retry()
            self._is_reclaimed = False
            code, words = self._run(container, child | {"AWS_BATCH_JOB_ATTEMPT": str(attempt)})
            yield code, words
            if code == 0 or not _is_retried(strategy, code, is_reclaimed=self._is_reclaimed):
                return

    def _run(self, container, child):
        place = self._place_of(container["image"])
        environ = {one["name"]: one["value"] for one in container["environment"]}
        with subprocess.Popen(
            container["command"],
            env={"PATH": f"{place / 'bin'}:/usr/bin:/bin", **self._environ, **environ, **child, **self.more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            before, self._running = self._running, process
            words, _ = process.communicate()
            self._running = before
        return process.returncode, words


def _is_retried(strategy, code, *, is_reclaimed):
    """Tell what the first rule says that matches all that it names; what none matches is retried.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_EvaluateOnExit.html
    """
    ended = {
        "onStatusReason": "Your Spot Task was interrupted." if is_reclaimed else "Essential container exited",
        "onExitCode": str(code),
        "onReason": "",
    }
    for rule in strategy.get("evaluateOnExit", []):
        named = [name for name in ended if rule.get(name)]
        if all(fnmatch.fnmatch(ended[name].lower(), rule[name].lower()) for name in named):
            return rule["action"].upper() == "RETRY"
    return True


def _vcpus(container):
    needs = {one["type"]: one["value"] for one in container["resourceRequirements"]}
    return float(needs["VCPU"])


class _Api(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        batch = self.server.batch
        if self.path == "/v1/submitjob":
            job = json.loads(body)
            return self._answer({"jobId": batch.submit(job), "jobName": job["jobName"]})
        if self.path == "/v1/describejobs":
            told = [batch.jobs[one] for one in json.loads(body)["jobs"] if one in batch.jobs]
            return self._answer(
                {
                    "jobs": [
                        {key: value for key, value in one.items() if key not in ("ends", "attempts")}
                        for one in told
                    ]
                }
            )
        return self._pass_on(body)

    def _answer(self, told):
        self._send(200, json.dumps(told).encode())

    def _pass_on(self, body):
        connection = http.client.HTTPConnection(self.server.batch.endpoint.removeprefix("http://"))
        connection.request("POST", self.path, body=body, headers=dict(self.headers))
        told = connection.getresponse()
        self._send(told.status, told.read())
        connection.close()

    def _send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def serving(batch):
    """Serve a Batch; yield its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    server.daemon_threads = True
    server.batch = batch
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
