"""From an attempt's changes to the statements and documents that an LRS gets of them."""
