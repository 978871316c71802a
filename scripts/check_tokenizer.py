#!/usr/bin/env python3
"""Compares retort's token ids with those of Hugging Face's tokenizers package.

    python3 scripts/check_tokenizer.py                           a few minutes of all of these
    python3 scripts/check_tokenizer.py texts FOLDER ARCHIVE...   all texts of collections, and pairs
    python3 scripts/check_tokenizer.py strings FOLDER            awkward strings, and pairs of them
    python3 scripts/check_tokenizer.py unicode                   every code point, beside others
    python3 scripts/check_tokenizer.py write                     tests/golden/tokenizer*
    python3 scripts/check_tokenizer.py export FOLDER             an export read by others

Exits 1 at any difference.  Needs: pip install tokenizers transformers.
"""

import csv
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import tempfile
import time
import unicodedata
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one core, so that speeds compare
from tokenizers import Tokenizer

PROGRAM = os.environ.get("TOKENIZE_LINES", "build/tests/data/tokenize_lines")
GOLDEN = Path("tests/golden")


def reference(folder):
    """tokenizer.json without its truncation and padding; vocab.txt through transformers."""
    if (Path(folder) / "tokenizer.json").exists():
        tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    else:
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(str(folder)).backend_tokenizer
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def ours(folder, lines, max_length):
    """[(ids, types)] of JSON lines."""
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    command = [PROGRAM, str(folder), str(max_length)]
    run = subprocess.run(command, input=text.encode(), capture_output=True)
    if run.returncode:
        sys.exit(run.stderr.decode())
    out = []
    for row in run.stdout.decode().split("\n")[:-1]:
        ids, types = row.split("\t")
        out.append(([int(i) for i in ids.split()], [int(i) for i in types.split()]))
    assert len(out) == len(lines), (len(out), len(lines))
    return out, run.stderr.decode().strip()


def theirs(tokenizer, lines, max_length):
    start = time.process_time()
    if max_length:
        tokenizer.enable_truncation(max_length)
    else:
        tokenizer.no_truncation()
    out = []
    for line in lines:
        if isinstance(line, str):
            encoding = tokenizer.encode(line, add_special_tokens=max_length > 0)
        else:
            encoding = tokenizer.encode(line[0], line[1])
        out.append((encoding.ids, encoding.type_ids))
    return out, time.process_time() - start


class Check:
    def __init__(self):
        self.compared = self.wrong = 0

    def lines(self, what, folder, lines, max_length, tokenizer=None):
        expected, seconds = theirs(tokenizer or reference(folder), lines, max_length)
        found, timing = ours(folder, lines, max_length)
        wrong = [i for i in range(len(lines)) if expected[i] != found[i]]
        self.compared += len(lines)
        self.wrong += len(wrong)
        print(f"{what}, at most {max_length or 'all'}: {len(lines)} compared, {len(wrong)} differ")
        print(f"  retort {timing}; tokenizers {len(lines) / max(seconds, 1e-9):.0f} lines/s")
        for i in wrong[:5]:
            print("  text    ", ascii(lines[i])[:300])
            print("  expected", expected[i][0][:60], expected[i][1][-20:])
            print("  found   ", found[i][0][:60], found[i][1][-20:])

    def finish(self):
        print(f"{self.compared} compared, {self.wrong} differ")
        return 1 if self.wrong or not self.compared else 0


def texts_of(archive):
    """The different strings of all records of a collection."""
    out = []
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if member.name.endswith(".jsonl"):
                for line in tar.extractfile(member):
                    record = json.loads(line)
                    out += [v for v in record.values() if isinstance(v, str)]
                    if record.get("title") and "text" in record:
                        out.append(record["title"] + " " + record["text"])
            elif member.name.endswith(".tsv") and "/qrels/" not in member.name:
                text = io.TextIOWrapper(tar.extractfile(member), "utf-8", newline="")
                for row in csv.reader(text, delimiter="\t", quoting=csv.QUOTE_NONE):
                    out += row
    return [t for t in dict.fromkeys(out) if "\0" not in t]


def pairs_of(texts, seed):
    """Every text once as the first and once as the second of a pair."""
    order = list(range(len(texts)))
    random.Random(seed).shuffle(order)
    return [[texts[i], texts[j]] for i, j in enumerate(order)]


