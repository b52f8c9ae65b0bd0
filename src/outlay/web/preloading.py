"""Reading what answers are made of before anybody asks.

A process that has run out of file descriptors cannot open a template or the price list, so none of
them is left to the first request that needs it.
"""

from outlay.pricing.book import load_price_list
from outlay.web.dashboard.pages import environment
from outlay.web.dashboard.static_files import static_files


def preload() -> None:
    """Have the price list, templates, styles and scripts in memory. Takes half a second."""
    load_price_list()
    static_files()
    for name in environment.list_templates():
        environment.get_template(name)
