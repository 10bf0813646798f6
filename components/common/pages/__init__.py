"""The HTML and SVG that people look at; no other room makes any, or knows Jinja2.

page.py makes a page of the template, the style and the script that lie beside a module; plot.py
draws the charts that chart.py describes; text.py has the words and figures that pages share;
plain_text.py makes text without HTML, such as Markdown, of a template.

Imports from `common`: base and dataset.
"""
