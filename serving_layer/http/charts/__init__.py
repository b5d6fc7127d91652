"""Paths for charts of others: TradingView's data feed, and OpenBB Workspace, which shows it.

``reading`` reads what each path is asked, ``paths`` adds them to the application.
"""
