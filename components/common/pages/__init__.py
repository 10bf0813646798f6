"""The HTML and SVG that people look at; no other room makes any, or knows Jinja2.

page.py makes a page of the template, the style and the script that lie beside a module, markdown.py
a Markdown file; plot.py draws the charts that chart.py describes; text.py has the words and figures
that pages share.

Imports from `common`: dataset.
"""
