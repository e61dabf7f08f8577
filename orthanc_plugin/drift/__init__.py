"""Week by week: is what comes in, and what is said of it, still as it was?"""
