-- readable from: 9
-- The session under way: what the collector knows of it, and afterwards how far that was from the official bars.

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
