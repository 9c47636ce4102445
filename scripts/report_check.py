#!/usr/bin/env python3
"""Pages of `dgm-train report` in a headless Chromium: needs playwright, a Chromium (the system's, or that of `playwright install chromium`) and
axe-core (of axe-playwright-python, or a file by --axe).

    scripts/report_check.py report.html … [--run RUN] [--screenshots FOLDER] [--chromium PROGRAM] [--axe axe.min.js]

Opens each page in light and in dark, 1200 and 400 pixels wide. Fails on an error in the console, a request for anything but the page, a picture that
does not load or has no alternative text, a curve without an extent, a page wider than the screen, a chart that the keyboard does not read, a button
that does not change the theme, and whatever axe-core finds. With --run it also compares the numbers of the table with that run's result.json.
"""

import argparse
import json
import pathlib
import re
import shutil
import sys

from playwright.sync_api import sync_playwright

VIEWS = [(scheme, width) for scheme in ("light", "dark") for width in (1200, 400)]


def axe_source(path):
    if path:
        return path.read_text()
    import axe_playwright_python

    return (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


def open_details(page):
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")


def look(page, axe):
    """What is wrong with a page as it stands."""
    wrong = []
    open_details(page)
    for picture in page.query_selector_all("img"):
        loaded, alt = picture.evaluate("(img) => [img.complete && img.naturalWidth > 0, img.alt]")
        if not loaded or not alt:
            wrong.append(f"a picture does not load or has no alt: {alt!r}")
    for curve in page.query_selector_all(".plot path:not(.grid)"):
        if not curve.evaluate("(path) => { const box = path.getBoundingClientRect(); return box.width > 0 || box.height > 0 || "
                              "path.classList.contains('dots') || path.classList.contains('best'); }"):  # fmt: skip
            wrong.append("a curve has no extent")
    for plot in page.query_selector_all(".plot svg"):
        box = plot.bounding_box()
        if not box or box["width"] < 100 or box["height"] < 100:
            wrong.append(f"a chart is too small: {box}")
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    if wide[0] > wide[1]:
        wrong.append(f"the page is {wide[0]} pixels wide on a screen of {wide[1]}")
    if page.locator("h1").count() != 1 or page.locator("main").count() != 1:
        wrong.append("expected one h1 and one main")
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    for violation in found["violations"]:
        nodes = [node["html"][:160] for node in violation["nodes"][:3]]
        wrong.append(f"axe {violation['id']}: {violation['help']}: {nodes}")
    return wrong, len(found["passes"])


def keyboard(page):
    """Whether arrow keys read every chart, and the pointer does."""
    wrong = []
    cursors = page.query_selector_all(".cursor")
    for cursor in cursors:
        cursor.focus()
        cursor.press("Home")
        before = cursor.get_attribute("aria-valuetext")
        cursor.press("ArrowRight")
        after = cursor.get_attribute("aria-valuetext")
        several = int(cursor.get_attribute("aria-valuemax")) > 0
        if not before or (several and before == after) or "NaN" in after or "undefined" in after:
            wrong.append(f"arrow keys do not read a chart: {before!r}, {after!r}")
        cursor.press("Escape")
    if cursors:
        cursors[0].scroll_into_view_if_needed()
        box = cursors[0].bounding_box()
        page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.5 * box["height"])
        tip = page.locator(".tip:visible")
        if tip.count() != 1 or "step" not in tip.inner_text():
            wrong.append("the pointer does not read a chart")
    return wrong


def theme(page, scheme):
    paper = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(paper)
    page.locator("#theme").click()
    after = page.evaluate(paper)
    page.locator("#theme").click()
    dark = sum(map(int, re.findall(r"\d+", before)[:3])) < 384
    return [] if before != after and dark == (scheme == "dark") else [f"the theme is {before}, then {after}"]


def numbers(page, run):
    """Whether the table has every value of result.json, digit by digit."""
    text = (run / "result.json").read_text()
    shown = set(page.eval_on_selector_all("[data-value]", "(cells) => cells.map((cell) => cell.dataset.value)"))
    shown |= set(page.eval_on_selector_all("[data-standard-error]", "(cells) => cells.map((cell) => cell.dataset.standardError)"))
    metrics = json.loads(text, parse_float=str, parse_int=str)["metrics"]
    wanted = {metric[key] for metric in metrics for key in ("value", "standard_error") if metric[key] is not None}
    return [f"{value} of result.json is not in the page" for value in sorted(wanted - shown)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="+", type=pathlib.Path)
    parser.add_argument("--run", type=pathlib.Path, help="run folder whose result.json the page is to repeat")
    parser.add_argument("--screenshots", type=pathlib.Path)
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="a Chromium [default: %(default)s]")
    parser.add_argument("--axe", type=pathlib.Path, help="axe.min.js")
    arguments = parser.parse_args()
    axe = axe_source(arguments.axe)
    failures = 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=arguments.chromium, args=["--no-sandbox"])
        for path in arguments.pages:
            address = path.resolve().as_uri()
            for scheme, width in VIEWS:
                # The page's own policy would keep axe-core out.
                context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900}, bypass_csp=True)
                page = context.new_page()
                wrong = []
                page.on("console", lambda message: wrong.append(f"console: {message.text}") if message.type in ("error", "warning") else None)
                page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
                page.on("request", lambda request: wrong.append(f"request: {request.url}")
                        if request.url != address and not request.url.startswith("data:") else None)  # fmt: skip
                page.goto(address)
                if arguments.screenshots:
                    arguments.screenshots.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=arguments.screenshots / f"{path.stem}-{scheme}-{width}.png", full_page=True)
                found, passes = look(page, axe)
                wrong += found + keyboard(page) + theme(page, scheme)
                if arguments.screenshots:
                    page.screenshot(path=arguments.screenshots / f"{path.stem}-{scheme}-{width}-open.png", full_page=True)
                if arguments.run:
                    wrong += numbers(page, arguments.run)
                print(f"{path} {scheme} {width}: " + ("; ".join(wrong) if wrong else f"ok, {passes} rules of axe-core passed"))
                failures += bool(wrong)
                context.close()
            # Once more under its own policy: nothing of the page is refused by it.
            page = browser.new_page()
            refused = []
            page.on("console", lambda message: refused.append(message.text))
            page.goto(address)
            if refused:
                print(f"{path}: refused by its policy: {refused}")
                failures += 1
            page.close()
        browser.close()
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
