"""What a database consists of, asked of PostgreSQL's own catalogue."""

CATALOGUE = """
SELECT format('table %s %s %s %s', c.relname, c.relkind, coalesce(pg_get_partkeydef(c.oid), ''), c.reloptions)
FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
UNION ALL
SELECT format('partition %s of %s %s', c.relname, i.inhparent::regclass, pg_get_expr(c.relpartbound, c.oid))
FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid WHERE c.relkind = 'r'
UNION ALL
SELECT format('column %s.%s number %s: %s, not null %s, default %s, identity %s, generated %s, storage %s',
  c.relname, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull,
  pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attstorage)
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d
  ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT format('constraint %s on %s: %s', conname, conrelid::regclass, pg_get_constraintdef(oid))
FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL
SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL
SELECT format('sequence %s: %s', sequencename, row(start_value, min_value, max_value, increment_by, cycle))
FROM pg_sequences WHERE schemaname = 'public'
UNION ALL
SELECT format('function %s', p.oid::regprocedure) FROM pg_proc p WHERE pronamespace = 'public'::regnamespace
UNION ALL
SELECT format('view %s: %s', viewname, definition) FROM pg_views WHERE schemaname IN ('public', 'condvest_v1')
UNION ALL
SELECT format('trigger %s: %s', tgname, pg_get_triggerdef(oid)) FROM pg_trigger WHERE NOT tgisinternal
ORDER BY 1
"""
"""Whatever of a database can differ: one row per fact, in words of PostgreSQL itself."""
