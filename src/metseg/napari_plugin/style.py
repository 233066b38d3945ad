"""How the widgets look: napari's theme, and a few names of our own."""

from __future__ import annotations

from typing import Any

from napari.utils.theme import get_theme

_STYLE = """
#sectionTitle {{ font-weight: 600; }}
#sectionLine {{ background-color: {foreground}; }}
#hint {{ color: {quiet}; }}
#notice {{ color: {text}; background-color: {foreground}; border-radius: 3px; padding: 6px; }}
#result {{ font-size: {large}pt; font-weight: 600; color: {text}; }}
#result:disabled {{ color: {quiet}; font-weight: 400; }}
#noResult {{ color: {quiet}; }}
#primary {{ background-color: {current}; color: {on_current}; font-weight: 600; padding: 6px; border-radius: 3px; }}
#primary:hover {{ background-color: {hover}; }}
#primary:disabled {{ background-color: {foreground}; color: {quiet}; border: none; }}
#caseName {{ font-size: {large}pt; font-weight: 600; color: {text}; }}
#caseName:disabled {{ color: {quiet}; font-weight: 400; }}
#fold {{ background: transparent; border: none; }}
#secondary {{ padding: 6px 12px; border-radius: 3px; }}
#secondary:disabled {{ background-color: {background}; border: 1px solid {foreground}; color: {quiet}; }}
#openModel {{ background-color: {primary}; border-radius: 2px; padding: 3px 5px; }}
#openModel:hover {{ background-color: {hover}; }}
#thin {{ min-height: 4px; max-height: 4px; border: none; border-radius: 2px; background-color: {foreground}; }}
#thin::chunk {{ border-radius: 2px; background-color: {current}; }}
#key {{ font-family: monospace; background-color: {foreground}; border-radius: 3px; padding: 1px 5px; }}
"""


def style_sheet(name: str, points: int) -> str:
    """The style sheet of a widget in a theme of napari's, with a font of so many points."""
    theme = get_theme(name)
    text = theme.text.as_rgb_tuple()
    return _STYLE.format(
        foreground=theme.foreground.as_hex(),
        background=theme.background.as_hex(),
        primary=theme.primary.as_hex(),
        text=theme.text.as_hex(),
        quiet=f"rgba({text[0]}, {text[1]}, {text[2]}, 62%)",
        current=theme.current.as_hex(),
        on_current="white" if _is_dark(theme.current) else "black",
        hover=theme.highlight.as_hex(),
        large=points + 3,
    )


def _is_dark(colour: Any) -> bool:
    """Whether white can be read on ``colour``: relative luminance as in WCAG 2, without its gamma."""
    red, green, blue = colour.as_rgb_tuple()[:3]
    return bool(0.2126 * red + 0.7152 * green + 0.0722 * blue < 140)
