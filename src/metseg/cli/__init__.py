"""The ``metseg`` command. Every file beside this one is one subcommand, or what several of them share."""

from metseg.cli.app import main

__all__ = ["main"]
