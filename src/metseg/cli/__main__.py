"""``python -m metseg.cli`` is ``metseg``."""

from metseg.cli.app import main

if __name__ == "__main__":  # processes that a command starts import this file again
    main()
