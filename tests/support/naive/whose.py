"""Whose each row is, and what all loads together say: from scratch, row by row; no code of the package.

A load is a dictionary: ``dataset``, ``rank``, ``means`` (date or today), ``told_on``, ``period`` (of a whole
list; None of any other), ``provider``, and ``rows``: tuples of symbol, date, and values.
"""

import datetime as dt

_DATES = (dt.date.min, dt.date.max)


def spans_of(connection):
    """Return (symbol, first, last, instrument) of all that was carried."""
    return [
        (symbol, first or _DATES[0], last or _DATES[1], instrument)
        for symbol, first, last, instrument in connection.execute(
            "SELECT symbol, nullif(valid_from, '-infinity'), nullif(valid_to, 'infinity'), instrument_id "
            "FROM symbols"
        )
    ]


def carrier(spans, symbol, date):
    """Return who carries a symbol on a date; None if nobody does."""
    return next((who for name, first, last, who in spans if name == symbol and first <= date <= last), None)


def owner(spans, load, symbol, date):
    """Return the instrument that a row is of; None if it is nobody's."""
    then, now = carrier(spans, symbol, date), carrier(spans, symbol, load["told_on"])
    if load["means"] == "today" and now is not None:
        lived = any(first <= date <= last for _, first, last, who in spans if who == now)
        if lived or load["dataset"] == "daily_bars":
            return now
    has_another = any(first <= load["told_on"] <= last for _, first, last, who in spans if who == then)
    if load["means"] == "today" and has_another:
        return now
    if then is not None:
        return then
    if load["means"] == "today" and load["dataset"] != "daily_bars":
        later = sorted((first, who) for name, first, _, who in spans if name == symbol and first > date)
        return later[0][1] if later else None
    return None


def stored(spans, loads, dataset):
    """Return {(instrument, date): values} that the loads of a data set leave, one after the other."""
    kept, barred = {}, {}
    for load in loads:
        if "removed" in load:
            gone = load["removed"][dataset]
            kept = {
                key: value
                for key, value in kept.items()
                if not gone & {(value[3], key[1], value[0]), (None, key[1], value[0])}
            }
            continue
        given = {}
        for symbol, date, values in load["rows"]:
            who = owner(spans, load, symbol, date)
            if who is not None:
                given.setdefault((who, date), []).append(values)
        for key, values in given.items():
            if len(set(values)) == 1:
                _give(kept, barred, key, values[0], load)
        if load["period"] is not None:
            first, last = load["period"]
            for key, (_, rank, provider, _) in list(kept.items()):
                if provider == load["provider"] and first <= key[1] <= last and key not in given:
                    del kept[key]
                    barred[key] = rank
    return {key: values for key, (values, *_) in kept.items()}


def _give(kept, barred, key, values, load):
    """Store what a load gives under a key, unless a higher rank has it, or took it back."""
    takes_back = load["dataset"] != "daily_bars" and not any(values)
    _, rank, *_ = kept.get(key, (None, -1))
    if rank > load["rank"] or (key not in kept and barred.get(key, -1) > load["rank"]):
        return
    if takes_back:
        if key in kept:
            del kept[key]
            barred[key] = load["rank"]
    elif key not in kept or kept[key][0] != values:
        kept[key] = (values, load["rank"], load["provider"], load["load_id"])
        barred.pop(key, None)
