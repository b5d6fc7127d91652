-- Which pages hold which sessions. Nights bring the daily bars session by session, so the last sessions of all
-- instruments lie in few pages, which this finds; by the key they are looked for instrument by instrument.

CREATE INDEX daily_bars_ordinal ON daily_bars USING brin (ordinal) WITH (pages_per_range = 8, autosummarize = on);
