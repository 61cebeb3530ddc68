import re

import pytest

from tests.notify.examples import EXAMPLES

READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3
FINGER = 44  # CSS pixels, the smallest target that WCAG 2.2 calls enhanced (2.5.5)


@pytest.fixture
def page(in_language):
    """An invitation, in which every sort of part but quotes and people occurs."""
    return in_language(EXAMPLES["invitation.requester"], "de").html


@pytest.fixture
def pages(examples, in_language):
    """All mails, in the language with the longest words."""
    return {name: in_language(example, "de").html for name, example in examples.items()}


def without_style(html):
    return re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)


def inline(html, mark):
    """The style of the first element whose start contains `mark`."""
    start = next(tag for tag in re.findall(r"<[a-z][^>]*>", without_style(html)) if mark in tag)
    return dict(part.split(":", 1) for part in re.search(r'style="([^"]*)"', start)[1].split(";"))


def dark(html, selector):
    css = html.partition("(prefers-color-scheme: dark) {")[2].partition("</style>")[0]
    rule = next(
        body for names, body in re.findall(r"([^{}]+)\{([^}]*)\}", css) if selector in names.strip().split(", ")
    )
    return dict(re.findall(r"([a-z-]+): (#\w+)", rule))


def luminance(colour):
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def pairs_in_light(html):
    inner, facts = inline(html, 'class="inner"'), inline(html, 'class="facts"')
    button = inline(html, 'class="button"')
    link = inline(html, "https://meet.example")
    label = inline(html, 'href="https://conference.example')
    for ground in (inner, facts):
        for text in (inner["color"], inline(html, 'class="quiet"')["color"], link["color"]):
            yield text, ground["background-color"]
    yield label["color"], button["background-color"]


def pairs_in_the_dark(html):
    inner, facts = dark(html, ".inner"), dark(html, ".facts")
    for ground in (inner, facts):
        for text in (inner["color"], dark(html, ".quiet")["color"], dark(html, "a")["color"]):
            yield text, ground["background-color"]
    yield dark(html, ".button a")["color"], dark(html, ".button")["background-color"]


@pytest.mark.parametrize("pairs", [pairs_in_light, pairs_in_the_dark])
def test_every_text_can_be_told_from_its_ground(page, pairs):
    found = list(pairs(page))
    assert len(found) == 7
    assert [pair for pair in found if contrast(*pair) < READABLE] == []


@pytest.mark.parametrize(("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48)])
def test_the_measure_of_contrast_is_that_of_the_standard(one, other, ratio):
    assert contrast(one, other) == pytest.approx(ratio, abs=0.01)


def test_a_page_says_that_it_has_both_colour_schemes(pages):
    for html in pages.values():
        assert '<meta name="color-scheme" content="light dark">' in html
        assert "@media (prefers-color-scheme: dark)" in html


def test_nothing_but_what_outlook_alone_reads_has_a_fixed_width(pages):
    for html in pages.values():
        seen = re.sub(r"<!--\[if mso\]>.*?<!\[endif\]-->", "", html)
        assert re.findall(r'width="(?!100%")[^"]*"|(?<!max-)width:(?!100%)', seen) == []
        assert "white-space:pre;" not in seen


def test_every_table_is_there_for_the_layout_only(pages):
    for html in pages.values():
        assert re.findall(r'<table(?![^>]*role="presentation")', html) == []


def test_a_page_without_its_style_element_keeps_colours_and_spaces(page):
    bare = without_style(page)
    assert "@media" not in bare
    assert inline(bare, 'class="button"')["background-color"] == "#0b6478"
    assert 'bgcolor="#0b6478"' in bare
    assert inline(bare, 'class="inner"')["color"] == "#1c2a35"
    assert re.findall(r"<(?:p|h1|h2|dl|dd|ul|li)(?![^>]*style=)[ >]", bare) == []


def test_a_button_is_big_enough_for_a_finger(page):
    padding = int(re.match(r"(\d+)px", inline(page, 'href="https://conference.example')["padding"])[1])
    inner = inline(page, 'class="inner"')
    line = float(inner["font-size"].removesuffix("px")) * float(inner["line-height"])
    assert 2 * padding + line >= FINGER


def test_the_preview_in_a_list_of_mails_tells_more_than_the_subject(pages):
    hidden = {name: re.search(r'<div style="display:none[^>]*>(.*?)</div>', html)[1] for name, html in pages.items()}
    assert [name for name, said in hidden.items() if not said.strip()] == []
    assert hidden["invitation"] == "Dienstag, 24. November 2026, 11:00-11:40"
