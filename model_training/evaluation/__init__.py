"""What a network is worth: figures by patient, with intervals, and a report of them."""
