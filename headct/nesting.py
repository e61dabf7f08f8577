"""JSON nested too deeply: parsers recurse in C, and end the process where its stack ends before they do."""

MAX_DEPTH = 32
"""Levels; nothing this program writes or reads has more than eight."""
MAX_SIGNS = 400_000
"""Brackets and quotes. A request of a thousand studies has some two thousand; more are not looked at."""
_ALL_BUT_BRACKETS = bytes(sorted(set(range(256)) - set(b"[]{}")))


def nested_too_deeply(json: bytes) -> bool:
    """Whether a text that may be JSON opens more than :data:`MAX_DEPTH` brackets within each other."""
    if sum(map(json.count, (b"[", b"]", b"{", b"}", b'"'))) > MAX_SIGNS:
        return True
    outside_strings = json.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2]
    depth = 0
    for bracket in b"".join(outside_strings).translate(None, _ALL_BUT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False
