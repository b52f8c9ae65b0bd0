"""Loading everything that answers need before the first request.

A process that has run out of file descriptors cannot open a template or the price list, so nothing
is left to be opened by the first request that needs it.
"""

from outlay.services.bundle import Services
from outlay.web.dashboard.static_files import static_files
from outlay.web.dashboard.templating import environment


def preload(services: Services) -> None:
    """Load the price list, templates, styles and scripts. Takes half a second."""
    book = services.price_books.base
    book.has_list_price("openai", book.canonical_model("gpt-4o"))
    static_files()
    for name in environment.list_templates():
        environment.get_template(name)
