"""The sample course played in a real browser, through the bridge, into a real LRS."""
