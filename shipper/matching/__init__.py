"""Blocks become events: rules are loaded, judged and proven here."""
