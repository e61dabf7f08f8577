"""What may come where JSON is expected: bodies of requests, a bundle's contents."""

from hypothesis import strategies as st

from hostile import Hostile

_DEEP = 100_000


def bodies() -> list[Hostile[bytes]]:
    """Every case."""
    cases = {
        "600 lists": b"[" * 600,
        "lists, closed": b"[" * _DEEP + b"]" * _DEEP,
        "objects": b'{"a":' * _DEEP + b"1" + b"}" * _DEEP,
        "lists and objects": b'[{"a":' * _DEEP,
        "lists behind a string": b'{"a": "\\"]]]]]]", "b": ' + b"[" * _DEEP,
        "lists behind a string without end": b'{"a": "' + b"[" * _DEEP,
        "a million numbers": b"[" + b"0," * 1_000_000 + b"0]",
        "a million names": b"{" + b",".join(b'"%d":0' % n for n in range(300_000)) + b"}",
        "a number of a million digits": b'{"new": ' + b"9" * 1_000_000 + b"}",
        "a number beyond all numbers": b'{"new": 1e999999999}',
        "no numbers": b'{"new": NaN, "urgency": Infinity, "findings": -Infinity}',
        "a name twice": b'{"new": true, "new": false, "action": "confirm", "action": "exclude"}',
        "half a surrogate": b'{"comment": "\\ud800", "study_instance_uids": ["\\udc00"]}',
        "no text": b"\xff\xfe\x00\x01",
        "another encoding": '{"new": true}'.encode("utf-16"),
        "a mark before it": b"\xef\xbb\xbf{}",
        "a zero byte": b'{"comment": "\\u0000", "name": "\x00"}',
        "nothing": b"",
        "null": b"null",
        "a text alone": b'"' + b"a" * 1_000_000 + b'"',
        "a program": b'{"__class__": "os.system", "__proto__": {"a": 1}, "$ref": "file:///etc/passwd"}',
    }
    return [Hostile(name, lambda b=body: b) for name, body in cases.items()]


def json_values(*names: str) -> st.SearchStrategy[object]:
    """Any JSON, in which names that mean something are more likely than others."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.sampled_from(("2.25.1", "confirm", "GREEN", "exclude", "1.0", -1, 2**63))
    )
    keys = st.sampled_from(names) | st.text(max_size=5)
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
        max_leaves=8,
    )
