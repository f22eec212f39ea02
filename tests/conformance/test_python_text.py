"""base/ against the running Python: JSON in and out, str, repr, upper and truth, character by character."""

import json
import random
import struct
import subprocess
import sys
import unicodedata
import warnings
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent.parent / "scripts/generate-unicode-tables"
TABLES = SCRIPT.parent.parent / "toolkit/base/unicode_tables.cc"
OF_THE_TABLES = "14.0.0"
SEED = 20

needs_unicode_14 = pytest.mark.skipif(
    unicodedata.unidata_version != OF_THE_TABLES,
    reason=f"this Python has Unicode {unicodedata.unidata_version}, the tables are of {OF_THE_TABLES}")


def to_bytes(text):
    return text.encode("utf-8", "surrogatepass")


def to_text(digits):
    return bytes.fromhex(digits).decode("utf-8", "surrogatepass")


@pytest.fixture(scope="session")
def ask(program):
    """Sends (verb, text) pairs to the probe; gives its answers, line by line."""

    def run(questions):
        questions = [(verb, text if isinstance(text, bytes) else to_bytes(text)) for verb, text in questions]
        lines = "".join(f"{verb} {text.hex()}\n" for verb, text in questions)
        end = subprocess.run([program("python_text_probe")], input=lines, text=True, capture_output=True)
        assert end.returncode == 0, end.stderr
        answers = end.stdout.split("\n")[:-1]
        assert len(answers) == len(questions)
        return answers

    return run


class Refused:
    """What stands for a document that is an error."""

    def __init__(self, sentence):
        self.sentence = sentence

    def __eq__(self, other):
        return isinstance(other, Refused)

    def __repr__(self):
        return f"Refused({self.sentence})"


def ours(answer):
    kind, *fields = answer.split(" ")
    if kind == "error":
        return Refused(to_text(fields[0]))
    assert kind == "ok"
    return *map(to_text, fields[:4]), fields[4] == "1"


def pythons(text):
    try:
        value = json.loads(text)
    except ValueError as error:
        return Refused(str(error))
    compact = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return compact, json.dumps(value), str(value), repr(value), bool(value)


def assert_same_as_python(ask, documents):
    answers = ask([("load", text) for text in documents])
    for text, answer in zip(documents, answers):
        assert ours(answer) == pythons(text), repr(text)
    return [ours(answer) for answer in answers]


# ------------------------------------------------------------------------------------- characters


@needs_unicode_14
def test_the_tables_are_what_the_script_makes():
    made = subprocess.run([sys.executable, SCRIPT], check=True, capture_output=True).stdout
    assert made == TABLES.read_bytes()


def known_characters():
    """Every code point; with another Unicode than 14 those assigned in 14, as far as this Python can tell:
    it knows what Unicode 3.2 had. (Later versions gave some of those an upper case, itself new.)"""
    every = [chr(code) for code in range(sys.maxunicode + 1)]
    if unicodedata.unidata_version == OF_THE_TABLES:
        return every
    warnings.warn(f"Unicode {unicodedata.unidata_version} here, {OF_THE_TABLES} in the tables: "
                  "only characters that version 3.2 had are compared")
    return [c for c in every if all(unicodedata.ucd_3_2_0.category(part) != "Cn" for part in c + c.upper())]


@pytest.mark.parametrize("verb, expected", [("repr", repr), ("upper", str.upper)])
def test_every_character_has_pythons(ask, verb, expected):
    characters = known_characters()
    rows = [characters[i:i + 64] for i in range(0, len(characters), 64)]
    # Each on its own within the row: a space keeps neighbours from mattering.
    texts = [" ".join(row) for row in rows]
    for text, answer in zip(texts, ask([(verb, text) for text in texts])):
        assert to_text(answer) == expected(text)


def test_quotes_are_chosen_as_python_does(ask):
    texts = ["", "'", '"', "'\"", "\\", "it's", 'a"b', "\\'", "\r\n\t\0\x7f\x80"]
    assert [to_text(answer) for answer in ask([("repr", text) for text in texts])] == [repr(t) for t in texts]


