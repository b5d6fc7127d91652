"""The workflows: who may do what there, and what the scripts of `.ci` that they call do."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import re
import subprocess
import threading
import zipfile

import pytest
import yaml
from workshop import ROOT, environment

CI = ROOT / ".ci"
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in ROOT.glob(".github/workflows/*.yml")}
JOBS = {
    f"{workflow}/{name}": job | {"granted": job.get("permissions", content["permissions"])}
    for workflow, content in WORKFLOWS.items()
    for name, job in content["jobs"].items()
}
SIGNED = ("deploy/attest", "release/attest")
UPLOADED = {"deploy/contents": "image.cdx.json", "release/build": "dist/"}


def actions(job):
    return [step["uses"] for step in job["steps"] if "uses" in step]


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_the_jobs_are_those_that_these_tests_know():
    assert set(JOBS) == {"test/test", "plan/plan", "deploy/deploy", "deploy/contents", "release/build",
                         "release/release", *SIGNED}  # fmt: skip


@pytest.mark.parametrize("name", JOBS)
def test_every_action_is_of_github_itself_and_pinned_by_its_commit(name):
    """A tag can be moved to other code; code of third parties is run by no job."""
    for action in actions(JOBS[name]):
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action), action


def test_whoever_reads_the_text_sees_the_version_of_each_action():
    for path in ROOT.glob(".github/workflows/*.yml"):
        used = re.findall(r"uses: (.*)", path.read_text())
        assert all(re.fullmatch(r"\S+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action) for action in used), path.name


def test_rights_are_given_by_job_and_no_more_than_it_needs():
    for name, content in WORKFLOWS.items():
        assert content["permissions"] == {"contents": "read"}, name
    more = {name: job["granted"] for name, job in JOBS.items() if job["granted"] != {"contents": "read"}}
    role = {"contents": "read", "id-token": "write"}
    signing = role | {"attestations": "write"}
    assert more == {
        "plan/plan": role,
        "deploy/deploy": role,
        **dict.fromkeys(SIGNED, signing),
        "release/build": {"contents": "read", "actions": "read"},
        "release/release": {"contents": "write"},
    }


@pytest.mark.parametrize("name", SIGNED)
def test_a_job_that_signs_runs_no_code_of_ours_and_reaches_no_role(name):
    """What it signs was made by another job; the roles trust jobs of an environment or of a pull request."""
    job = JOBS[name]
    assert commands(job) == []
    assert "environment" not in job
    assert [action.partition("@")[0] for action in actions(job)] == [
        "actions/download-artifact",
        "actions/attest-build-provenance",
        "actions/attest-sbom",
    ]


def test_no_checkout_leaves_its_token_behind():
    for name, job in JOBS.items():
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name


def test_nothing_is_uploaded_but_what_is_released():
    """Whoever reads the repository can read an artifact, and a state of Terraform is for who deploys."""
    uploaded = {
        name: step["with"]["path"]
        for name, job in JOBS.items()
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/upload-artifact@")
    }
    assert uploaded == UPLOADED


def test_no_text_that_somebody_else_may_write_is_put_into_a_command():
    """A title or a branch's name in a command is a command: expressions go by the environment."""
    for name, job in JOBS.items():
        assert [run for run in commands(job) if "${{" in run] == [], name


def test_no_workflow_that_others_set_off_has_our_rights():
    for name, content in WORKFLOWS.items():
        assert "pull_request_target" not in content[True], name  # YAML 1.1 reads the key `on` so


@pytest.mark.parametrize("name", ["install_terraform", "sbom", "take_role"])
def test_the_scripts_stop_at_the_first_failure(name):
    text = (CI / name).read_text()
    assert "\nset -euo pipefail\n" in text
    assert os.access(CI / name, os.X_OK)


def test_what_a_release_is_made_with_is_pinned_by_hashes():
    for lock in ("requirements.lock", "requirements-dev.lock", "requirements-sbom.lock"):
        packages = re.findall(r"^\S[^\n]*(?:\n[ \t]+[^\n]*)*", (ROOT / lock).read_text(), re.MULTILINE)
        assert packages
        assert [one for one in packages if "==" not in one or "--hash=sha256:" not in one] == []


