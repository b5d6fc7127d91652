-- The open bars, which every night stores anew, in a table of their own: one row an instrument, with the bar under way
-- of each interval. Nights only add to the tables of the others, so that their pages need no room. What was stored
-- stays where it is: an open bar leaves for the new table when it is next altered. Views by the names of before hold
-- both.

DO $rename$
DECLARE
    renamed record;
BEGIN
    FOR renamed IN SELECT conname FROM pg_constraint WHERE conrelid = 'bars'::regclass AND contype = 'n' LOOP
        BEGIN -- PostgreSQL 18 names them; where an upgrade gave the partitions' other names, they keep those
            EXECUTE format(
                'ALTER TABLE bars RENAME CONSTRAINT %I TO %I', renamed.conname, 'closed_' || renamed.conname);
        EXCEPTION WHEN undefined_object OR duplicate_object OR invalid_table_definition THEN
            NULL;
        END;
    END LOOP;
    FOR renamed IN SELECT relid, relname FROM pg_partition_tree('bars') JOIN pg_class ON oid = relid LOOP
        EXECUTE format(
            'ALTER INDEX %I RENAME TO %I', renamed.relname || '_pkey', 'closed_' || renamed.relname || '_pkey');
        EXECUTE format('ALTER TABLE %s RENAME TO %I', renamed.relid::regclass, 'closed_' || renamed.relname);
    END LOOP;
END
$rename$;

ALTER TABLE closed_bars_3 RESET (fillfactor);
ALTER TABLE closed_bars_5 RESET (fillfactor);
ALTER TABLE closed_bars_8 RESET (fillfactor);
ALTER TABLE closed_bars_13 RESET (fillfactor);
ALTER TABLE closed_bars_21 RESET (fillfactor);
ALTER TABLE closed_bars_34 RESET (fillfactor);

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

CREATE TRIGGER touched AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON open_bars FOR EACH STATEMENT
    WHEN (current_setting('condvest.touches_open_bars', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION touch_all('bars_3', 'bars_5', 'bars_8', 'bars_13', 'bars_21', 'bars_34');

-- The rights that others have: to read the views, whoever might read a table by that name; and on the new table,
-- whoever has them on the whole of the other one, for it is written along with that.
DO $grants$
DECLARE
    given record;
BEGIN
    FOR given IN
        SELECT replace(relname, 'closed_', '') AS name,
               CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who
        FROM pg_partition_tree('closed_bars') JOIN pg_class ON oid = relid, aclexplode(relacl)
        WHERE privilege_type = 'SELECT' AND grantee <> relowner
    LOOP
        EXECUTE format('GRANT SELECT ON %I TO %s', given.name, given.who);
    END LOOP;
    FOR given IN
        SELECT privilege_type AS what, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END AS who
        FROM pg_partition_tree('closed_bars') JOIN pg_class ON oid = relid, aclexplode(relacl)
        WHERE grantee <> relowner GROUP BY 1, 2 HAVING bool_or(NOT isleaf) OR count(*) = 6
    LOOP
        EXECUTE format('GRANT %s ON open_bars TO %s', given.what, given.who);
    END LOOP;
END
$grants$;

SELECT make_views();

-- A view that somebody made of the tables goes on with what they are now, and would miss the open bars without a word.
DO $missing$
DECLARE
    lacking text := (
        SELECT string_agg(DISTINCT ev_class::regclass::text, ', ')
        FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
        WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass
        AND refobjid IN (SELECT relid FROM pg_partition_tree('closed_bars'))
        AND ev_class NOT IN (SELECT oid FROM pg_class WHERE relnamespace = (
            SELECT relnamespace FROM pg_class WHERE oid = 'closed_bars'::regclass)
            AND relname IN ('bars', 'bars_3', 'bars_5', 'bars_8', 'bars_13', 'bars_21', 'bars_34')));
BEGIN
    IF lacking IS NOT NULL THEN
        RAISE EXCEPTION 'these views read the tables of bars, and would miss the open bars from now on: %', lacking
            USING HINT = 'Drop them, migrate, and make them again: bars and bars_N are views then.';
    END IF;
END
$missing$;
