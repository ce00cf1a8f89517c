"""xAPI itself: IRIs, timestamps, and the validation, comparison and voiding of statements. Nothing here knows SCORM."""
