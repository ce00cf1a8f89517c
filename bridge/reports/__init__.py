"""Reports: the views of the database as files of rows for analysts, a month each."""
