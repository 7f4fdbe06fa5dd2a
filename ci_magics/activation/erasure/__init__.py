"""One person taken out of everything: audiences, ledgers, segments."""
