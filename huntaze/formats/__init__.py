"""How days and hours are written, in each language: one rule for pages, wizards and the admin. Hours count to 24."""
