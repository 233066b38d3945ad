"""What the user is told, in one place and in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from metseg.errors import MetsegError
from metseg.study import Problem

_MOST_LINES = 8


def tell(headline: str, details: Iterable[object] = ()) -> None:
    """Show a warning: a headline and the first few details."""
    from napari.utils.notifications import show_warning

    show_warning(_listing(headline, [str(detail) for detail in details]))


def tell_problems(problems: Sequence[Problem]) -> None:
    """Show what was found wrong while reading, refused files first. Nothing is shown when nothing is wrong.

    napari shows the first line of a message until it is opened, so a single problem is that line.
    """
    lines = [
        f"{problem.path.name}: {problem.reason}" for problem in sorted(problems, key=lambda entry: not entry.refused)
    ]
    refused = sum(problem.refused for problem in problems)
    if len(lines) == 1:
        tell(lines[0])
    elif lines:
        counts = [_count(refused, "file") + " refused"] * bool(refused)
        counts += [_count(len(lines) - refused, "remark")] * (refused < len(lines))
        tell(f"{', '.join(counts)} (open this message to read them)", lines)


def tell_error(error: BaseException) -> None:
    """Show an error: ours as its plain sentence, any other the way napari shows errors, with its traceback."""
    from napari.utils.notifications import notification_manager, show_error

    if isinstance(error, MetsegError | OSError):
        show_error(str(error))
    else:
        notification_manager.receive_error(type(error), error, error.__traceback__)


def _listing(headline: str, lines: list[str]) -> str:
    shown = lines[:_MOST_LINES]
    if len(lines) > len(shown):
        shown.append(f"... and {len(lines) - len(shown)} more")
    return "\n".join([headline, *shown])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