@pytest.fixture
def runner(tmp_path):
    """The environment of a step on a runner; programs in ``bin`` come first."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for name in ("GITHUB_ENV", "GITHUB_PATH"):
        (tmp_path / name).touch()
    return tmp_path, environment() | {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path / "temp with blanks"),
        "GITHUB_RUN_ID": "17",
        **{name: str(tmp_path / name) for name in ("GITHUB_ENV", "GITHUB_PATH")},
    }


def program(runner, name, text):
    path = runner[0] / "bin" / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def call(runner, script, *arguments, **more):
    return subprocess.run(
        [str(script), *arguments], env=runner[1] | more, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("is_altered", [False, True])
def test_terraform_is_installed_only_if_its_bytes_are_those_that_are_named(runner, is_altered):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("terraform", "#!/bin/sh\necho Terraform v1.11.4\n")
    served = runner[0] / "served.zip"
    served.write_bytes(content.getvalue())
    digest = hashlib.sha256(served.read_bytes()).hexdigest()
    if is_altered:
        served.write_bytes(content.getvalue() + b"\n")
    program(runner, "curl", f'while [ "$1" != --output ]; do shift; done; cp "{served}" "$2"')
    script = runner[0] / "install_terraform"
    script.write_text(
        re.sub(r"(?m)^SHA256=[0-9a-f]{64}$", f"SHA256={digest}", (CI / "install_terraform").read_text())
    )
    script.chmod(0o755)
    done = call(runner, script)
    on_path = (runner[0] / "GITHUB_PATH").read_text().splitlines()
    if is_altered:
        assert done.returncode != 0
        assert on_path == []
    else:
        assert done.returncode == 0, done.stderr
        (folder,) = on_path
        assert subprocess.check_output([f"{folder}/terraform"]) == b"Terraform v1.11.4\n"


def test_the_terraform_of_the_workflows_is_the_one_that_the_tests_know():
    assert "\nVERSION=1.11.4\n" in (CI / "install_terraform").read_text()


TOKEN = "a-token-of-tests"  # noqa: S105  # of no service


@pytest.fixture
def word():
    """GitHub's service that signs who a job is; notes what it was asked."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append((self.path, self.headers["Authorization"]))
            body = json.dumps({"value": "signed.word.of-github"}).encode()
            self.send_response(200 if self.headers["Authorization"] == f"bearer {TOKEN}" else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/word?v=1", asked
    server.shutdown()
    thread.join()
    server.server_close()


KEYS = {"AccessKeyId": "AKID", "SecretAccessKey": "s/+cret", "SessionToken": "t==", "Expiration": "later"}


def noting_aws(runner, code=0):
    """The AWS CLI: notes its arguments and the file that one of them names, and answers with keys."""
    (runner[0] / "keys.json").write_text(json.dumps({"Credentials": KEYS}))
    box = runner[0]
    program(
        runner,
        "aws",
        f'echo "$@" >"{box}/aws.txt"; for one in "$@"; do case "$one" in file://*) '
        f'cat "${{one#file://}}" >"{box}/word.txt";; esac; done; cat "{box}/keys.json"; exit {code}',
    )


def test_a_job_takes_its_role_by_its_own_word(runner, word):
    (runner[0] / "temp with blanks").mkdir()
    noting_aws(runner)
    done = call(
        runner,
        CI / "take_role",
        "arn:aws:iam::1:role/r",
        ACTIONS_ID_TOKEN_REQUEST_URL=word[0],
        ACTIONS_ID_TOKEN_REQUEST_TOKEN=TOKEN,
    )
    assert done.returncode == 0, done.stderr
    assert word[1] == [("/word?v=1&audience=sts.amazonaws.com", f"bearer {TOKEN}")]
    assert (runner[0] / "word.txt").read_text() == "signed.word.of-github"
    asked = (runner[0] / "aws.txt").read_text()
    assert "assume-role-with-web-identity --role-arn arn:aws:iam::1:role/r" in asked
    assert "signed.word" not in asked, "arguments are for every process to read"
    assert (runner[0] / "GITHUB_ENV").read_text() == (
        "AWS_ACCESS_KEY_ID=AKID\nAWS_SECRET_ACCESS_KEY=s/+cret\nAWS_SESSION_TOKEN=t==\n"
    )
    assert done.stdout.splitlines() == ["::add-mask::s/+cret", "::add-mask::t=="]
    assert list((runner[0] / "temp with blanks").iterdir()) == [], "the word is not left behind"


@pytest.mark.parametrize(("token", "code"), [("wrong", 0), (TOKEN, 254)], ids=["no word", "no role"])
def test_a_job_without_its_role_ends_there(runner, word, token, code):
    (runner[0] / "temp with blanks").mkdir()
    noting_aws(runner, code)
    if code:
        (runner[0] / "keys.json").write_text("")
    done = call(
        runner,
        CI / "take_role",
        "arn",
        ACTIONS_ID_TOKEN_REQUEST_URL=word[0],
        ACTIONS_ID_TOKEN_REQUEST_TOKEN=token,
    )
    assert done.returncode != 0
    assert (runner[0] / "GITHUB_ENV").read_text() == ""
    assert list((runner[0] / "temp with blanks").iterdir()) == []
