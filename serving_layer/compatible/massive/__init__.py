"""Massive's REST service as its specification says (``.massive/rest.json``, package ``massive`` 2.9.1).

``parameters`` reads what is asked, ``bars`` and ``records`` write rows as Massive does, ``lists`` selects,
sorts and pages records.
"""
