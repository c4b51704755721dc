"""Print the README's set-up commands, one a line: the blocks marked `sh`."""

import pathlib
import re

README = pathlib.Path(__file__).parents[1] / "README.md"
blocks = re.findall(r"^```sh\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)
for block in blocks:
    # A backslash joins the lines of one command, as in the shell.
    print(block.strip().replace("\\\n", " "))
