"""Series of a hospital made into data for training that name nobody; ``README.md`` says what is done."""
