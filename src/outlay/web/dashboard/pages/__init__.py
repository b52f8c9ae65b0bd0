"""One module per page, as `navigation.py` lists them."""
