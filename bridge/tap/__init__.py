"""The tap: the script that reports from an LMS's pages. Its source is in `src/`, what pages load is `tap.js`."""
