"""A database as if migration 18 had not been applied: every bar in the table ``bars``, an open one too."""

_INTERVALS = (3, 5, 8, 13, 21, 34)

BEFORE_OPEN_BARS = (
    "DROP SCHEMA condvest_v1 CASCADE",
    """INSERT INTO closed_bars SELECT * FROM bars WHERE ("interval", instrument_id, "window")
    NOT IN (SELECT "interval", instrument_id, "window" FROM closed_bars)""",
    f"DROP VIEW bars, {', '.join(f'bars_{n}' for n in _INTERVALS)}",
    "DROP TABLE open_bars",
    """DO $$ DECLARE own record; BEGIN
    FOR own IN SELECT conname AS name FROM pg_constraint
               WHERE conrelid = 'closed_bars'::regclass AND contype = 'n' LOOP
        EXECUTE format('ALTER TABLE closed_bars RENAME CONSTRAINT %I TO %I',
                       own.name, replace(own.name, 'closed_', ''));
    END LOOP;
    FOR own IN SELECT relname AS name, replace(relname, 'closed_', '') AS of_before
               FROM pg_partition_tree('closed_bars') JOIN pg_class ON oid = relid LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', own.name || '_pkey', own.of_before || '_pkey');
        EXECUTE format('ALTER TABLE %I RENAME TO %I', own.name, own.of_before);
    END LOOP; END $$""",
    *(f"ALTER TABLE bars_{n} SET (fillfactor = 50)" for n in _INTERVALS),
    "SELECT make_views()",
    "DELETE FROM schema_migrations WHERE version = 18",
)
"""Statements that undo the migration after it in a database of today."""
