"""Secrets open only where they were sealed."""

import pytest

from outlay.domain.errors import Damaged, Invalid
from outlay.kit.sealing import Sealer
from outlay.services.directory.sealed_secrets import MAX_SECRET, open_secret, seal_secret

SEALER = Sealer(bytes(range(32)))


def test_secret_opens_in_its_place_only() -> None:
    sealed = seal_secret(SEALER, "sk-1", "upstream:one")

    assert open_secret(SEALER, sealed, "upstream:one", "secret") == "sk-1"
    assert open_secret(SEALER, None, "upstream:one", "secret") == ""
    with pytest.raises(Damaged, match="The secret of `two` cannot be opened"):
        open_secret(SEALER, sealed, "upstream:two", "secret of `two`")


@pytest.mark.parametrize("secret", ["x" * (MAX_SECRET + 1), "schlüssel", "two\nlines"])
def test_secret_must_fit_into_a_header(secret: str) -> None:
    with pytest.raises(Invalid, match="printable ASCII"):
        seal_secret(SEALER, secret, "place")
