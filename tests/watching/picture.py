# SPDX-License-Identifier: GPL-2.0-only
"""A picture of a dashboard: its panels, with what Prometheus answers, drawn by a simple page in Chromium."""

import html
import os
import re
import subprocess

from lib import program

FOLDER = os.path.join(program.ROOT, "build", "grafana")
COLUMN, ROW = 60, 30  # pixels of the grid
PALETTE = ("#73bf69", "#f2cc0c", "#5794f2", "#ff780a", "#f2495c", "#b877d9", "#37872d", "#fade2a", "#8ab8ff", "#c4162a")
STYLE = """body{background:#111217;color:#ccccdc;font:12px sans-serif;margin:8px}
.p{position:absolute;background:#181b1f;border:1px solid #2c2f35;box-sizing:border-box;overflow:hidden;padding:4px}
.p b{font-size:12px}.n{font-size:30px;text-align:center;padding-top:18px}.r{position:absolute;font-size:14px;color:#fff}
table{border-collapse:collapse;font-size:11px}td,th{border:1px solid #2c2f35;padding:1px 5px;text-align:left}
.l{font-size:10px;position:absolute;right:4px;top:22px;width:34%;line-height:13px;white-space:nowrap}"""
UNITS = {"pps": "p/s", "bps": "b/s", "percentunit": "", "s": "s", "bytes": "B", "dateTimeFromNow": "", "none": "",
         "short": ""}


NAMED = {"green": "#73bf69", "blue": "#5794f2", "red": "#f2495c", "orange": "#ff9830"}


def hue(colour):
    """A colour of Grafana's names, as near as is needed."""
    plain = re.sub(r"^(?:semi-dark|dark|light)-", "", colour)
    return NAMED.get(plain, plain)


def shown(value, unit):
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "dateTimeFromNow":
        return "a while ago"
    for size, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")):
        if abs(value) >= size or (value == 0 and size == 1):
            return f"{value / size:.3g} {prefix}{UNITS[unit]}"
    return f"{value:.3g}"


def name(legend, labels):
    if legend == "__auto":
        return ", ".join(f"{key}={value}" for key, value in labels.items() if key != "__name__")
    for key, value in labels.items():
        legend = legend.replace("{{%s}}" % key, value)
    return re.sub(r" *{{\w+}}", "", legend)


def curves(panel, answers, width, height):
    unit = panel["fieldConfig"]["defaults"]["unit"]
    rows = [(name(legend, row["metric"]), [(float(t), float(v)) for t, v in row["values"] if v != "NaN"])
            for legend, result in answers for row in result]
    rows = [(legend, points) for legend, points in rows if points]
    if not rows:
        return "<i>no data</i>"
    times = [t for _, points in rows for t, _ in points]
    first, last = min(times), max(max(times), min(times) + 1)
    stacked = panel["fieldConfig"]["defaults"].get("custom", {}).get("stacking", {}).get("mode") == "normal"
    base, drawn, legends = {}, "", ""
    fixed = {row["matcher"]["options"]: row["properties"][0]["value"].get("fixedColor")
             for row in panel["fieldConfig"]["overrides"] if row["properties"][0]["id"] == "color"}
    top = max(sum(dict(points).get(t, 0) for _, points in rows) if stacked else
              max(dict(points).get(t, 0) for _, points in rows) for t in set(times)) or 1
    wide = width * 0.62
    for number, (legend, points) in enumerate(rows):
        colour = hue(fixed.get(legend) or PALETTE[number % len(PALETTE)])
        path = []
        for t, v in points:
            level = v + (base.get(t, 0) if stacked else 0)
            base[t] = level
            path.append(f"{(t - first) / (last - first) * wide:.1f},{height - 12 - level / top * (height - 40):.1f}")
        drawn += f'<polyline points="{" ".join(path)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
        if number < 14:
            legends += f'<span style="color:{colour}">▬</span> {html.escape(legend)} {shown(points[-1][1], unit)}<br>'
    return f'<svg width="{wide:.0f}" height="{height - 22}">{drawn}</svg><small style="position:absolute;left:4px;top:22px">' \
        f'{shown(top, unit)}</small><div class="l">{legends}</div>'


def heat(answers, width, height):
    """Classic buckets are sums: each less the one below it."""
    rows = sorted(((float(row["metric"]["le"]), dict(map(tuple, row["values"]))) for _, result in answers for row in result))
    times = sorted({t for _, row in rows for t in row})
    cells, below = "", {}
    most = max([float(row[t]) for _, row in rows for t in row] or [1]) or 1
    for index, (edge, row) in enumerate(rows):
        for number, t in enumerate(times):
            count = float(row.get(t, 0)) - below.get(t, 0)
            below[t] = float(row.get(t, 0))
            if count > 0:
                cells += f'<rect x="{70 + number * (width - 90) / len(times):.1f}" y="{(len(rows) - 1 - index) * (height - 30) / len(rows):.1f}"' \
                    f' width="{(width - 90) / len(times) + 0.5:.1f}" height="{(height - 30) / len(rows) - 1:.1f}" fill="#5794f2" ' \
                    f'opacity="{min(1, 0.15 + count / most):.2f}"/>'
        cells += f'<text x="0" y="{(len(rows) - 0.3 - index) * (height - 30) / len(rows):.1f}" fill="#999" font-size="9">{edge:g}</text>'
    return f'<svg width="{width - 10}" height="{height - 26}">{cells}</svg>'


