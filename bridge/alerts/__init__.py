"""Alerts: somebody is told, once, that something is wrong, and once that it is right again.

`conditions` says what is wrong now, `monitor` what of that has begun and ended, and `channels` send the news.
"""
