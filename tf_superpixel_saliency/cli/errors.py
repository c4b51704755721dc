"""Errors that end the command with one sentence in place of a traceback."""


class CommandError(Exception):
    """What was asked for can't be done; its text is for the user."""


def model_error(error: Exception) -> str:
    """What went wrong in a graph, in a line, without where it was built."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    for number, line in enumerate(lines):
        before, found, _ = line.partition("[[{{node")
        if found:
            lines = [before.strip() or lines[max(0, number - 1)]]
            break
    return (lines or [type(error).__name__])[0].rstrip(" .")