MARKS = "\u0301 \u0323 \u0345 \u0316 \u302e \u0bd7 \U0001d165 \U0001d16d \u0f39".split(" ")
SPACES = [" ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x85", "\u00a0", "\u2028", "\u3000"]
REMOVED = ["\u200b", "\ufeff", "\ufffd", "\x01", "\x7f", "\u00ad", "\ue000", "\U000e0001"]
PIECES = (
    """a B Zürich İ ǅ Σας ΟΔΟΣ straße ﬁ Å 각 가 中文 豈 丽 日本 ไทย नमस्ते שָׁלוֹם مرحبا 🦙 👩‍👩‍👧 🇩🇪
    e\u0301 [SEP] [CLS] [UNK] [MASK] [PAD] [sep] [unused5] ##ing ## ' ’ don't x² ½ ① Ⅷ . ... $ €
    ¿ _ - — \U00011938 1,000.5 C++ user@x.org""".split()
    + MARKS
    + SPACES
    + REMOVED
)


def random_char(rng):
    top = rng.choice([0x300, 0xD800, 0x110000])
    return chr(rng.randrange(0xE000 if top > 0xD800 else 1, top))


def awkward_strings(count):
    rng = random.Random(7)
    strings = ["", " ", "   \t "]
    strings += ["a" * 99, "a" * 100, "a" * 101, "a" * 10000, "é" * 100, "é" * 101, "中" * 101]
    strings += ["e\u0301" * 100, "word " * 10000, "[SEP]" * 500, "[" * 1000, "a\u0301" * 3000]
    strings += ["\u302e" * 2000, "".join(MARKS) * 50]
    strings += PIECES
    strings += [a + b for a in PIECES for b in PIECES]
    for _ in range(count):
        strings.append("".join(rng.choice(PIECES) for _ in range(rng.randrange(3, 40))))
        strings.append("".join(random_char(rng) for _ in range(rng.randrange(1, 30))))
    return strings


def check_texts(folder, archives):
    check, tokenizer = Check(), reference(folder)
    for number, archive in enumerate(archives):
        texts, name = texts_of(archive), Path(archive).name
        for max_length in (0, 200):
            check.lines(f"{name} single", folder, texts, max_length, tokenizer)
        pairs = pairs_of(texts, number)
        for max_length in (512, 65):
            check.lines(f"{name} pairs", folder, pairs, max_length, tokenizer)
    return check.finish()


def check_strings(folder, count=20000):
    check, tokenizer, strings = Check(), reference(folder), awkward_strings(count)
    for max_length in (0, 512, 17, 16, 3):
        check.lines("strings single", folder, strings, max_length, tokenizer)
    pairs = pairs_of(strings, 1)
    pairs += [[s, ""] for s in strings[:500]] + [["", s] for s in strings[:500]]
    for max_length in (512, 17, 16, 4):
        check.lines("strings pairs", folder, pairs, max_length, tokenizer)
    return check.finish()


def added_token(number, content, **flags):
    off = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized", "special"], False)
    return {"id": number, "content": content, **off, **flags}


def place(kind, name, type_id):
    return {kind: {"id": name, "type_id": type_id}}


def bert_json(vocab, **changes):
    """A BERT tokenizer.json of a list of tokens."""
    ids = {token: i for i, token in enumerate(vocab)}
    single = [place("SpecialToken", "[CLS]", 0), place("Sequence", "A", 0)]
    single += [place("SpecialToken", "[SEP]", 0)]
    out = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(i, t, special=True) for i, t in enumerate(SPECIALS)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": single + [place("Sequence", "B", 1), place("SpecialToken", "[SEP]", 1)],
            "special_tokens": {
                t: {"id": t, "ids": [ids[t]], "tokens": [t]} for t in ("[CLS]", "[SEP]")
            },
        },
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": ids,
        },
    }
    for key, value in changes.items():
        out[key].update(value)
    return out


SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def forms(chars):
    """Characters and what normalisation may make of them."""
    out = {}
    for c in chars:
        decomposed = unicodedata.normalize("NFD", c)
        for form in (c, decomposed, c.lower(), decomposed.lower()):
            out.update(dict.fromkeys(form))
    return list(out)


