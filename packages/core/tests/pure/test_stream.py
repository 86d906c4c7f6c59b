"""Keys of streams: known answers, and what a path may be."""

import pytest

from fanwise import SourceError
from fanwise._draws.streams import philox
from fanwise.adapting import STREAM, parse_path, stream_key

pytestmark = pytest.mark.clause("randomness/1", "randomness/2", "randomness/7")

# Known answers of Random123 (Salmon et al. 2011), kat_vectors: philox4x32 10.
ONES = 0xFFFFFFFF
PI = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (PI, (0xA4093822, 0x299F31D0), (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)),
    ],
)
def test_philox_has_the_published_answers(counter, key, words):
    assert philox(counter, key) == words


@pytest.mark.parametrize(
    ("seed", "path", "low", "high"),
    [
        (0, ["w"], 0xC091BF87, 0x5946736E),
        (42, ["layers", "0", "attn", "q", "kernel"], 0x4E658C99, 0x87536D8E),
    ],
)
def test_keys_are_frozen(seed, path, low, high):
    """A change of these is a new stream, and needs a new name."""
    assert STREAM == "fanwise-stream-1"
    assert stream_key(seed, path) == high << 32 | low


def test_everything_of_seed_path_and_purpose_matters():
    keys = {
        stream_key(seed, path, purpose)
        for seed in (0, 1, 2**32, 2**63, 2**64 - 1)
        for path in (["ab", "c"], ["a", "bc"], ["abc"], ["a", "b", "c"], ["c", "ab"], [])
        for purpose in ("value", "permutation")
    }
    assert len(keys) == 5 * 6 * 2


def test_many_keys_do_not_collide():
    keys = {stream_key(7, ["layers", str(i), name]) for i in range(5000) for name in ("w", "b")}
    assert len(keys) == 10_000


def test_paths_are_normalized_text():
    assert stream_key(0, ["caf\u00e9"]) == stream_key(0, ["cafe\u0301"])


def test_a_string_is_split_at_its_dots():
    assert parse_path("layers.0.w") == parse_path(("layers", "0", "w")) == ("layers", "0", "w")
    assert parse_path(("a.b",)) != parse_path("a.b")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stream_key(-1, ["w"]), "`seed` must be at least 0, got -1"),
        (lambda: stream_key(2**64, ["w"]), f"`seed` must be below 2**64, got {2**64}"),
        (lambda: stream_key(1.0, ["w"]), "`seed` must be a whole number, got 1.0"),
        (lambda: stream_key(None, ["w"]), "`seed` must be a whole number, got None"),
        (lambda: parse_path("a..b"), "`path` must have segments of one character or more, got 'a..b'"),
        (lambda: parse_path(""), "`path` must have segments of one character or more, got ''"),
        (lambda: parse_path(["\0value"]), "`path` must have segments of one character or more, got ['\\x00value']"),
        (lambda: parse_path(3), "`path` must be a string or a sequence of strings, got 3"),
        (lambda: parse_path("\ud800x"), "`path` must be text that UTF-8 can encode, got '\\ud800x'"),
        (lambda: parse_path([3]), "`path` must have segments of one character or more, got [3]"),
    ],
)  # fmt: skip
def test_errors_name_the_argument_the_rule_and_the_value(call, message):
    with pytest.raises(SourceError) as caught:
        call()
    assert str(caught.value) == message
