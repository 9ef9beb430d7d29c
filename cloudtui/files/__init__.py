"""This computer's disk: settings, keys, themes, the user's ssh config, crash reports."""
