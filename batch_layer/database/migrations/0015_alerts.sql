-- readable from: 14
-- Alert rules, what they said of running bars, the verdict on each, and what is still to be delivered of that.

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
    removed_at timestamptz
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
    CHECK (state <> 'fired' OR fired_id IS NULL)
);

CREATE UNIQUE INDEX alert_events_firing ON alert_events (rule_id, instrument_id, bar_window) WHERE state = 'fired';
CREATE UNIQUE INDEX alert_events_verdict ON alert_events (rule_id, instrument_id, bar_window) WHERE state <> 'fired';

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
