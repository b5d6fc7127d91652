"""The fifteen things that new users asked for: what had to come true of each, and the tests that show it."""

import ast
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRESHNESS = "tests/integration/loading/test_freshness.py"
UNDO = "tests/integration/loading/test_undo.py"
PYTHON_LOAD = "tests/integration/loading/test_python_load.py"
VIEWS = "tests/integration/database/test_views.py"
USERS_LIST = "tests/acceptance/test_users_list.py"
FIRST_DAY = "tests/acceptance/test_first_day.py"
WHEEL = "tests/acceptance/test_wheel.py"


@dataclass(frozen=True)
class Acceptance:
    """What had to come true, and the tests that show it, by file and name."""

    sentence: str
    tests: tuple[tuple[str, str], ...]


ACCEPTANCES = {
    1: Acceptance(
        "After any stop or kill of a load, bars of every interval equal the fold of the daily bars; a "
        "backfill that is interrupted leaves nothing waiting; verify names what waits.",
        (
            (USERS_LIST, "test_acceptance_1_an_interrupted_backfill_leaves_nothing_waiting"),
            (USERS_LIST, "test_acceptance_1_after_a_kill_every_interval_is_the_fold_of_the_daily_bars"),
            ("tests/integration/bars/test_no_stale_read.py", "test_every_read_is_right_after_every_step"),
            (
                "tests/integration/killed/test_stopped_jobs.py",
                "test_what_a_job_stored_before_it_was_stopped_is_resampled",
            ),
        ),
    ),
    2: Acceptance(
        "status --check exits with 1 when a provider is more than N sessions behind, a session is "
        "partial or the last run failed; status shows how far behind each provider is; a clock a week "
        "later says 5.",
        (
            (FIRST_DAY, "test_acceptance_2_and_12_fresh_or_not_and_the_runs"),
            (FRESHNESS, "test_acceptance_2_a_clock_a_week_later_says_5_behind"),
            (FRESHNESS, "test_a_session_cut_short_is_not_fresh"),
            (FRESHNESS, "test_a_run_that_fails_is_recorded_with_the_code_of_the_command"),
        ),
    ),
    3: Acceptance(
        "undo takes a load's rows back and keeps the revisions; the bars equal those before; an "
        "import of adjusted prices over traded ones is mended by one command.",
        (
            (USERS_LIST, "test_acceptance_3_adjusted_prices_over_traded_ones_are_mended_by_one_command"),
            (FIRST_DAY, "test_acceptance_3_a_wrong_import_is_mended_in_one_command"),
            (UNDO, "test_acceptance_3_an_undone_load_is_as_if_it_had_never_been"),
        ),
    ),
    4: Acceptance(
        "import --prices split-adjusted leads prices back by the splits given; an import names the "
        "splits that prices deny, or follow twice, and exits with 3, and so for a split of nobody's symbol.",
        (
            (USERS_LIST, "test_acceptance_4_split_adjusted_prices_are_led_back"),
            (USERS_LIST, "test_acceptance_4_splits_that_prices_deny_or_nobody_has_are_named"),
            (USERS_LIST, "test_acceptance_4_prices_as_traded_that_are_taken_for_adjusted_are_named"),
        ),
    ),
    5: Acceptance(
        "Python has panel, frame, instruments, splits, dividends, sessions, universe and load, typed; "
        "errors are exported; unknown symbols may be skipped; backtesting.py, vectorbt and bt take "
        "what it gives as it is.",
        (
            (USERS_LIST, "test_acceptance_5_the_python_surface_is_there"),
            (WHEEL, "test_a_users_ten_lines_pass_mypy_strict_and_mistakes_are_found"),
            (PYTHON_LOAD, "test_acceptance_5_one_unknown_symbol_of_many_may_be_skipped"),
            (PYTHON_LOAD, "test_acceptance_5_backtesting_takes_a_frame_as_it_is"),
            (PYTHON_LOAD, "test_every_error_is_exported"),
            ("tests/acceptance/test_peers.py", "test_a_peer_takes_what_condvest_gives_as_it_is"),
            ("tests/acceptance/test_peers.py", "test_a_peer_in_an_environment_of_its_own"),
        ),
    ),
    6: Acceptance(
        "Views hold symbol, session, adjusted and raw prices and names; a role may read them and "
        "nothing else; one SELECT of AAPL's closes equals its daily bars.",
        (
            (USERS_LIST, "test_acceptance_6_one_select_equals_the_daily_bars"),
            (VIEWS, "test_the_views_of_the_sample_equal_what_python_reads"),
            (VIEWS, "test_a_reader_reads_the_views_and_nothing_else"),
        ),
    ),
    7: Acceptance(
        "With Yahoo away any number of symbols ends within three minutes; a delisted symbol is set "
        "aside after a note, and the night exits with 0; watch add, remove and list are there.",
        (
            (
                "tests/unit/clients/yahoo/test_yahoo_rounds.py",
                "test_acceptance_7_a_vendor_that_is_away_ends_any_number_of_symbols_in_three_minutes",
            ),
            (
                "tests/integration/loading/test_watched_symbols.py",
                "test_acceptance_7_a_delisted_symbol_is_set_aside_and_comes_back",
            ),
            (FIRST_DAY, "test_the_list_of_yahoos_symbols"),
        ),
    ),
    8: Acceptance(
        "The commonest file, GOOG.csv with Date, Open, High, Low, Close, Adj Close and Volume, is "
        "imported: the symbol from the option or the file's name, folders and wide tables too; Adj "
        "Close is named in a note.",
        (
            (USERS_LIST, "test_acceptance_8_the_commonest_file_is_imported"),
            (USERS_LIST, "test_acceptance_8_folders_and_wide_tables_are_imported"),
        ),
    ),
    9: Acceptance(
        "The README begins with one line for uvx or pipx; types are in the wheel; extras hold what "
        "not everybody needs; the base is under 350 MB and installs on Alpine, without the embedded "
        "server.",
        (
            (USERS_LIST, "test_acceptance_9_the_readme_begins_with_one_line_to_install"),
            (WHEEL, "test_the_wheel_ships_sql_and_types_and_no_infrastructure"),
            (WHEEL, "test_the_wheel_asks_for_little_and_has_extras_for_the_rest"),
            (WHEEL, "test_acceptance_9_the_base_is_small_and_runs_the_demo_with_a_server_of_the_machine"),
            (WHEEL, "test_acceptance_9_the_base_has_wheels_for_alpine"),
        ),
    ),
    10: Acceptance(
        "A suffix that names no format exits with 2; .gz compresses; case does not matter; -o - is "
        "standard output; no table breaks a number at 80 columns or in a pipe.",
        (
            (USERS_LIST, "test_acceptance_10_outputs_are_what_their_names_say"),
            ("tests/unit/cli/test_screen.py", "test_no_figure_or_date_is_broken_on_a_narrow_terminal"),
            (FIRST_DAY, "test_acceptance_10_the_last_bars_of_several_symbols"),
        ),
    ),
    11: Acceptance(
        "A bar with sessions before the first one loaded does not pass as complete: AAPL's first bar "
        "of 34 sessions.",
        (
            (USERS_LIST, "test_acceptance_11_a_bar_that_begins_before_the_history_is_not_complete"),
            (
                "tests/integration/bars/test_complete_bars.py",
                "test_the_first_window_and_the_last_are_not_if_they_are_cut",
            ),
        ),
    ),
    12: Acceptance(
        "Without a terminal a line a minute counts sessions and the time left; -v, --quiet and --log- "
        "file are there; waits for a vendor are told; runs lists the last ones.",
        (
            (
                "tests/unit/cli/test_progress.py",
                "test_acceptance_12_a_line_a_minute_counts_sessions_and_the_time_left",
            ),
            (
                "tests/unit/cli/test_progress.py",
                "test_acceptance_12_long_waits_for_a_vendor_are_told_and_short_ones_only_in_detail",
            ),
            (FIRST_DAY, "test_acceptance_2_and_12_fresh_or_not_and_the_runs"),
        ),
    ),
    13: Acceptance(
        "instruments --listed-on and condvest.universe give who was listed on a date, those delisted "
        "since too; as-of is explained beside.",
        (
            (USERS_LIST, "test_acceptance_13_who_was_listed_on_a_date"),
            ("tests/integration/loading/test_python_tables.py", "test_who_was_listed_on_a_date"),
        ),
    ),
    14: Acceptance(
        "A page on servers has an own PostgreSQL, compose, a timer in New York's zone, mail after a "
        "failure, backup, restore and move, and Grafana; its commands are run by a test.",
        (
            (USERS_LIST, "test_acceptance_14_the_page_on_operating_has_each_recipe"),
            ("tests/acceptance/test_site.py", "test_acceptance_14_the_units_of_systemd_are_read"),
            ("tests/acceptance/test_site.py", "test_acceptance_14_the_timer_is_at_half_past_six_in_new_york"),
            (
                "tests/acceptance/test_site.py",
                "test_the_compose_file_is_read_and_names_what_is_there",
            ),
            ("tests/acceptance/test_site.py", "test_acceptance_14_grafanas_data_source_is_a_reader"),
            ("tests/acceptance/test_documents.py", "test_every_example_works_and_prints_what_is_shown"),
        ),
    ),
    15: Acceptance(
        "Pages for zipline, Lean, qlib, quantstats (252 / interval periods a year) and mplfinance; "
        "actions and plot; a glossary with a picture of a window; why 13, why Adj Close differs and "
        "what as-of is, among the questions.",
        (
            (USERS_LIST, "test_acceptance_15_actions_are_those_of_the_sample"),
            (USERS_LIST, "test_acceptance_15_plot_draws_a_chart"),
            (USERS_LIST, "test_acceptance_15_each_page_answers_what_was_asked"),
            ("tests/acceptance/test_site.py", "test_the_picture_of_a_window_is_what_the_script_draws"),
            ("tests/integration/publishing/test_exports.py", "test_zipline_adjusts_to_the_prices_of_python"),
        ),
    ),
}


def test_each_acceptance_has_its_tests():
    """All fifteen are there, and each test that is named is one."""
    assert list(ACCEPTANCES) == list(range(1, 16))
    for number, acceptance in ACCEPTANCES.items():
        for file, name in acceptance.tests:
            tree = ast.parse((ROOT / file).read_text())
            tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
            assert name in tests, f"acceptance {number}: {file} has no {name}"