def coloured(panel, value):
    """The colour of the last threshold that the value has reached."""
    steps = panel["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
    return next((step["color"] for step in reversed(steps) if step["value"] is None or value >= step["value"]), "#fff")


def word_of(panel, value):
    """(word, colour) of a value that has one, else None."""
    for mapping in panel["fieldConfig"]["defaults"].get("mappings", ()):
        row = mapping["options"].get(f"{value:g}")
        if row:
            return row["text"], row["color"]
    return None


def timeline(panel, answers, width, height):
    """A bar for each series, in the colour that its value has at each time."""
    lines = [(name(legend, row["metric"]), row["values"]) for legend, result in answers for row in result]
    first, last = lines[0][1][0][0], max(values[-1][0] for _, values in lines)
    each, drawn = (height - 40) / len(lines), ""
    for index, (legend, values) in enumerate(lines):
        for t, value in values:
            x = 120 + (t - first) / (last - first + 1) * (width - 140)
            drawn += f'<rect x="{x:.1f}" y="{index * each:.1f}" width="{(width - 140) / (last - first + 1) + 0.5:.1f}" ' \
                f'height="{each - 6:.1f}" fill="{hue((word_of(panel, float(value)) or ("", "grey"))[1])}"/>'
        drawn += f'<text x="0" y="{(index + 0.5) * each:.1f}" fill="#ccc" font-size="11">{html.escape(legend)}</text>'
    return f'<svg width="{width - 10}" height="{height - 26}">{drawn}</svg>'


def number(panel, answers):
    value = float(answers[0][1][0]["values"][-1][1])
    word = word_of(panel, value)
    if word:
        return f'<div class="n" style="background:{hue(word[1])}">{word[0]}</div>'
    return f'<div class="n" style="color:{hue(coloured(panel, value))}">' \
        f'{shown(value, panel["fieldConfig"]["defaults"]["unit"])}</div>'


def rows(panel, answers):
    hidden = panel["transformations"][1]["options"]
    merged, columns = {}, []
    for index, (_, result) in enumerate(answers):
        value = "Value" if len(answers) == 1 else f"Value #{chr(65 + index)}"
        for row in result:
            labels = {key: text for key, text in row["metric"].items() if not hidden["excludeByName"].get(key)}
            line = merged.setdefault(tuple(sorted(labels.items())), labels)
            if not hidden["excludeByName"].get(value):
                line[hidden["renameByName"].get(value, value)] = f"{float(row['value'][1]):.3g}"
            columns += [key for key in line if key not in columns]
    head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(line.get(column, ''))}</td>" for column in columns) + "</tr>"
                   for line in merged.values())
    return f"<table><tr>{head}</tr>{body}</table>"


def content(panel, answers):
    width, height = panel["gridPos"]["w"] * COLUMN, panel["gridPos"]["h"] * ROW
    if not any(result for _, result in answers):
        return "<i>no data</i>"
    if panel["type"] == "stat":
        return number(panel, answers)
    if panel["type"] == "table":
        return rows(panel, answers)
    if panel["type"] == "state-timeline":
        return timeline(panel, answers, width, height)
    if panel["type"] == "heatmap":
        return heat(answers, width, height)
    return curves(panel, answers, width, height)


def page(dashboard, answers):
    """`answers`: {panel's id: [(legend, result)]}. Collapsed rows are shown opened."""
    boxes, y = "", 0
    for row in dashboard["panels"]:
        if row["type"] == "row":
            inside = row["panels"] or [panel for panel in dashboard["panels"] if panel["type"] != "row" and
                                       row["gridPos"]["y"] < panel["gridPos"]["y"] and panel not in row["panels"] and
                                       panel["gridPos"]["y"] < min([other["gridPos"]["y"] for other in dashboard["panels"]
                                                                    if other["type"] == "row" and other["gridPos"]["y"] >
                                                                    row["gridPos"]["y"]] or [10 ** 6])]
            boxes += f'<div class="r" style="top:{y}px">▾ {html.escape(row["title"])}</div>'
            first = min(panel["gridPos"]["y"] for panel in inside)
            for panel in inside:
                grid = panel["gridPos"]
                boxes += f'<div class="p" style="left:{grid["x"] * COLUMN}px;top:{y + 22 + (grid["y"] - first) * ROW}px;' \
                    f'width:{grid["w"] * COLUMN}px;height:{grid["h"] * ROW}px"><b>{html.escape(panel["title"])}</b><br>' \
                    f'{content(panel, answers[panel["id"]])}</div>'
            y += 30 + max(panel["gridPos"]["y"] + panel["gridPos"]["h"] - first for panel in inside) * ROW
    text = f'<meta charset="utf-8"><title>{html.escape(dashboard["title"])}</title><style>{STYLE}</style>' \
        f'<div style="position:relative;width:1440px;height:{y}px">{boxes}</div>'
    return text, y + 20


def draw(stem, dashboard, answers):
    """Writes build/grafana/STEM.html and .png; returns the picture's path, or None without Chromium's."""
    os.makedirs(FOLDER, exist_ok=True)
    text, height = page(dashboard, answers)
    source, picture = (os.path.join(FOLDER, f"{stem}.{ending}") for ending in ("html", "png"))
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    if os.path.exists(picture):
        os.unlink(picture)
    with program.Workspace() as work:
        subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                        "--disable-background-networking", "--disable-component-update", "--disable-sync",
                        "--disable-quic", f"--user-data-dir={work.path}/profile", "--hide-scrollbars",
                        f"--window-size=1460,{height}", f"--screenshot={picture}", f"file://{source}"],
                       check=False, capture_output=True, timeout=120, env={**os.environ, "HOME": work.path})
    return picture if os.path.exists(picture) else None
