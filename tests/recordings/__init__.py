"""What real SCORM players sent, recorded in Chromium, and the statements it must become."""
