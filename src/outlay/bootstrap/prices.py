"""The price lists of a data folder, and the price book made from them."""

from outlay.pricing.book import PriceBook
from outlay.services.repricing.price_lists import PriceLists
from outlay.settings import Settings


def open_prices(settings: Settings) -> tuple[PriceLists, PriceBook]:
    """The price lists of a data folder, and a price book of the active list with the operator's
    file.

    Raises Invalid for errors in the file, Damaged if the list was changed.
    """
    lists = PriceLists(settings.data)
    lists.check()
    overrides = settings.prices_path if settings.prices_path.exists() else None
    return lists, PriceBook.load(overrides, lists)
