"""What people who audit ask: searches in pages, an attempt's timeline, lineages, causes of trouble, the overview.

Functions take a connection that reads and give NamedTuples. Times are milliseconds since the epoch.
"""
