"""Errors that end the command with one sentence in place of a traceback."""


class CommandError(Exception):
    """What was asked for can't be done; its text is for the user."""
