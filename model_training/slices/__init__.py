"""What a network is worth on single slices: never mixed with figures on patients."""
