"""What the provider covers and costs, and how it is made of the settings."""

import datetime as dt

import pytest

from condvest.batch_layer.shared.clients.massive import MassiveProvider
from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.settings import Settings


def provider_of(tmp_path, plan="basic", now=dt.datetime(2024, 7, 10, 16, tzinfo=dt.UTC)):
    environ = {"CONDVEST_HOME": str(tmp_path), "POLYGON_API_KEY": "s3cret", "CONDVEST_MASSIVE_PLAN": plan}
    made = MassiveProvider.from_settings(Settings.from_env(environ))
    made._now = lambda: now
    return made


@pytest.mark.parametrize(
    ("now", "first"),
    [
        (dt.datetime(2024, 7, 10, 16, tzinfo=dt.UTC), dt.date(2022, 7, 11)),
        (dt.datetime(2024, 7, 10, 3, tzinfo=dt.UTC), dt.date(2022, 7, 10)),  # still the 9th in New York
        (dt.datetime(2024, 2, 29, 16, tzinfo=dt.UTC), dt.date(2022, 3, 1)),
    ],
)
def test_the_basic_plan_covers_two_years_less_a_day_from_today_in_new_york(tmp_path, now, first):
    """From today, not from the last session: over a long weekend the window has moved on."""
    last_closed = dt.date(2024, 2, 28)
    with provider_of(tmp_path, now=now) as provider:
        assert provider.coverage(last_closed) == (first, last_closed)


def test_a_paid_plan_covers_all_there_is(tmp_path):
    with provider_of(tmp_path, "paid") as provider:
        assert provider.coverage(dt.date(2024, 7, 9)) == (dt.date(2003, 9, 10), dt.date(2024, 7, 9))
        assert provider.coverage(dt.date(1999, 1, 4)) == (dt.date(1999, 1, 4), dt.date(1999, 1, 4))


def test_the_cost_is_one_call_a_session_at_the_plans_pace(tmp_path):
    """Five calls at once, then five each 61 s: the 505th call is made when 100 windows have passed."""
    with provider_of(tmp_path) as provider:
        cost = provider.cost(505)
    assert (cost.calls, cost.seconds, cost.megabytes) == (505, 6100.0, 252.5)


def test_without_a_key_it_says_where_to_put_one(tmp_path):
    with pytest.raises(SettingsError, match=r"set MASSIVE_API_KEY \(or POLYGON_API_KEY\)"):
        MassiveProvider.from_settings(Settings.from_env({"CONDVEST_HOME": str(tmp_path)}))


def test_the_key_is_in_no_repr(tmp_path):
    with provider_of(tmp_path) as provider:
        assert "s3cret" not in repr(vars(provider)) + repr(vars(provider.client)) + repr(provider)
