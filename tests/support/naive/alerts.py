"""When a rule fires, told tick by tick as a person would."""

MINUTE = 60_000_000


def naive_firings(rule, ticks, *, has_hysteresis):
    """Return the moments at which a rule fires for one instrument.

    Args:
        rule: its ``fires``, ``once``, ``cooldown`` and ``at_once`` count.
        ticks: pairs of what is seen (``true``; ``between``: not true, and not far from it; ``rearmed``: far
            from it) and when.
        has_hysteresis: whether ``between`` leaves the rule as it is.
    """
    fired = []
    is_armed, bar = True, None
    for number, (state, now) in enumerate(ticks):
        if rule.fires == "bar" and bar != now.window:
            is_armed = True
        bar = now.window
        if state == "true":
            if is_armed and (number > 0 or rule.at_once) and _may(rule, fired, now):
                fired.append(now)
            is_armed = False
        elif state == "rearmed" or not has_hysteresis:
            is_armed = True
    return fired


def _may(rule, fired, now):
    for before in fired:
        same_bar, same_session = before.window == now.window, before.ordinal == now.ordinal
        same_minute = before.at // MINUTE == now.at // MINUTE
        if {"bar": same_bar, "session": same_session, "minute": same_minute}[rule.once]:
            return False
        if rule.cooldown is not None:
            sessions, minutes = now.ordinal - before.ordinal, (now.at - before.at) / MINUTE
            if (sessions if rule.cooldown.unit == "sessions" else minutes) < rule.cooldown.count:
                return False
    return True
