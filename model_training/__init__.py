"""Offline training: data, networks, training, evaluation, export. Alone imports tensorflow."""
