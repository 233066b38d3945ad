"""``python -m metseg.cli`` is ``metseg``."""

from metseg.cli.app import main

main()
