"""deploy.sh and what it serves: nothing unless it is asked for, a component of its own, and the way back."""

from __future__ import annotations

import json
from pathlib import Path


def test_nothing_is_built_or_passed_where_nothing_is_served(desk):
    assert desk.deploy("dev", "all").returncode == 0
    assert "build serving" not in desk.steps()
    assert "TF_VAR_serving_package" not in json.loads((desk.folder / "passed.json").read_text())


def test_all_includes_what_is_served(desk):
    desk.serves()
    desk.rule("output -raw serving_endpoint", out="https://abc.execute-api.ca-west-1.amazonaws.com")
    done = desk.deploy("dev", "all")
    assert done.returncode == 0, done.stderr
    assert desk.steps()[:4] == ["build layer", "build packages", "build serving", "push image"]
    passed = json.loads((desk.folder / "passed.json").read_text())
    assert json.loads(passed["TF_VAR_serving_package"])["path"].endswith("build/lambda/serving.zip")
    assert "function condvest-dev-serve: answers" in done.stderr
    assert "https://abc.execute-api.ca-west-1.amazonaws.com/v1/version" in done.stderr
    asked = json.loads((desk.layer.parent / "build/deploy/dev/all/ask.json").read_text())
    assert asked["headers"] == {"host": "abc.execute-api.ca-west-1.amazonaws.com"}


def test_a_function_that_does_not_answer_ends_the_deployment(desk):
    desk.serves()
    desk.rule("function-name condvest-dev-serve", out="Unhandled\n", write='{"errorMessage": "no module"}')
    done = desk.deploy("dev", "all")
    assert done.returncode == 1
    assert 'condvest-dev-serve fails: {"errorMessage": "no module"}' in done.stderr


def test_the_component_builds_its_package_alone(desk):
    """In its own root; no database is woken, no job is run."""
    done = desk.deploy("dev", "serving")
    assert done.returncode == 0, done.stderr
    assert desk.steps() == ["build serving", "init", "plan", "apply"]
    calls = [call for call in desk.calls() if call.startswith("terraform -chdir")]
    assert all("serving_layer/terraform " in call for call in calls)


def test_a_rollback_takes_the_serving_package_of_the_release_before(desk):
    """Each release keeps its own; no way leads back to one that served nothing, while something is."""
    desk.content["packages"] = "functions of the first"
    write(desk, "first")
    assert desk.deploy("dev", "all").returncode == 0
    desk.serves()
    write(desk, "second")
    assert desk.deploy("dev", "all").returncode == 0
    refused = desk.deploy("dev", "rollback")
    assert refused.returncode == 1
    assert "the previous release of condvest-dev served nothing" in refused.stderr
    write(desk, "third")
    assert desk.deploy("dev", "all").returncode == 0
    done = desk.deploy("dev", "rollback")
    assert done.returncode == 0, done.stderr
    package = json.loads(json.loads((desk.folder / "passed.json").read_text())["TF_VAR_serving_package"])
    assert Path(package["path"]).read_text() == "serving of the second"


def write(desk, release):
    desk.content["serving"] = f"serving of the {release}"
    desk.write_builder("../serving_layer/deployment_packages/build_package.sh", "serving")
