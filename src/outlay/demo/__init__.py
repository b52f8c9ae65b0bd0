"""A believable organization, made up deterministically: for trying, testing and screenshots."""
