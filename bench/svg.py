"""Line plots as SVG, without any library: axes by hand, since a plot here has a handful of lines."""

import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 84, 44, 44, 56
COLOURS = ("#1f6feb", "#d1661f", "#2a8a4a", "#8a3ab9")


class Axis:
    """From values to pixels; `ticks` are (value, text). `scale` maps values before they are spread evenly."""

    def __init__(self, title, ticks, first, last, scale=lambda value: value):
        self.title, self.ticks, self.scale = title, ticks, scale
        self.low, self.high = scale(first), scale(last)

    def at(self, value, pixel_first, pixel_last):
        part = (self.scale(value) - self.low) / (self.high - self.low)
        return round(pixel_first + min(max(part, 0.0), 1.0) * (pixel_last - pixel_first), 1)


def powers_of_ten(title, values, unit=""):
    first = 10 ** math.floor(math.log10(min(values)))
    last = 10 ** math.ceil(math.log10(max(values) * 1.0001))
    ticks, value = [], first
    while value <= last * 1.01:
        ticks.append((value, f"{value:g}{unit}"))
        value *= 10
    return Axis(title, ticks, first, last, math.log10)


def from_zero(title, values, written=lambda value: f"{value:g}"):
    most = 1.15 * max(values)  # room for the names of the lines
    step = 10 ** math.floor(math.log10(most))
    step = next(step * part for part in (0.1, 0.2, 0.5, 1, 2) if most / (step * part) <= 8)
    count = math.ceil(most / step)
    return Axis(title, [(step * number, written(step * number)) for number in range(count + 1)], 0, step * count)


def nines(title, most):
    """Quantiles by their nines: 90 %, 99 %, 99.9 % are as far from one another."""
    ticks = [(0.0, "0 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"), (0.99999, "99.999 %")]
    last = next((value for value, _ in ticks if value >= most), ticks[-1][0])
    return Axis(title, [tick for tick in ticks if tick[0] <= last], 0.0, last, lambda value: -math.log10(1 - min(value, last)))


def even(title, values, texts=None):
    """Categories in order, at equal distances."""
    places = {value: place for place, value in enumerate(values)}
    return Axis(title, list(zip(values, texts or [f"{value:,}" for value in values])), values[0], values[-1], lambda value: places[value])


def plot(title, x, y, lines, dots=False):
    """`lines`: {name: [(x, y), …]}."""
    left, right, top, bottom = LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{left}" y="24" font-size="15">{escape(title)}</text>',
    ]
    for value, text in x.ticks:
        at = x.at(value, left, right)
        out.append(f'<path d="M{at} {top}V{bottom}" stroke="#ddd"/><text x="{at}" y="{bottom + 18}" text-anchor="middle">{escape(text)}</text>')
    for value, text in y.ticks:
        at = y.at(value, bottom, top)
        out.append(f'<path d="M{left} {at}H{right}" stroke="#ddd"/><text x="{left - 8}" y="{at + 4}" text-anchor="end">{escape(text)}</text>')
    out.append(f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#222"/>')
    out.append(f'<text x="{(left + right) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(x.title)}</text>')
    out.append(f'<text transform="translate(18 {(top + bottom) / 2}) rotate(-90)" text-anchor="middle">{escape(y.title)}</text>')
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        placed = [(x.at(one, left, right), y.at(other, bottom, top)) for one, other in points]
        out.append(f'<path d="M{" L".join(f"{one} {other}" for one, other in placed)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if dots:
            out += [f'<circle cx="{one}" cy="{other}" r="4" fill="{colour}"/>' for one, other in placed]
        out.append(f'<rect x="{left + 12}" y="{top + 8 + 18 * number}" width="16" height="4" fill="{colour}"/><text x="{left + 34}" y="{top + 14 + 18 * number}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
