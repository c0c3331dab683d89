"""Colours of families can be told apart by readers with any common colour blindness."""

import itertools
import pathlib
import re

import pytest

PALETTE = pathlib.Path(__file__).parents[3] / "python/greenloop/tracing/viewer/palette.js"

# Machado, Oliveira and Fernandes, "A Physiologically-based Model for Simulation of Color Vision
# Deficiency", 2009: the matrices for a full deficiency, in linear RGB.
SIGHTS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}

LEAST = 10
"""The least distance in CIE L*a*b*. From about 2.3 on, two fields side by side differ."""


def families(theme):
    text = PALETTE.read_text(encoding="utf-8")
    block = re.search(rf"^  {theme}: \{{\n    running(.*?)\n  \}},", text, re.DOTALL | re.MULTILINE)
    found = re.findall(r"(\w+): \[(\d+), (\d+), (\d+)\]", f"running{block[1]}")
    return {name: tuple(map(int, rgb)) for name, *rgb in found}


def seen(rgb, sight):
    """The colour in CIE L*a*b* as somebody with this sight has it."""
    linear = [
        part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in rgb
    ]
    red, green, blue = (
        min(1, max(0, sum(a * b for a, b in zip(row, linear, strict=True))))
        for row in SIGHTS[sight]
    )
    x, y, z = (
        value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116
        for value in (
            (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505,
            0.2126 * red + 0.7152 * green + 0.0722 * blue,
            (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("sight", SIGHTS)
def test_two_families_are_told_apart(theme, sight):
    colours = families(theme)
    assert len(colours) == 9
    near = {
        (one, other): round(distance, 1)
        for one, other in itertools.combinations(colours, 2)
        if (
            distance := sum(
                (a - b) ** 2
                for a, b in zip(seen(colours[one], sight), seen(colours[other], sight), strict=True)
            )
            ** 0.5
        )
        < LEAST
    }
    assert near == {}
