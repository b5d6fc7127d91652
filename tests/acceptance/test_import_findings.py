"""An import ends with what looks wrong in the series that it touched."""

import datetime as dt

HEADER = "symbol,session,open,high,low,close,volume"
FIRST = dt.date(2024, 4, 1)


def lines(symbol, split_at=30, count=40):
    """Return daily bars whose price halves and whose volume doubles at one of them."""
    weekdays = [day for day in (FIRST + dt.timedelta(n) for n in range(80)) if day.weekday() < 5]
    for number, session in enumerate(day for day in weekdays if day != dt.date(2024, 5, 27)):
        if number == count:
            return
        price, volume = (50, 2000) if number >= split_at else (100, 1000)
        low = price - 1 + number % 2 / 2
        yield f"{symbol},{session},{price},{price + 1},{low},{price},{volume + number}"


def test_a_split_that_is_missing_is_named_once_and_found_again_by_quality(fresh, prices):
    path = prices(*lines("A"), header=HEADER)
    ran = fresh("import", path)
    assert ran.returncode == 3, ran.stderr
    (finding,) = [line for line in ran.stderr.splitlines() if line.startswith("check ")]
    assert finding.startswith("check A 2024-05-13: split_missing: ")
    assert fresh("import", path).returncode == 0


def test_a_split_that_is_given_is_no_finding(fresh, prices):
    splits = prices("A,2024-05-13,1,2", name="splits.csv", header="symbol,ex_date,split_from,split_to")
    ran = fresh("import", prices(*lines("A"), header=HEADER), "--splits", splits)
    assert (ran.returncode, "check " in ran.stderr) == (0, False)


def test_a_dividend_that_the_price_denies_is_named_once_by_the_import_of_the_dividend(fresh, prices):
    fresh.done("import", prices(*lines("A", split_at=99), header=HEADER))
    known = ["A,2024-05-06,0.24", "A,2024-05-13,24"]
    paid = prices(*known, name="dividends.csv", header="symbol,ex_date,cash_amount")
    ran = fresh("import", "--dividends", paid)
    assert ran.returncode == 3, ran.stderr
    (finding,) = [line for line in ran.stderr.splitlines() if line.startswith("check ")]
    assert finding.startswith("check A 2024-05-13: dividend_denied: ")
    assert fresh("import", "--dividends", paid).returncode == 0
    mended = prices("A,2024-05-13,0.24", name="mended.csv", header="symbol,ex_date,cash_amount")
    assert fresh("import", "--dividends", mended).returncode == 0


def test_a_split_that_the_prices_deny_is_named_by_the_import_of_the_split(fresh, prices):
    fresh.done("import", prices(*lines("A", split_at=99), header=HEADER))
    splits = prices("A,2024-05-13,1,2", name="splits.csv", header="symbol,ex_date,split_from,split_to")
    ran = fresh("import", "--splits", splits)
    assert ran.returncode == 3, ran.stderr
    assert "check A 2024-05-13: split_denied: " in ran.stderr