@pytest.mark.parametrize("raw", [b"\xff", b"a\x80b", b"\xc3", b"\xf0\x9f\x98", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_bytes_that_are_no_utf8_are_shown_as_surrogateescape_has_them(ask, raw):
    text = raw.decode("utf-8", "surrogateescape")
    quoted, upper = ask([("repr", raw), ("upper", raw)])
    assert to_text(quoted) == repr(text)
    assert bytes.fromhex(upper) == text.upper().encode("utf-8", "surrogateescape")


# ---------------------------------------------------------------------------------------- numbers


def random_doubles(rng, count):
    for _ in range(count):
        yield struct.unpack("<d", rng.randbytes(8))[0]


def test_floats_read_and_print_as_pythons(ask):
    rng = random.Random(SEED)
    documents = [repr(x) for x in random_doubles(rng, 20000) if x == x and abs(x) != float("inf")]
    documents += [f"{x:.{rng.randrange(40)}e}" for x in random_doubles(rng, 5000) if x == x and abs(x) != float("inf")]
    documents += [f"{rng.uniform(0, 10):.{rng.randrange(1, 60)}f}" for _ in range(5000)]
    documents += [f"{float(10 ** power)!r}" for power in range(30)] + [f"1e-{power}" for power in range(330)]
    documents += [f"{2 ** 53 + 1}.{'0' * n}1" for n in range(0, 800, 50)]
    assert_same_as_python(ask, documents)


@pytest.mark.parametrize("text", [
    "1e400", "-1e400", "1e-400", "-1e-400", "1E+309", "0e400", "-0e-999999999999999999999", "1e999999999999999999999",
    "-1e-999999999999999999999", "5e-324", "2.5e-324", "2.4e-324", "2e-324", "1.7976931348623157e308",
    "1.7976931348623158e308", "1.7976931348623159e308", "0." + "0" * 400 + "1", "0." + "0" * 400 + "1e+401",
    "0." + "0" * 800 + "1e+400", "1" + "0" * 400 + ".0", "1" + "0" * 400 + ".0e-401", "1" + "0" * 800 + ".5e-400",
    "-0", "-0.0", "0", "9007199254740993.0", "123456789012345680.0", "1e15", "1e16", "0.0001", "0.00001",
    "9" * 4300, "9" * 4301, "-" + "9" * 4300, "-" + "9" * 4301, "9" * 5000 + ".5", "NaN", "-NaN", "Infinity",
    "-Infinity", "+1", "+Infinity", ".5", "1.", "1.e5", "1e", "1e+", "01", "-01", "00", "-", "--1", "0x10", "1_000", "١",
])
def test_numbers_at_the_edges_are_pythons(ask, text):
    assert_same_as_python(ask, [text])


def pythons_number(kind, text):
    """Its repr, or "error". An integer of more than 64 bits has no place in the library."""
    try:
        number = kind(text)
    except ValueError:
        return "error"
    return repr(number) if kind is float or -2 ** 63 <= number < 2 ** 63 else "error"


@pytest.mark.parametrize("kind", [int, float])
def test_text_becomes_a_number_where_a_script_would_make_one_of_its_argument(ask, kind):
    rng = random.Random(SEED)
    parts = ["0", "1", "7", "00", "123", "9" * 19, "_", "_", "+", "-", ".", "e", "E", "e400", "e-400", " ", "\t", "\n", "\x0b", "\x1c",
             "inf", "Infinity", "NaN", "nan(1)", "0x1", "a", "\0"]
    texts = ["", "+5", "+-5", "--5", "+ 5", "1_000", "1__0", "_1", "1_", "1_.5", "1._5", "1e_5", "1_e5", "1e5_0", ".5", "5.", ".", "+.5",
             " 5 ", "\n5\v", "5\0", "inf", "-INF", "+infinity", "infinit", "in_f", "-nan", "nan(1)", "0x10", "0x1p3", "007", "-0", "1e400",
             "-1e-400", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"]
    texts += ["".join(rng.choices(parts, k=rng.randrange(1, 6))) for _ in range(20000)]
    answers = ask([(kind.__name__, text) for text in texts])
    assert answers == [pythons_number(kind, text) for text in texts]
    assert 1000 < answers.count("error") < len(texts) - 1000


# -------------------------------------------------------------------------------------- documents


ALPHABETS = ["abcXYZ 019_-.", "\"\\/'`", "\b\f\n\r\t\0\x01\x1f\x7f", "éßø\xa0\u200b\u2028ﬁŉ中文", "😀𝒳\U000e0001", "\ud800\udbff\udc00\udfff"]


class Writer:
    """Random JSON text, spelled in all the ways that a document may be."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def space(self):
        return "".join(self.rng.choices(" \t\r\n", k=self.rng.choice([0, 0, 0, 1, 3])))

    def character(self, c):
        short = {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "/": "\\/"}
        if c in short and self.rng.random() < 0.5:
            return short[c]
        if c >= " " and c not in '"\\' and self.rng.random() < 0.6:
            return c
        units = to_bytes_utf16(c)
        form = self.rng.choice(["{:04x}", "{:04X}"])
        return "".join("\\u" + form.format(unit) for unit in units)

    def string(self):
        text = "".join(self.rng.choice(self.rng.choice(ALPHABETS)) for _ in range(self.rng.randrange(8)))
        return '"' + "".join(self.character(c) for c in text) + '"'

    def number(self):
        return self.rng.choice([
            lambda: str(self.rng.randrange(-10, 10)),
            lambda: str(self.rng.randrange(-10 ** 30, 10 ** 30)),
            lambda: repr(self.rng.uniform(-10, 10)),
            lambda: f"{self.rng.randrange(100)}{self.rng.choice('eE')}{self.rng.choice(['', '+', '-'])}{self.rng.randrange(400)}",
            lambda: self.rng.choice(["NaN", "Infinity", "-Infinity", "-0", "-0.0", "0.0", "0"]),
        ])()

    def value(self, depth=0):
        kinds = [self.string, self.number, lambda: self.rng.choice(["null", "true", "false"])]
        if depth < 5:
            kinds += [lambda: self.array(depth), lambda: self.object(depth)]
        return self.space() + self.rng.choice(kinds)() + self.space()

    def array(self, depth):
        return "[" + (",".join(self.value(depth + 1) for _ in range(self.rng.randrange(5))) or self.space()) + "]"

    def object(self, depth):
        names = [self.string() for _ in range(self.rng.randrange(6))]
        names += self.rng.choices(names, k=self.rng.choice([0, 0, 2])) if names else []
        members = [f"{self.space()}{name}{self.space()}:{self.value(depth + 1)}" for name in names]
        return "{" + (",".join(members) or self.space()) + "}"

    def damaged(self):
        text = list(self.value())
        for _ in range(self.rng.choice([1, 1, 1, 2, 4])):
            at = self.rng.randrange(len(text) + 1)
            how = self.rng.randrange(4)
            if how == 0:
                text[at:at + self.rng.choice([1, 1, 5])] = []
            elif how == 1:
                text.insert(at, self.rng.choice(list("[]{}:,\"'\\ue.-+0123tfnNI/# \n\0\x0b\xa0") + ["null", "\\u00", "//", "é"]))
            elif how == 2:
                text[at:at + 1] = self.rng.choice(list("[]{}:,\"0"))
            else:
                text = text[:at]
        return "".join(text)


def to_bytes_utf16(c):
    raw = c.encode("utf-16-be", "surrogatepass")
    return struct.unpack(f">{len(raw) // 2}H", raw)


def test_random_documents_are_read_and_written_as_python_does(ask):
    writer = Writer(SEED)
    results = assert_same_as_python(ask, [writer.value() for _ in range(6000)])
    assert not any(isinstance(result, Refused) for result in results)


def test_damaged_documents_are_refused_when_python_refuses_them(ask):
    writer = Writer(SEED + 1)
    documents = [writer.damaged() for _ in range(12000)]
    results = assert_same_as_python(ask, documents)
    refused = [result for result in results if isinstance(result, Refused)]
    assert 2000 < len(refused) < len(documents)
    for refusal in refused:
        assert refusal.sentence.startswith("line ")
        assert ": expected " in refusal.sentence and ", found " in refusal.sentence


def test_a_refusal_names_pythons_line(ask):
    """Python's place is that of the value or delimiter that it misses; ours is never before its line."""
    documents = ["{\n\n1: 2}", '{"a": 1\n "b": 2}', "[1,\n2\n3]", '["a",\n tru]', '\n\n\n{"a" 1}', "[1]\n\n]"]
    for text, answer in zip(documents, ask([("load", text) for text in documents])):
        with pytest.raises(json.JSONDecodeError) as caught:
            json.loads(text)
        place = f"line {caught.value.lineno}, column {caught.value.colno}: "
        assert ours(answer).sentence.startswith(place), text


@pytest.mark.parametrize("raw", [b'"\xff"', b'"a\xc3"', b'"\xc0\xaf"', b'["\xf4\x90\x80\x80"]', b"\xff", b"[\x80]"])
def test_a_document_that_is_no_utf8_is_refused(ask, raw):
    with pytest.raises(ValueError):
        json.loads(raw)
    assert isinstance(ours(ask([("load", raw)])[0]), Refused)


def test_a_large_document_is_read_as_python_does(ask):
    names = [f"name {i % 60000}" for i in range(100000)]
    document = "{" + ", ".join(f"{json.dumps(name)}: [{i}, {i / 7!r}]" for i, name in enumerate(names)) + "}"
    assert_same_as_python(ask, [document, json.dumps("é" * 1000000)])
