-- Loads that a person takes back: what the ledger and the list of suppliers said before, so that as-of answers stay,
-- and which loads count no more. And the symbols that a provider which answers by symbol is asked about.

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
