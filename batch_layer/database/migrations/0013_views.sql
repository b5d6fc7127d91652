-- readable from: 11
-- Views for analysts, in a schema of their own: docs/sql.md describes each. A function makes them, so that a database
-- whose owner may not make a schema gets them later (condvest db grant-reader), and a second set of tables its own.

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
