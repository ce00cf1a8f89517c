"""What pages are built of: requests read, values put in words, templates rendered, files and events sent."""