def check_unicode(blocks=17):
    """Vocabularies that hold every code point of a block: no difference hides behind [UNK]."""
    check = Check()
    settings = [
        {},
        {"lowercase": False},
        {"strip_accents": False},
        {"clean_text": False, "handle_chinese_chars": False},
        {"strip_accents": True, "lowercase": False, "clean_text": False},
    ]
    scalars = [chr(i) for i in range(1, 0x110000) if not 0xD800 <= i < 0xE000]
    for begin in range(0, len(scalars), 0x10000)[:blocks]:
        block = scalars[begin : begin + 0x10000]
        chars = forms(list("ab .中\u0301\u0323\u302e\u0345") + block)
        vocab = SPECIALS + chars + ["##" + c for c in chars]
        lines = []
        for c in block:
            lines += [c, f"a{c}b", c + c, f"a{c}\u0301", f"a\u0345{c}\u0323", f"a\u302e{c} {c}."]
        for setting in settings:
            text = json.dumps(bert_json(vocab, normalizer=setting), ensure_ascii=False)
            with tempfile.TemporaryDirectory() as folder:
                Path(folder, "tokenizer.json").write_text(text)
                check.lines(f"code points from {ord(block[0]):X}, {setting}", folder, lines, 0)
    return check.finish()


def golden_vocab():
    letters = "abcdefghijklmnopqrstuvwxyz"
    wide = "éüßåñøİıσςδοиа中文豈日本각가한ㄱไนम्שלוםمر🦙²½①ﬁÅ\u0301\u0323\u0345\u302e\u302f\U0001d165"
    words = """the quick fox hello world istanbul zurich strasse don ##ing ##ed un ##able ##s
        i\u0307 Hello World Zürich naïve naive word 1000""".split()
    chars = list(dict.fromkeys(letters + "0123456789" + letters.upper() + wide))
    punctuation = list("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~’—¿…。€")
    tokens = SPECIALS + chars + ["##" + c for c in chars] + punctuation + words
    return list(dict.fromkeys(tokens))


def write_folders():
    """Three tokenizers that differ in all that can differ."""
    vocab = golden_vocab()
    uncased = bert_json(vocab)
    added = [
        added_token(0, "[LEFT]", lstrip=True),
        added_token(0, "[RIGHT]", rstrip=True),
        added_token(0, "Solo", single_word=True),
        added_token(0, "Éclair", normalized=True),
        added_token(0, "eclair pan", normalized=True, lstrip=True),
        added_token(0, "[BOTH]", lstrip=True, rstrip=True, special=True),
        added_token(0, "fox", single_word=True),
    ]
    for i, token in enumerate(added):  # the library gives ids by content, then by order
        content = token["content"]
        token["id"] = vocab.index(content) if content in vocab else len(vocab) + i
    uncased["added_tokens"] += added
    uncased["truncation"] = {
        "direction": "Right",
        "max_length": 4,
        "strategy": "LongestFirst",
        "stride": 0,
    }
    uncased["padding"] = {
        "strategy": {"Fixed": 8},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": 0,
        "pad_type_id": 0,
        "pad_token": "[PAD]",
    }
    flags = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": True}
    flags["lowercase"] = False
    roberta = bert_json(vocab, normalizer=flags, model={"max_input_chars_per_word": 5})
    roberta["post_processor"] = {
        "type": "RobertaProcessing",
        "sep": ["[SEP]", 3],
        "cls": ["[CLS]", 2],
        "trim_offsets": True,
        "add_prefix_space": False,
    }
    for name, content in (("tokenizer", uncased), ("tokenizer-roberta", roberta)):
        (GOLDEN / name).mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (GOLDEN / name / "tokenizer.json").write_text(text + "\n")
    cased = GOLDEN / "tokenizer-cased"
    cased.mkdir(exist_ok=True)
    (cased / "vocab.txt").write_text("".join(t + "\n" for t in vocab))
    config = {"do_lower_case": False, "strip_accents": None, "tokenizer_class": "BertTokenizer"}
    config["model_max_length"] = int(1e30)
    (cased / "tokenizer_config.json").write_text(json.dumps(config, indent=1) + "\n")
    return ["tokenizer", "tokenizer-roberta", "tokenizer-cased"]


