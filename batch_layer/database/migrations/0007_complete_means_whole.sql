-- A bar is complete if every session of its window has been loaded in full, by any of the instrument's providers;
-- until now its last session was enough. So no stored bar becomes complete by this, and some no longer are: the
-- first window of a history, and those over a session that was never loaded, or only in part.

WITH supplied AS (
    SELECT instrument_id, array_agg(provider_id ORDER BY provider_id) AS providers
    FROM instrument_providers GROUP BY instrument_id
),
loaded AS (
    SELECT DISTINCT alike.providers, ledger.ordinal
    FROM (SELECT DISTINCT providers FROM supplied) AS alike
    JOIN ledger ON ledger.provider_id = ANY (alike.providers) AND ledger.status = 'complete'
),
whole AS (
    SELECT providers, n, floor(ordinal / n::float8)::int4 AS number
    FROM loaded, unnest(ARRAY[3, 5, 8, 13, 21, 34]) AS n
    GROUP BY 1, 2, 3 HAVING count(*) = n
)
UPDATE bars SET is_complete = false
FROM supplied
WHERE bars.is_complete AND bars.instrument_id = supplied.instrument_id
  AND NOT EXISTS (
    SELECT FROM whole
    WHERE whole.providers = supplied.providers AND whole.n = bars."interval" AND whole.number = bars."window"
  );
