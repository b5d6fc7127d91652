-- By how many rows each entry of `touched` made its table grow, so that nobody counts them; and entries for what is
-- published beside the bars, so that a publication with nothing new reads none of it.
-- Code of before this puts entries together without the rows, so it may not go on with it.

ALTER TABLE touched ADD COLUMN rows int8;

UPDATE touched SET rows = 0;

DO $function$
DECLARE
    counted text;
BEGIN
    FOR counted IN SELECT DISTINCT dataset FROM touched LOOP
        EXECUTE format('INSERT INTO touched SELECT %L, -2147483648, 2147483647, 0, 0, count(*) FROM %I', counted, counted);
    END LOOP;
END
$function$;

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
VALUES ('reference', 0, 0, hashtextextended(gen_random_uuid()::text, 0), 0);