def golden_lines():
    rng = random.Random(11)
    pieces = (
        """the The hello Hello world Zürich ZÜRICH naïve İstanbul ıσς ΣΑΣ Σ straße don't un able
        中文 日本 豈 각 가 한ㄱ ไน म् שלום م 🦙 ² ½ ① ﬁ Å Å e\u0301 a\u0323\u0301 a\u0301\u0323
        a\u0345\u302e x\U0001d165\u302e x\u302e\U0001d165 x\u302e\u302f [SEP] [CLS] [sep] [LEFT] [UNK] Solo
        Solo. Solos soloSolo éclair ECLAIR fox foxes fox-fox ... — €5 1000 _ ##ing""".split()
    )
    pieces += [" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\x0c", "\x85"] + REMOVED
    pieces += [" [LEFT] ", " [RIGHT] ", " [BOTH] ", "eclair pan", "Éclair Pan"]
    pieces += ["q" * 6, "a" * 100, "a" * 101, "é" * 101]
    some = lambda least: "".join(rng.choice(pieces) for _ in range(rng.randrange(least, 8)))
    lines = [""] + pieces + [some(2) for _ in range(250)]
    pairs = [["", ""], ["the", ""], ["", "the"]] + [[some(0), some(0)] for _ in range(150)]
    return lines, pairs


def golden_rows():
    """Folder, maximum length, text or pair as JSON, ids, type ids."""
    rows = []
    lines, pairs = golden_lines()
    for folder in write_folders():
        tokenizer = reference(GOLDEN / folder)
        for number, line in enumerate(lines + pairs):
            max_length = [512, 512, 9, 8, 4][number % 5]
            ((ids, types),) = theirs(tokenizer, [line], max_length)[0]
            numbers = [" ".join(map(str, row)) for row in (ids, types)]
            rows.append("\t".join([folder, str(max_length), json.dumps(line), *numbers]))
    return "".join(row + "\n" for row in rows)


def write_golden():
    rows = golden_rows()
    (GOLDEN / "tokenizer.tsv").write_text(rows)
    print(f"{rows.count(chr(10))} rows")
    return 0


def check_golden():
    """The committed rows are what the package says today."""
    wrong = golden_rows() != (GOLDEN / "tokenizer.tsv").read_text()
    print("golden rows:", "not those of this tokenizers package" if wrong else "current")
    return int(wrong)


def check_all():
    subprocess.run(["make", "-s", PROGRAM], check=True)
    wrong = check_golden()
    for name in ("tokenizer", "tokenizer-cased", "tokenizer-roberta"):
        wrong += check_export(GOLDEN / name)
        wrong += check_strings(GOLDEN / name, 2000)
    wrong += check_unicode(1)
    shared = Path(os.environ.get("RETORT_SHARED", "../shared"))
    archives = sorted(shared.glob("datasets/*.tar.gz"))
    if archives:
        wrong += check_texts(shared / "models/minilm-l6-ce", archives)
    else:
        print(f"SKIPPED: no collections in {shared}/datasets", file=sys.stderr)
    return min(wrong, 1)


def check_export(folder, length=61):
    """An export in the tokenizers package, in transformers and here, against the original."""
    from transformers import AutoTokenizer

    exported = tempfile.mkdtemp()
    subprocess.run([PROGRAM, folder, str(length), exported], check=True, stdin=subprocess.DEVNULL)
    config = json.loads(Path(exported, "tokenizer_config.json").read_text())
    raw = Tokenizer.from_file(str(Path(exported, "tokenizer.json")))
    auto = AutoTokenizer.from_pretrained(exported)
    assert auto.model_max_length == config["model_max_length"] == length
    assert raw.truncation["max_length"] == length and not raw.padding and "max_length" not in config
    strings = awkward_strings(20000)[::7]
    expected, _ = theirs(reference(folder), strings, length)
    found, _ = ours(exported, strings, length)
    wrong = 0
    for line, want, here in zip(strings, expected, found):
        everywhere = [here[0], raw.encode(line).ids, auto(line, truncation=True)["input_ids"]]
        if any(ids != want[0] for ids in everywhere):
            wrong += 1
            print(ascii(line)[:200], want[0][:40], *(ids[:40] for ids in everywhere))
    print(f"export: {len(strings)} compared in three readers, {wrong} differ")
    return 1 if wrong else 0


def main(arguments):
    if not arguments:
        return check_all()
    verb, rest = arguments[0], arguments[1:]
    if verb == "texts":
        return check_texts(rest[0], rest[1:])
    verbs = {"strings": check_strings, "unicode": check_unicode, "write": write_golden}
    verbs["export"] = check_export
    return verbs[verb](*rest)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
