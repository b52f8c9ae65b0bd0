"""The palette of the style sheet: every slot has a tone that contrasts with the card."""

import re
from itertools import combinations

import pytest

from outlay.services.analytics.colours import SLOTS
from outlay.web.dashboard.static_files import static_files

SHEET = static_files()["css/app.css"].body.decode()
THEMES = {"light": 0, "dark": 1}
CONTRAST = 3.0
"""The contrast that WCAG 1.4.11 requires of meaningful marks."""


def tones(name: str) -> tuple[str, str]:
    found = re.search(rf"--{name}:light-dark\((#[0-9a-f]+),(#[0-9a-f]+)\)", SHEET)
    assert found, name
    light, dark = found.groups()
    return light, dark


def channels(tone: str) -> list[float]:
    digits = tone[1:] if len(tone) == 7 else "".join(digit * 2 for digit in tone[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(tone: str) -> float:
    red, green, blue = channels(tone)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(tone: str, ground: str) -> float:
    darker, lighter = sorted((luminance(tone), luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
def test_every_tone_contrasts_with_the_card(theme: str) -> None:
    place = THEMES[theme]
    card = tones("surface")[place]

    weak = {slot: contrast(tones(f"s{slot}")[place], card) for slot in SLOTS}

    assert {slot: ratio for slot, ratio in weak.items() if ratio < CONTRAST} == {}


@pytest.mark.parametrize("theme", THEMES)
def test_tones_are_distinguishable(theme: str) -> None:
    place = THEMES[theme]
    found = [[part**0.5 for part in channels(tones(f"s{slot}")[place])] for slot in SLOTS]

    nearest = min(
        sum((a - b) ** 2 for a, b in zip(first, second, strict=True)) ** 0.5
        for first, second in combinations(found, 2)
    )

    assert nearest > 0.08


def test_every_slot_is_used_for_marks_areas_and_lines() -> None:
    for slot in SLOTS:
        for name, what in (("slot", "background"), ("fill", "fill"), ("stroke", "stroke")):
            assert f".{name}-{slot}{{{what}:var(--s{slot});}}" in SHEET
