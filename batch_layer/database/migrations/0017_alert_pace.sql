-- readable from: 16
-- How often an alert rule may fire, how long it rests, and what re-arms it; a firing is one of several in its bar.

ALTER TABLE alert_rules
    ADD COLUMN once     text NOT NULL DEFAULT 'bar' CHECK (once IN ('bar', 'session', 'minute')),
    ADD COLUMN cooldown text,
    ADD COLUMN rearm    text;

ALTER TABLE alert_events ADD COLUMN occurrence int8 NOT NULL DEFAULT 0;

DROP INDEX alert_events_firing, alert_events_verdict;
CREATE UNIQUE INDEX alert_events_firing
    ON alert_events (rule_id, instrument_id, bar_window, occurrence) WHERE state = 'fired';
CREATE UNIQUE INDEX alert_events_verdict
    ON alert_events (rule_id, instrument_id, bar_window, occurrence) WHERE state <> 'fired';
CREATE UNIQUE INDEX alert_events_verdict_on ON alert_events (fired_id) WHERE fired_id IS NOT NULL;
