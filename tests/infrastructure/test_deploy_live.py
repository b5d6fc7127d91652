"""deploy.sh and the session under way: nothing unless it is asked for, and a component of its own."""

from __future__ import annotations

import pytest


def test_all_includes_the_collector_and_says_how_to_add_a_rule(desk):
    assert "alerts" not in desk.deploy("dev", "all").stderr
    desk.collects()
    done = desk.deploy("dev", "all")
    assert done.returncode == 0, done.stderr
    assert "says it to condvest-dev-live-alerts" in done.stderr
    assert '"alerts", "add", "breakout", "close(13) > highest(high(13), 4)", "--webhook"' in done.stderr


def test_the_component_builds_the_image_and_migrates_a_database_of_its_own(desk):
    done = desk.deploy("dev", "live")
    assert done.returncode == 0, done.stderr
    assert desk.steps() == ["push image", "init", "plan", "plan", "apply", "migrate", "plan", "apply"]
    calls = [call for call in desk.calls() if call.startswith("terraform -chdir")]
    assert all("speed_layer/terraform " in call for call in calls)
    assert "--repository-names condvest-dev-live/jobs" in "\n".join(desk.calls())
    (submitted,) = [call for call in desk.calls() if "submit-job" in call]
    assert "--job-definition condvest-dev-live-migrate" in submitted
    assert "condvest-dev-live/massive-api-key" in "\n".join(desk.calls())


@pytest.mark.parametrize("line", ["live = false", "# live = true", 'live_settings = { hours = "extended" }'])
def test_what_is_not_asked_for_is_not_there(desk, line):
    variables = desk.layer / "infrastructure" / "environments" / "dev.tfvars"
    variables.write_text(f"{variables.read_text()}{line}\n")
    done = desk.deploy("dev", "all")
    assert done.returncode == 0, done.stderr
    assert "live-alerts" not in done.stderr
