-- Which ordinals of the daily bars and windows of the bars a transaction altered, so that a publication need not read
-- all rows to find that out. Whoever stores them says so; the triggers say it, of every row, for whoever does not: a
-- migration, an administrator's SQL. The rows below make every database differ from any other from here on.
-- Code of before this builds first bars without a word, so it may not go on with it.

CREATE TABLE touched (
    dataset text NOT NULL,
    first   int4 NOT NULL,
    last    int4 NOT NULL,
    times   int4 NOT NULL DEFAULT 1,
    token   int8 NOT NULL,
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
        UNION ALL SELECT relid, relname FROM pg_partition_tree('bars') JOIN pg_class ON oid = relid WHERE isleaf
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

CREATE TRIGGER touched AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON bars FOR EACH STATEMENT
    EXECUTE FUNCTION touch_all('bars_3', 'bars_5', 'bars_8', 'bars_13', 'bars_21', 'bars_34');

INSERT INTO touched (dataset, first, last, token)
SELECT dataset, -2147483648, 2147483647, hashtextextended(gen_random_uuid()::text, 0)
FROM unnest(ARRAY['daily_bars', 'daily_bar_revisions',
    'bars_3', 'bars_5', 'bars_8', 'bars_13', 'bars_21', 'bars_34']) AS dataset;
