"""Active sets, extrapolation grades and what is chosen by them."""
