-- Today's schema, whole. The road to it is in ../migrations; a test proves that both end in the same place.
-- Every table and column, with its unit, is described in docs/data-dictionary.md.
--
-- daily_bars, splits, dividends, their revisions and bars carry no foreign keys: a load writes millions of
-- rows, all of them made from ids that it has just read or made in the same transaction.

CREATE TABLE schema_migrations (
    version    int4 PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    readable_from int4
);

CREATE TABLE sessions (
    ordinal     int4 PRIMARY KEY,
    session     date NOT NULL UNIQUE,
    opens_at    timestamptz NOT NULL,
    closes_at   timestamptz NOT NULL,
    early_close bool NOT NULL,
    late_open   bool NOT NULL,
    CHECK (opens_at < closes_at)
);

CREATE TABLE calendar_sources (
    source_id      int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    library        text NOT NULL,
    second_library text,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE providers (
    provider_id int2 GENERATED ALWAYS AS IDENTITY (MINVALUE 0 START 0) PRIMARY KEY,
    provider    text NOT NULL UNIQUE,
    rank        int2 NOT NULL,
    CHECK (provider_id < 63)
);

CREATE TABLE instruments (
    instrument_id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE symbols (
    symbol        text NOT NULL,
    valid_from    date NOT NULL DEFAULT '-infinity',
    valid_to      date NOT NULL DEFAULT 'infinity',
    instrument_id int4 NOT NULL REFERENCES instruments,
    PRIMARY KEY (symbol, valid_from),
    CHECK (valid_from <= valid_to)
);
CREATE INDEX symbols_instrument_id ON symbols (instrument_id);

CREATE TABLE instrument_providers (
    instrument_id int4 NOT NULL REFERENCES instruments,
    provider_id   int2 NOT NULL REFERENCES providers,
    first_load_id int4 NOT NULL,
    PRIMARY KEY (instrument_id, provider_id)
);

CREATE TABLE loads (
    load_id       int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider_id   int2 NOT NULL REFERENCES providers,
    dataset       text NOT NULL,
    name          text NOT NULL,
    archive_key   text NOT NULL,
    digest        text NOT NULL,
    fetched_at    timestamptz NOT NULL,
    loaded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    rows          int4 NOT NULL,
    inserted      int4 NOT NULL,
    changed       int4 NOT NULL,
    unchanged     int4 NOT NULL,
    withdrawn     int4 NOT NULL,
    outranked     int4 NOT NULL,
    duplicates    int4 NOT NULL,
    refused       int4 NOT NULL,
    CHECK (rows = inserted + changed + unchanged + outranked + duplicates + refused)
);
CREATE INDEX loads_digest ON loads (digest);
CREATE INDEX loads_archive_key ON loads (archive_key);

CREATE TABLE ledger (
    provider_id   int2 NOT NULL REFERENCES providers,
    ordinal       int4 NOT NULL REFERENCES sessions,
    status        text NOT NULL CHECK (status IN ('complete', 'partial')),
    load_id       int4 NOT NULL REFERENCES loads,
    first_load_id int4 NOT NULL REFERENCES loads,
    completed_by  int4 REFERENCES loads,
    rows          int4 NOT NULL,
    passed        int4 NOT NULL,
    inserted      int4 NOT NULL,
    changed       int4 NOT NULL,
    withdrawn     int4 NOT NULL,
    refused       int4 NOT NULL,
    PRIMARY KEY (provider_id, ordinal),
    CHECK ((status = 'complete') = (completed_by IS NOT NULL))
);

CREATE TABLE refused_rows (
    load_id int4 NOT NULL REFERENCES loads,
    line    int8 NOT NULL,
    code    text NOT NULL,
    symbol  text NOT NULL,
    session date,
    reason  text NOT NULL,
    content text NOT NULL,
    PRIMARY KEY (load_id, line)
);

CREATE TABLE daily_bars (
    instrument_id int4 NOT NULL,
    ordinal       int4 NOT NULL,
    open          float8,
    high          float8 NOT NULL,
    low           float8 NOT NULL,
    close         float8 NOT NULL,
    volume        float8 NOT NULL,
    vwap          float8,
    trades        int8,
    load_id       int4 NOT NULL,
    CHECK (0 < low AND low <= open AND low <= close AND open <= high AND close <= high
           AND high < 'infinity' AND 0 <= volume AND volume < 'infinity')
) PARTITION BY LIST ((instrument_id % 16));
CREATE TABLE daily_bars_0 PARTITION OF daily_bars FOR VALUES IN (0);
ALTER TABLE daily_bars_0 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_1 PARTITION OF daily_bars FOR VALUES IN (1);
ALTER TABLE daily_bars_1 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_2 PARTITION OF daily_bars FOR VALUES IN (2);
ALTER TABLE daily_bars_2 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_3 PARTITION OF daily_bars FOR VALUES IN (3);
ALTER TABLE daily_bars_3 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_4 PARTITION OF daily_bars FOR VALUES IN (4);
ALTER TABLE daily_bars_4 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_5 PARTITION OF daily_bars FOR VALUES IN (5);
ALTER TABLE daily_bars_5 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_6 PARTITION OF daily_bars FOR VALUES IN (6);
ALTER TABLE daily_bars_6 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_7 PARTITION OF daily_bars FOR VALUES IN (7);
ALTER TABLE daily_bars_7 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_8 PARTITION OF daily_bars FOR VALUES IN (8);
ALTER TABLE daily_bars_8 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_9 PARTITION OF daily_bars FOR VALUES IN (9);
ALTER TABLE daily_bars_9 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_10 PARTITION OF daily_bars FOR VALUES IN (10);
ALTER TABLE daily_bars_10 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_11 PARTITION OF daily_bars FOR VALUES IN (11);
ALTER TABLE daily_bars_11 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_12 PARTITION OF daily_bars FOR VALUES IN (12);
ALTER TABLE daily_bars_12 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_13 PARTITION OF daily_bars FOR VALUES IN (13);
ALTER TABLE daily_bars_13 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_14 PARTITION OF daily_bars FOR VALUES IN (14);
ALTER TABLE daily_bars_14 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE TABLE daily_bars_15 PARTITION OF daily_bars FOR VALUES IN (15);
ALTER TABLE daily_bars_15 ADD PRIMARY KEY (instrument_id, ordinal);
CREATE INDEX daily_bars_ordinal ON daily_bars USING brin (ordinal) WITH (pages_per_range = 8, autosummarize = on);

CREATE TABLE daily_bar_revisions (
    instrument_id int4 NOT NULL,
    ordinal       int4 NOT NULL,
    open          float8,
    high          float8 NOT NULL,
    low           float8 NOT NULL,
    close         float8 NOT NULL,
    volume        float8 NOT NULL,
    vwap          float8,
    trades        int8,
    load_id       int4 NOT NULL,
    superseded_by int4 NOT NULL,
    PRIMARY KEY (instrument_id, ordinal, load_id)
);

CREATE TABLE splits (
    instrument_id int4 NOT NULL,
    ex_date       date NOT NULL,
    split_from    float8 NOT NULL CHECK (0 < split_from AND split_from < 'infinity'),
    split_to      float8 NOT NULL CHECK (0 < split_to AND split_to < 'infinity'),
    load_id       int4 NOT NULL REFERENCES loads,
    PRIMARY KEY (instrument_id, ex_date)
);

CREATE TABLE dividends (
    instrument_id int4 NOT NULL,
    ex_date       date NOT NULL,
    cash_amount   float8 NOT NULL CHECK (0 < cash_amount AND cash_amount < 'infinity'),
    load_id       int4 NOT NULL REFERENCES loads,
    PRIMARY KEY (instrument_id, ex_date)
);

CREATE TABLE split_revisions (
    instrument_id int4 NOT NULL,
    ex_date       date NOT NULL,
    split_from    float8 NOT NULL,
    split_to      float8 NOT NULL,
    load_id       int4 NOT NULL,
    superseded_by int4 NOT NULL,
    PRIMARY KEY (instrument_id, ex_date, load_id)
);

CREATE TABLE dividend_revisions (
    instrument_id int4 NOT NULL,
    ex_date       date NOT NULL,
    cash_amount   float8 NOT NULL,
    load_id       int4 NOT NULL,
    superseded_by int4 NOT NULL,
    PRIMARY KEY (instrument_id, ex_date, load_id)
);

CREATE TABLE changes (
    change_id     int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition     int2 NOT NULL,
    instrument_id int4,
    provider_id   int2,
    first_ordinal int4 NOT NULL,
    last_ordinal  int4 NOT NULL,
    CHECK (num_nonnulls(instrument_id, provider_id) = 1),
    CHECK (first_ordinal <= last_ordinal)
);
CREATE INDEX changes_partition ON changes (partition);

CREATE TABLE closed_bars (
    "interval"    int2 NOT NULL,
    instrument_id int4 NOT NULL,
    "window"      int4 NOT NULL,
    open          float8,
    high          float8 NOT NULL,
    low           float8 NOT NULL,
    close         float8 NOT NULL,
    volume        float8 NOT NULL,
    vwap          float8,
    trades        int8,
    sessions      int2 NOT NULL,
    is_complete   bool NOT NULL,
    PRIMARY KEY ("interval", instrument_id, "window")
) PARTITION BY LIST ("interval");
CREATE TABLE closed_bars_3 PARTITION OF closed_bars FOR VALUES IN (3);
CREATE TABLE closed_bars_5 PARTITION OF closed_bars FOR VALUES IN (5);
CREATE TABLE closed_bars_8 PARTITION OF closed_bars FOR VALUES IN (8);
CREATE TABLE closed_bars_13 PARTITION OF closed_bars FOR VALUES IN (13);
CREATE TABLE closed_bars_21 PARTITION OF closed_bars FOR VALUES IN (21);
CREATE TABLE closed_bars_34 PARTITION OF closed_bars FOR VALUES IN (34);

CREATE TABLE open_bars (
    instrument_id int4 PRIMARY KEY,
    window_3      int4,
    window_5      int4,
    window_8      int4,
    window_13     int4,
    window_21     int4,
    window_34     int4,
    sessions_3    int2,
    sessions_5    int2,
    sessions_8    int2,
    sessions_13   int2,
    sessions_21   int2,
    sessions_34   int2,
    open_3        float8,
    high_3        float8,
    low_3         float8,
    close_3       float8,
    volume_3      float8,
    vwap_3        float8,
    trades_3      int8,
    open_5        float8,
    high_5        float8,
    low_5         float8,
    close_5       float8,
    volume_5      float8,
    vwap_5        float8,
    trades_5      int8,
    open_8        float8,
    high_8        float8,
    low_8         float8,
    close_8       float8,
    volume_8      float8,
    vwap_8        float8,
    trades_8      int8,
    open_13       float8,
    high_13       float8,
    low_13        float8,
    close_13      float8,
    volume_13     float8,
    vwap_13       float8,
    trades_13     int8,
    open_21       float8,
    high_21       float8,
    low_21        float8,
    close_21      float8,
    volume_21     float8,
    vwap_21       float8,
    trades_21     int8,
    open_34       float8,
    high_34       float8,
    low_34        float8,
    close_34      float8,
    volume_34     float8,
    vwap_34       float8,
    trades_34     int8,
    CHECK (num_nulls(window_3, sessions_3, high_3, low_3, close_3, volume_3) IN (0, 6)),
    CHECK (num_nulls(window_5, sessions_5, high_5, low_5, close_5, volume_5) IN (0, 6)),
    CHECK (num_nulls(window_8, sessions_8, high_8, low_8, close_8, volume_8) IN (0, 6)),
    CHECK (num_nulls(window_13, sessions_13, high_13, low_13, close_13, volume_13) IN (0, 6)),
    CHECK (num_nulls(window_21, sessions_21, high_21, low_21, close_21, volume_21) IN (0, 6)),
    CHECK (num_nulls(window_34, sessions_34, high_34, low_34, close_34, volume_34) IN (0, 6))
) WITH (fillfactor = 50);

CREATE VIEW bars AS
SELECT "interval", instrument_id, "window", open, high, low, close, volume, vwap, trades, sessions, is_complete
FROM closed_bars
UNION ALL SELECT 3::int2, instrument_id, window_3, open_3, high_3, low_3, close_3, volume_3, vwap_3, trades_3,
    sessions_3, false FROM open_bars WHERE window_3 IS NOT NULL
UNION ALL SELECT 5::int2, instrument_id, window_5, open_5, high_5, low_5, close_5, volume_5, vwap_5, trades_5,
    sessions_5, false FROM open_bars WHERE window_5 IS NOT NULL
UNION ALL SELECT 8::int2, instrument_id, window_8, open_8, high_8, low_8, close_8, volume_8, vwap_8, trades_8,
    sessions_8, false FROM open_bars WHERE window_8 IS NOT NULL
UNION ALL SELECT 13::int2, instrument_id, window_13, open_13, high_13, low_13, close_13, volume_13, vwap_13, trades_13,
    sessions_13, false FROM open_bars WHERE window_13 IS NOT NULL
UNION ALL SELECT 21::int2, instrument_id, window_21, open_21, high_21, low_21, close_21, volume_21, vwap_21, trades_21,
    sessions_21, false FROM open_bars WHERE window_21 IS NOT NULL
UNION ALL SELECT 34::int2, instrument_id, window_34, open_34, high_34, low_34, close_34, volume_34, vwap_34, trades_34,
    sessions_34, false FROM open_bars WHERE window_34 IS NOT NULL;

CREATE VIEW bars_3 AS
SELECT "interval", instrument_id, "window", open, high, low, close, volume, vwap, trades, sessions, is_complete
FROM closed_bars WHERE "interval" = 3
UNION ALL SELECT 3::int2, instrument_id, window_3, open_3, high_3, low_3, close_3, volume_3, vwap_3, trades_3,
    sessions_3, false FROM open_bars WHERE window_3 IS NOT NULL;

CREATE VIEW bars_5 AS
SELECT "interval", instrument_id, "window", open, high, low, close, volume, vwap, trades, sessions, is_complete
FROM closed_bars WHERE "interval" = 5
UNION ALL SELECT 5::int2, instrument_id, window_5, open_5, high_5, low_5, close_5, volume_5, vwap_5, trades_5,
    sessions_5, false FROM open_bars WHERE window_5 IS NOT NULL;

CREATE VIEW bars_8 AS
SELECT "interval", instrument_id, "window", open, high, low, close, volume, vwap, trades, sessions, is_complete
FROM closed_bars WHERE "interval" = 8
UNION ALL SELECT 8::int2, instrument_id, window_8, open_8, high_8, low_8, close_8, volume_8, vwap_8, trades_8,
    sessions_8, false FROM open_bars WHERE window_8 IS NOT NULL;

CREATE VIEW bars_13 AS
SELECT "interval", instrument_id, "window", open, high, low, close, volume, vwap, trades, sessions, is_complete
FROM closed_bars WHERE "interval" = 13
UNION ALL SELECT 13::int2, instrument_id, window_13, open_13, high_13, low_13, close_13, volume_13, vwap_13, trades_13,
    sessions_13, false FROM open_bars WHERE window_13 IS NOT NULL;

CREATE VIEW bars_21 AS
SELECT "interval", instrument_id, "window", open, high, low, close, volume, vwap, trades, sessions, is_complete
FROM closed_bars WHERE "interval" = 21
UNION ALL SELECT 21::int2, instrument_id, window_21, open_21, high_21, low_21, close_21, volume_21, vwap_21, trades_21,
    sessions_21, false FROM open_bars WHERE window_21 IS NOT NULL;

CREATE VIEW bars_34 AS
SELECT "interval", instrument_id, "window", open, high, low, close, volume, vwap, trades, sessions, is_complete
FROM closed_bars WHERE "interval" = 34
UNION ALL SELECT 34::int2, instrument_id, window_34, open_34, high_34, low_34, close_34, volume_34, vwap_34, trades_34,
    sessions_34, false FROM open_bars WHERE window_34 IS NOT NULL;

CREATE TABLE runs (
    run_id      int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    command     text NOT NULL,
    started_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    exit_code   int2,
    summary     jsonb,
    CHECK ((finished_at IS NULL) = (exit_code IS NULL))
);

CREATE TABLE metadata (
    instrument_id int4 NOT NULL REFERENCES instruments,
    field         text NOT NULL,
    value         text NOT NULL,
    load_id       int4 NOT NULL REFERENCES loads,
    PRIMARY KEY (instrument_id, field)
);
CREATE INDEX metadata_figi ON metadata (value) WHERE field = 'figi';

CREATE TABLE metadata_revisions (
    instrument_id int4 NOT NULL,
    field         text NOT NULL,
    value         text NOT NULL,
    load_id       int4 NOT NULL,
    superseded_by int4 NOT NULL,
    PRIMARY KEY (instrument_id, field, load_id)
);

CREATE TABLE published_files (
    provider_id int2 NOT NULL REFERENCES providers,
    name        text NOT NULL,
    etag        text NOT NULL,
    fetched_at  timestamptz NOT NULL,
    PRIMARY KEY (provider_id, name)
);

CREATE TABLE live_runs (
    run_id       int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider     text NOT NULL,
    feed         text NOT NULL CHECK (feed IN ('poll', 'stream', 'replay')),
    ordinal      int4 NOT NULL,
    state        text NOT NULL CHECK (state IN ('starting', 'polling', 'streaming', 'stale', 'ended')),
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    ended_by     text,
    phase        text NOT NULL DEFAULT 'pre' CHECK (phase IN ('pre', 'open', 'closing', 'settled', 'official')),
    data_through timestamptz,
    anchored_at  timestamptz,
    delay_s      float8,
    ticks        int4 NOT NULL DEFAULT 0,
    messages     int8 NOT NULL DEFAULT 0,
    refused      int8 NOT NULL DEFAULT 0,
    connections  int4 NOT NULL DEFAULT 0,
    journal      text,
    records      int8 NOT NULL DEFAULT 0,
    drifted      int8 NOT NULL DEFAULT 0,
    CHECK ((state = 'ended') = (ended_at IS NOT NULL))
);

CREATE TABLE live_daily_bars (
    ordinal       int4 NOT NULL,
    instrument_id int4 NOT NULL,
    open          float8,
    high          float8 NOT NULL,
    low           float8 NOT NULL,
    close         float8 NOT NULL,
    volume        float8 NOT NULL,
    vwap          float8,
    phase         text NOT NULL CHECK (phase IN ('open', 'closing', 'settled')),
    last_price    float8,
    last_at       timestamptz,
    data_through  timestamptz NOT NULL,
    run_id        int4 NOT NULL,
    PRIMARY KEY (ordinal, instrument_id),
    CHECK (0 < low AND low <= open AND low <= close AND open <= high AND close <= high
           AND high < 'infinity' AND 0 <= volume AND volume < 'infinity')
) WITH (fillfactor = 50);

CREATE TABLE live_unresolved (
    ordinal      int4 NOT NULL,
    symbol       text NOT NULL,
    open         float8,
    high         float8 NOT NULL,
    low          float8 NOT NULL,
    close        float8 NOT NULL,
    volume       float8 NOT NULL,
    vwap         float8,
    data_through timestamptz NOT NULL,
    run_id       int4 NOT NULL,
    PRIMARY KEY (ordinal, symbol)
);

CREATE TABLE live_refused (
    ordinal      int4 NOT NULL,
    symbol       text NOT NULL,
    code         text NOT NULL,
    reason       text NOT NULL,
    content      text NOT NULL,
    times        int4 NOT NULL DEFAULT 1,
    run_id       int4 NOT NULL,
    PRIMARY KEY (ordinal, symbol, code)
);

CREATE TABLE live_gaps (
    gap_id     int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id     int4 NOT NULL,
    gap_from   timestamptz NOT NULL,
    gap_to     timestamptz,
    reason     text NOT NULL,
    healed_at  timestamptz
);

CREATE TABLE live_settlements (
    ordinal       int4 PRIMARY KEY,
    settled_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    compared      int4 NOT NULL,
    only_live     int4 NOT NULL,
    only_official int4 NOT NULL,
    differing     int4 NOT NULL
);

CREATE TABLE live_settlement_fields (
    ordinal  int4 NOT NULL,
    phase    text NOT NULL,
    field    text NOT NULL,
    compared int4 NOT NULL,
    equal    int4 NOT NULL,
    median   float8 NOT NULL,
    p99      float8 NOT NULL,
    largest  float8 NOT NULL,
    PRIMARY KEY (ordinal, phase, field)
);

CREATE TABLE live_differences (
    ordinal       int4 NOT NULL,
    instrument_id int4 NOT NULL,
    field         text NOT NULL,
    live          float8 NOT NULL,
    official      float8 NOT NULL,
    PRIMARY KEY (ordinal, instrument_id, field)
);

CREATE TABLE taken_back_loads (
    load_id       int4 PRIMARY KEY REFERENCES loads,
    taken_back_by int4 NOT NULL REFERENCES loads
);

CREATE TABLE ledger_revisions (
    provider_id   int2 NOT NULL REFERENCES providers,
    ordinal       int4 NOT NULL REFERENCES sessions,
    first_load_id int4 NOT NULL REFERENCES loads,
    completed_by  int4 REFERENCES loads,
    superseded_by int4 NOT NULL REFERENCES loads,
    PRIMARY KEY (provider_id, ordinal, superseded_by)
);

CREATE TABLE supplier_revisions (
    instrument_id int4 NOT NULL REFERENCES instruments,
    provider_id   int2 NOT NULL REFERENCES providers,
    first_load_id int4 NOT NULL REFERENCES loads,
    superseded_by int4 NOT NULL REFERENCES loads,
    PRIMARY KEY (instrument_id, provider_id, superseded_by)
);

CREATE TABLE watched (
    provider     text NOT NULL,
    symbol       text NOT NULL,
    state        text NOT NULL CHECK (state IN ('watched', 'left_out', 'set_aside')),
    since        timestamptz NOT NULL,
    refusals     int4 NOT NULL DEFAULT 0,
    next_ask     date,
    note         text NOT NULL DEFAULT '',
    PRIMARY KEY (provider, symbol),
    CHECK ((state = 'set_aside') = (next_ask IS NOT NULL))
);

CREATE TABLE alert_rules (
    rule_id    int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    expression text NOT NULL,
    sessions   int4 NOT NULL CHECK (sessions >= 1),
    mode       text NOT NULL CHECK (mode IN ('provisional', 'confirmed')),
    fires      text NOT NULL CHECK (fires IN ('rise', 'bar')),
    symbols    text[],
    at_once    boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    removed_at timestamptz,
    once       text NOT NULL DEFAULT 'bar' CHECK (once IN ('bar', 'session', 'minute')),
    cooldown   text,
    rearm      text
);

CREATE UNIQUE INDEX alert_rules_name ON alert_rules (name) WHERE removed_at IS NULL;

CREATE TABLE alert_webhooks (
    webhook_id int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id    int4 NOT NULL REFERENCES alert_rules,
    url        text NOT NULL,
    secret     text NOT NULL
);

CREATE TABLE alert_states (
    rule_id    int4 PRIMARY KEY REFERENCES alert_rules,
    ordinal    int4 NOT NULL,
    bar_window int4 NOT NULL,
    bits       bytea NOT NULL
);

CREATE TABLE alert_events (
    event_id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id       int4 NOT NULL REFERENCES alert_rules,
    instrument_id int4 NOT NULL,
    symbol        text NOT NULL,
    bar_window    int4 NOT NULL,
    ordinal       int4 NOT NULL,
    state         text NOT NULL CHECK (state IN ('fired', 'confirmed', 'withdrawn')),
    fired_id      int8 REFERENCES alert_events,
    margin        float8,
    bar_values    jsonb NOT NULL,
    reason        text,
    repaint       text NOT NULL,
    data_through  timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    occurrence    int8 NOT NULL DEFAULT 0,
    CHECK (state <> 'fired' OR fired_id IS NULL)
);

CREATE UNIQUE INDEX alert_events_firing
    ON alert_events (rule_id, instrument_id, bar_window, occurrence) WHERE state = 'fired';
CREATE UNIQUE INDEX alert_events_verdict
    ON alert_events (rule_id, instrument_id, bar_window, occurrence) WHERE state <> 'fired';
CREATE UNIQUE INDEX alert_events_verdict_on ON alert_events (fired_id) WHERE fired_id IS NOT NULL;

CREATE TABLE alert_deliveries (
    event_id     int8 NOT NULL REFERENCES alert_events,
    webhook_id   int4 NOT NULL REFERENCES alert_webhooks,
    attempts     int4 NOT NULL DEFAULT 0,
    next_at      timestamptz DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    last_error   text,
    PRIMARY KEY (event_id, webhook_id),
    CHECK (delivered_at IS NULL OR next_at IS NULL)
);

CREATE INDEX alert_deliveries_due ON alert_deliveries (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE touched (
    dataset text NOT NULL,
    first   int4 NOT NULL,
    last    int4 NOT NULL,
    times   int4 NOT NULL DEFAULT 1,
    token   int8 NOT NULL,
    rows    int8,
    CHECK (first <= last)
);

CREATE FUNCTION touch_all() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    EXECUTE format(
        'INSERT INTO %I.touched (dataset, first, last, token) '
        'SELECT dataset, -2147483648, 2147483647, hashtextextended(gen_random_uuid()::text, 0) '
        'FROM unnest($1) AS dataset', TG_TABLE_SCHEMA) USING TG_ARGV[0:];
    RETURN NULL;
END
$function$;

DO $function$
DECLARE
    watched record;
BEGIN
    FOR watched IN
        SELECT relid AS name, 'daily_bars' AS dataset FROM pg_partition_tree('daily_bars')
        UNION ALL SELECT 'daily_bar_revisions'::regclass, 'daily_bar_revisions'
        UNION ALL SELECT relid, replace(relname, 'closed_', '')
            FROM pg_partition_tree('closed_bars') JOIN pg_class ON oid = relid WHERE isleaf
    LOOP
        EXECUTE format(
            'CREATE TRIGGER touched AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH STATEMENT '
            'WHEN (current_setting(%L, true) IS DISTINCT FROM ''on'') EXECUTE FUNCTION touch_all(%L)',
            watched.name, 'condvest.touches_' || watched.dataset, watched.dataset);
        EXECUTE format(
            'CREATE TRIGGER truncated AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION touch_all(%L)',
            watched.name, watched.dataset);
    END LOOP;
END
$function$;

CREATE TRIGGER touched AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON closed_bars FOR EACH STATEMENT
    EXECUTE FUNCTION touch_all('bars_3', 'bars_5', 'bars_8', 'bars_13', 'bars_21', 'bars_34');

CREATE TRIGGER touched AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON open_bars FOR EACH STATEMENT
    WHEN (current_setting('condvest.touches_open_bars', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION touch_all('bars_3', 'bars_5', 'bars_8', 'bars_13', 'bars_21', 'bars_34');

CREATE FUNCTION touch_reference() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    EXECUTE format(
        'INSERT INTO %I.touched (dataset, first, last, token, rows) '
        'VALUES (''reference'', 0, 0, hashtextextended(gen_random_uuid()::text, 0), 0)', TG_TABLE_SCHEMA);
    PERFORM set_config('condvest.touches_reference', 'on', true);
    RETURN NULL;
END
$function$;

DO $function$
DECLARE
    watched text;
BEGIN
    FOREACH watched IN ARRAY ARRAY['providers', 'symbols', 'instrument_providers', 'splits', 'split_revisions',
        'dividends', 'dividend_revisions', 'ledger', 'loads']
    LOOP
        EXECUTE format(
            'CREATE TRIGGER touched AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT '
            'WHEN (current_setting(''condvest.touches_reference'', true) IS DISTINCT FROM ''on'') '
            'EXECUTE FUNCTION touch_reference()', watched);
    END LOOP;
END
$function$;

INSERT INTO touched (dataset, first, last, token, rows)
SELECT dataset, -2147483648, 2147483647, hashtextextended(gen_random_uuid()::text, 0), 0
FROM unnest(ARRAY['daily_bars', 'daily_bar_revisions',
    'bars_3', 'bars_5', 'bars_8', 'bars_13', 'bars_21', 'bars_34', 'reference']) AS dataset;

CREATE AGGREGATE product_in_order(float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1');

CREATE FUNCTION make_views() RETURNS text LANGUAGE plpgsql
AS $function$
DECLARE
    tables text := (SELECT nspname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                    WHERE pg_class.oid = 'daily_bars'::regclass);
    views text := CASE tables WHEN 'public' THEN 'condvest_v1' ELSE tables || '_v1' END;
    mark text := 'Views of the tables in schema ' || tables || ', version 1 (Condvest)';
    present text := (SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = views);
    -- The name of each instrument with daily bars, as condvest.panel has it: a symbol stands for who carries it now
    -- or carried it last; a former carrier has a label, X#12. No series is made of two companies.
    named text := $sql$(
        SELECT now.instrument_id,
               CASE WHEN now.instrument_id = stands.instrument_id THEN now.symbol
                    ELSE now.symbol || '#' || now.instrument_id END AS symbol
        FROM (SELECT DISTINCT ON (instrument_id) instrument_id, symbol FROM symbols
              WHERE instrument_id IN (SELECT instrument_id FROM instrument_providers)
              ORDER BY instrument_id, valid_to DESC, valid_from DESC) AS now
        JOIN (SELECT DISTINCT ON (symbol) symbol, instrument_id FROM symbols
              WHERE instrument_id IN (SELECT instrument_id FROM instrument_providers)
              ORDER BY symbol, valid_to DESC, valid_from DESC) AS stands USING (symbol))$sql$;
    -- A price of a session from since (inclusive) up to until (exclusive) comes to the basis of the last loaded session
    -- by these factors. They are multiplied in the order of batch_layer/shared/core/adjustment.py, so to the bit. Row by
    -- row, since a plan that makes them of the whole market for one symbol is slow.
    spans text := $sql$
        CROSS JOIN LATERAL (
            SELECT max(session) AS through FROM instrument_providers AS supplied
            JOIN sessions ON ordinal = (SELECT max(ordinal) FROM ledger WHERE provider_id = supplied.provider_id)
            WHERE supplied.instrument_id = named.instrument_id) AS loaded
        CROSS JOIN LATERAL (
            SELECT coalesce(lag(ex_date) OVER by_date, '-infinity') AS since, ex_date AS until,
                   product_in_order(split_from / split_to) OVER later AS price_factor,
                   product_in_order(split_to / split_from) OVER later AS volume_factor
            FROM splits WHERE instrument_id = named.instrument_id AND ex_date <= through
            WINDOW by_date AS (ORDER BY ex_date),
                   later AS (ORDER BY ex_date ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)
            UNION ALL
            SELECT coalesce(max(ex_date), '-infinity'), 'infinity', 1, 1
            FROM splits WHERE instrument_id = named.instrument_id AND ex_date <= through) AS span$sql$;
    prices text := $sql$
        open * price_factor AS open,
        high * price_factor AS high,
        low * price_factor AS low,
        close * price_factor AS close,
        volume * volume_factor AS volume,
        CASE WHEN volume > 0 THEN vwap END * price_factor AS vwap, -- as the mean of bars has it
        trades,
        open AS raw_open, high AS raw_high, low AS raw_low, close AS raw_close,
        volume AS raw_volume, CASE WHEN volume > 0 THEN vwap END AS raw_vwap,
        price_factor,
        volume_factor$sql$;
    prices_by_name text := $sql$
        open, high, low, close, volume, vwap, trades, raw_open, raw_high, raw_low, raw_close, raw_volume, raw_vwap,
        price_factor, volume_factor$sql$;
BEGIN
    IF present IS NULL THEN
        IF NOT has_database_privilege(current_database(), 'CREATE') THEN
            RETURN NULL;
        END IF;
        EXECUTE format('CREATE SCHEMA %I', views);
    ELSIF present <> mark AND EXISTS (SELECT FROM pg_class WHERE relnamespace = quote_ident(views)::regnamespace) THEN
        RETURN NULL; -- it is another's
    ELSIF NOT (SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = views) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('COMMENT ON SCHEMA %I IS %L', views, mark);

    EXECUTE format('CREATE OR REPLACE VIEW %I.sessions AS ', views) || $sql$
        SELECT ordinal, session, opens_at, closes_at, early_close, late_open FROM sessions$sql$;

    EXECUTE format('CREATE OR REPLACE VIEW %I.names AS ', views) || $sql$
        SELECT symbols.symbol AS carried, nullif(valid_from, '-infinity') AS first_date,
               nullif(valid_to, 'infinity') AS last_date, named.symbol, instrument_id
        FROM symbols JOIN $sql$ || named || $sql$ AS named USING (instrument_id)$sql$;

    EXECUTE format('CREATE OR REPLACE VIEW %I.instruments AS ', views) || $sql$
        SELECT instrument_id, named.symbol, first_session, last_session, name, type, exchange, currency, active,
               list_date, delisted_date
        FROM $sql$ || named || $sql$ AS named
        LEFT JOIN LATERAL (
            SELECT (SELECT session FROM sessions WHERE ordinal = min(bar.ordinal)) AS first_session,
                   (SELECT session FROM sessions WHERE ordinal = max(bar.ordinal)) AS last_session
            FROM daily_bars AS bar WHERE bar.instrument_id = named.instrument_id
            AND bar.instrument_id % 16 = named.instrument_id % 16) AS bars ON true
        LEFT JOIN (
            SELECT instrument_id, max(value) FILTER (WHERE field = 'name') AS name,
                   max(value) FILTER (WHERE field = 'type') AS type,
                   max(value) FILTER (WHERE field = 'exchange') AS exchange,
                   max(value) FILTER (WHERE field = 'currency') AS currency,
                   bool_or(value = 'true') FILTER (WHERE field = 'active') AS active,
                   max(value) FILTER (WHERE field = 'list_date')::date AS list_date,
                   max(value) FILTER (WHERE field = 'delisted_date')::date AS delisted_date
            FROM metadata GROUP BY 1) AS described USING (instrument_id)$sql$;

    EXECUTE format('CREATE OR REPLACE VIEW %I.splits AS ', views) || $sql$
        SELECT named.symbol, splits.instrument_id, ex_date, split_from, split_to, price_factor, volume_factor
        FROM $sql$ || named || ' AS named' || spans || $sql$
        JOIN splits ON splits.instrument_id = named.instrument_id
        JOIN LATERAL (SELECT max(session) AS before FROM sessions WHERE session < ex_date) AS last
        ON since <= before AND before < until$sql$;

    EXECUTE format('CREATE OR REPLACE VIEW %I.dividends AS ', views) || $sql$
        SELECT named.symbol, instrument_id, ex_date, cash_amount
        FROM dividends JOIN $sql$ || named || $sql$ AS named USING (instrument_id)$sql$;

    EXECUTE format('CREATE OR REPLACE VIEW %I.daily_all AS ', views) || $sql$
        SELECT named.symbol, bar.instrument_id, session, $sql$ || prices || $sql$,
               coalesce(supplied.providers & full_by.providers, 0) <> 0 AS is_complete
        FROM $sql$ || named || ' AS named' || spans || $sql$
        JOIN daily_bars AS bar ON bar.instrument_id = named.instrument_id
        JOIN sessions ON sessions.ordinal = bar.ordinal AND since <= session AND session < until
        LEFT JOIN (SELECT instrument_id, bit_or(1::int8 << provider_id) AS providers
                   FROM instrument_providers GROUP BY 1) AS supplied ON supplied.instrument_id = bar.instrument_id
        LEFT JOIN (SELECT ordinal, bit_or(1::int8 << provider_id) AS providers FROM ledger
                   WHERE status = 'complete' GROUP BY 1) AS full_by ON full_by.ordinal = bar.ordinal$sql$;

    EXECUTE format('CREATE OR REPLACE VIEW %I.daily AS SELECT symbol, instrument_id, session, %s FROM %I.daily_all
        WHERE is_complete', views, prices_by_name, views);

    -- A window that waits to be resampled is left out: a missing bar is seen, a stale one is not.
    EXECUTE format('CREATE OR REPLACE VIEW %I.bars_all AS ', views) || $sql$
        SELECT named.symbol, bar.instrument_id, bar."interval", bar."window",
               coalesce(begun.session, (SELECT min(session) FROM sessions)) AS first_session,
               ended.session AS last_session, $sql$ || prices || $sql$, sessions, is_complete
        FROM $sql$ || named || ' AS named' || spans || $sql$
        JOIN bars AS bar ON bar.instrument_id = named.instrument_id
        JOIN sessions AS ended ON ended.ordinal = (bar."window" + 1) * bar."interval" - 1
             AND since <= ended.session AND ended.session < until
        LEFT JOIN sessions AS begun ON begun.ordinal = bar."window" * bar."interval"
        WHERE NOT EXISTS (
            SELECT FROM changes AS change WHERE change.partition = bar.instrument_id % 64
            AND first_ordinal < (bar."window" + 1) * bar."interval" AND last_ordinal >= bar."window" * bar."interval"
            AND (change.instrument_id = bar.instrument_id OR EXISTS (
                SELECT FROM instrument_providers AS supplied WHERE supplied.instrument_id = bar.instrument_id
                AND supplied.provider_id = change.provider_id)))$sql$;

    EXECUTE format('CREATE OR REPLACE VIEW %I.bars AS SELECT symbol, instrument_id, "interval", "window",
        first_session, last_session, %s, sessions FROM %I.bars_all WHERE is_complete', views, prices_by_name, views);
    RETURN views;
END
$function$;

SELECT make_views();
