"""Curves over keep, with intervals as bands and names beside the lines: as SVG and PNG."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  the backend comes first
import numpy as np  # noqa: E402

matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "winnow", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
OURS = "#0b57a4"
RIVALS = ["#d95f02", "#1b9e77", "#c0392b", "#7b3294", "#8c6d31", "#e7298a", "#666666", "#7f9f1f", "#17a2b8", "#b8860b", "#2f4f4f"]
ROOM = 0.4  # of the panel's width, left of the lines, for their names


def draw(paths, panels, keeps, ours):
    """panels: {title: {curve: [(value, low, high) of each keep]}}; those of ours stand out"""
    figure, axes = plt.subplots(1, len(panels), figsize=(13, 6.5), layout="constrained")
    for ax, (title, curves) in zip(axes, panels.items()):
        panel(ax, curves, keeps, styles(curves, ours))
        ax.set(title=title, xlabel="share of tokens kept (log)", ylabel="%")
    for path in paths:
        figure.savefig(path, dpi=100, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def styles(curves, ours):
    """{curve: how it is drawn}"""
    rivals = [c for c in curves if c not in ours]
    made = {c: {"color": RIVALS[i % len(RIVALS)], "lw": 1.1, "ls": ["-", "--"][i // len(RIVALS) % 2]} for i, c in enumerate(rivals)}
    return {c: {"color": OURS, "lw": 2.4, "ls": ["-", "--", ":"][ours.index(c) % 3], "zorder": 3} for c in curves if c in ours} | made


def panel(ax, curves, keeps, style):
    for name, points in curves.items():
        value, low, high = np.array(points).T
        ax.plot(keeps, value, marker="o", ms=3, **style[name])
        ax.fill_between(keeps, low, high, color=style[name]["color"], alpha=0.06, lw=0)
    left = keeps[0] * (keeps[0] / keeps[-1]) ** (ROOM / (1 - ROOM))
    ax.set_xscale("log")
    ax.set_xlim(left, keeps[-1] * 1.06)
    ax.set_xticks(keeps, [f"{k:g}" for k in keeps])
    ax.set_xticks([], minor=True)
    ax.grid(alpha=0.25)
    label(ax, {name: points[0][0] for name, points in curves.items()}, keeps[0], style)


def label(ax, first, keep, style):
    """writes each curve's name left of its first point, moved where names would touch"""
    names = sorted(first, key=first.get)
    bottom, top = ax.get_ylim()
    gap = (top - bottom) * 0.034
    heights = apart([first[n] for n in names], gap)
    ax.set_ylim(min(bottom, heights[0] - gap), max(top, heights[-1] + gap))  # names may stand above and below all lines
    for name, y in zip(names, heights):
        colour = style[name]["color"]
        ax.annotate(f"{name}  {first[name]:.1f}", (keep, first[name]), (keep / 1.35, y), ha="right", va="center", color=colour,
                    fontweight="bold" if style[name]["lw"] > 2 else "normal",
                    arrowprops={"arrowstyle": "-", "lw": 0.5, "color": colour, "relpos": (1, 0.5), "shrinkB": 3})


def apart(heights, gap):
    """ascending heights at least gap apart, about where they were"""
    placed = np.array(heights, float)
    for _ in range(200):
        short = gap - np.diff(placed)
        if (short <= 1e-9).all():
            break
        push = np.maximum(short, 0) / 2
        placed[:-1] -= push
        placed[1:] += push
    return placed
