"""What a message may hold (design, section 5): the same for one fan and for a hundred thousand."""

TEXT_MAX = 5000
PRICE_MIN_CENTS, PRICE_MAX_CENTS = 300, 20_000
