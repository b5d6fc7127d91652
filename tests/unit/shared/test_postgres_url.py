"""A PostgreSQL URL taken apart, and a password that no text of ours repeats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from condvest.batch_layer.shared.errors import SettingsError
from condvest.batch_layer.shared.postgres_url import PostgresUrl

SECRET = "s3cret"  # noqa: S105  # that it never shows is what is tested


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql:///bars",
        "postgres://me@/bars?host=%2Ftmp%2Fsocket&port=5433",
        "postgresql://me:p%40%2Fs%3Fs@db.example:5433/bars?sslmode=require&connect_timeout=3",
        "postgresql://me@[2001:db8::1]:5432/bars",
        "postgresql://me@one:5432,two:5433/bars?target_session_attrs=read-write",
        "postgresql://one,two/bars",
        "postgresql://db.example/bars?options=-csearch_path%3Dmarket&ssl=true",
        "postgresql://caf%C3%A9@db/b%20rs",
    ],
)
def test_it_reads_a_url_as_libpq_does(url):
    assert PostgresUrl.parse(url).parameters == conninfo_to_dict(url)


@pytest.mark.parametrize(
    ("url", "part"),
    [
        (f"postgres:me:{SECRET}@h/db", "must begin with postgresql://"),
        (f"postgresql:/me:{SECRET}@h/db", "must begin with postgresql://"),
        (f"postgresql://me:{SECRET} x@h/db", "a blank"),
        (f"postgresql://me:{SECRET}@x@h/db", "an @ too many"),
        (f"postgresql://me:{SECRET}/x@h/db", "an @ too many"),
        (f"postgresql://h:5432:{SECRET}/db", "host and port"),
        (f"postgresql://h:{SECRET}/db", "host and port"),
        (f"postgresql://me:{SECRET}[@[h/db", "host and port"),
        (f"postgresql://me:x?{SECRET}@h/db", r"\? as %3F"),
        (f"postgresql://me:{SECRET}%zz@h/db", "the password holds a %"),
        (f"postgresql://me:{SECRET}%ff@h/db", "the password is not UTF-8"),
        (f"postgresql://me:{SECRET}%00@h/db", "the password holds a %"),
        ("mysql://h/db", "must begin with postgresql://"),
    ],
)
def test_a_mistyped_url_is_refused_by_the_part_that_is_wrong_and_not_quoted(url, part):
    with pytest.raises(SettingsError, match=part) as refused:
        PostgresUrl.parse(url)
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


def test_no_text_shows_the_password_or_a_parameter():
    url = PostgresUrl.parse(f"postgresql://me:{SECRET}@db:5433/bars?sslpassword={SECRET}&options={SECRET}")
    assert str(url) == "host=db port=5433 user=me dbname=bars"
    assert SECRET not in f"{url} {url!r} {[url]} {vars(url).keys()}"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1))
def test_whatever_follows_the_scheme_is_read_or_refused_without_a_word_of_it(text):
    try:
        parsed = PostgresUrl.parse(f"postgresql://me:{SECRET}{text}")
    except SettingsError as error:
        shown = str(error)
    else:
        # Without an @ there is no password: the text before the colon is a host, and may be shown.
        shown = repr(parsed) if "password" in parsed.parameters else ""
    assert SECRET not in shown
