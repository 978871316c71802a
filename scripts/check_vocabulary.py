#!/usr/bin/env python3
"""Compares vocabularies that retort trains with those of Hugging Face's tokenizers package.

    python3 scripts/check_vocabulary.py                   all of these, a minute or two
    python3 scripts/check_vocabulary.py random ROUNDS     small random collections
    python3 scripts/check_vocabulary.py texts ARCHIVE...  all texts of collections, with times
    python3 scripts/check_vocabulary.py write             tests/golden/vocabulary

The package numbers the characters inside words ("##a") in an order that is different at each run,
and of equally frequent pairs takes the one with the smaller numbers.  So it is given the characters
in retort's order, as if they were special tokens; from there on it must train the same tokens.
`texts` also says how far two runs of the package alone differ.

Exits 1 at any difference.  Needs: pip install tokenizers.
"""

import collections
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # one core, so that times compare
from check_tokenizer import PIECES, texts_of
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

PROGRAM = os.environ.get("TRAIN_VOCABULARY", "build/tests/data/train_vocabulary")
GOLDEN = Path("tests/golden/vocabulary")
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
Settings = collections.namedtuple("Settings", "vocab_size min_frequency limit_alphabet lowercase")
GOLDEN_SETTINGS = Settings(400, 2, 60, True)


def bert(lowercase):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


def tokens_of(tokenizer):
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.get)
    assert [vocabulary[token] for token in tokens] == list(range(len(tokens)))
    return tokens


def alphabet(texts, how):
    """The characters that are kept, then those inside words, each by code point."""
    tokenizer = bert(how.lowercase)
    counts, inside = collections.Counter(), set()
    for text in texts:
        normal = tokenizer.normalizer.normalize_str(text)
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal):
            counts.update(word)
            inside.update(word[1:])
    kept = sorted(counts, key=lambda char: (-counts[char], char))
    kept = sorted(kept[: how.limit_alphabet or None])
    return kept + ["##" + char for char in kept if char in inside]


def trained(texts, how, given):
    """The package's tokens, and its seconds; given no alphabet it makes its own."""
    options = dict(vocab_size=how.vocab_size, min_frequency=how.min_frequency, show_progress=False)
    if given or how.limit_alphabet:
        options["limit_alphabet"] = 0 if given else how.limit_alphabet  # 0: none but those given
    tokenizer = bert(how.lowercase)
    trainer = trainers.WordPieceTrainer(special_tokens=SPECIALS + given, **options)
    start = time.process_time()
    tokenizer.train_from_iterator(texts, trainer)
    return tokens_of(tokenizer), time.process_time() - start


def theirs(texts, how):
    return trained(texts, how, alphabet(texts, how))[0]


def ours(texts, how):
    """The tokens, and what the program says of its time and memory; no tokens where it refuses."""
    lines = "".join(json.dumps(text, ensure_ascii=False) + "\n" for text in texts)
    with tempfile.TemporaryDirectory() as folder:
        command = [PROGRAM, *(str(int(setting)) for setting in how), folder]
        run = subprocess.run(command, input=lines.encode(), capture_output=True)
        said = run.stderr.decode().strip()
        if run.returncode:
            return [], said
        tokens = tokens_of(Tokenizer.from_file(str(Path(folder, "tokenizer.json"))))
        assert Path(folder, "vocab.txt").read_text() == "".join(t + "\n" for t in tokens)
        return tokens, said


def differs(what, found, expected):
    if found == expected:
        return 0
    place = next((i for i, pair in enumerate(zip(found, expected)) if pair[0] != pair[1]), None)
    print(f"{what}: {len(found)} tokens, expected {len(expected)}; first difference at", place)
    if place is not None:
        print("  expected", ascii(expected[place : place + 8]))
        print("  found   ", ascii(found[place : place + 8]))
    return 1


def random_texts(rng):
    """Words of few syllables, so that pairs often tie, repeat and are made in several ways."""
    syllables = ["".join(rng.choices("abcdeéßxX"[: rng.randrange(1, 10)], k=rng.randrange(1, 4)))]
    for _ in range(rng.randrange(1, 12)):
        syllables.append("".join(rng.choices("abcdefgh", k=rng.randrange(1, 4))))
    some = lambda most: "".join(rng.choices(syllables, k=rng.randrange(1, most)))
    words = [some(6) for _ in range(rng.randrange(1, 60))]
    words += rng.sample(PIECES, rng.randrange(0, 12))
    weights = [1 / (rank + 1) for rank in range(len(words))]
    line = lambda: " ".join(rng.choices(words, weights, k=rng.randrange(0, 30)))
    return [line() for _ in range(rng.randrange(1, 40))]


def check_random(rounds, seed=5):
    wrong = refused = 0
    for number in range(int(rounds)):
        rng = random.Random(f"{seed} {number}")
        texts = random_texts(rng)
        limit = rng.choice([0, 0, 3, 10])
        how = Settings(rng.randrange(10, 400), rng.randrange(1, 5), limit, rng.random() < 0.7)
        fixed = len(SPECIALS) + len(alphabet(texts, how))
        found, said = ours(texts, how)
        if fixed == len(SPECIALS) or fixed > how.vocab_size:
            refused += 1
            reason = "no words" if fixed == len(SPECIALS) else f"texts alone are {fixed}"
            if reason not in said:
                wrong += differs(f"round {number}, {said}", found, [])
        else:
            wrong += differs(f"round {number}, {how}", found, theirs(texts, how))
    print(f"random: {rounds} compared ({refused} rightly refused), {wrong} differ")
    return wrong


def check_texts(*archives):
    wrong = 0
    for archive in archives:
        texts = texts_of(archive)
        for how in (Settings(8000, 2, 1000, True), Settings(30000, 1, 0, False)):
            given = alphabet(texts, how)
            expected, seconds = trained(texts, how, given)
            found, said = ours(texts, how)
            megabytes = sum(len(text.encode()) for text in texts) / 1e6
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            print(f"{Path(archive).name}, {megabytes:.1f} MB, {how}: {len(found)} tokens")
            print(f"  retort {said}, at most {peak:.0f} MB; tokenizers {seconds:.3f} s")
            wrong += differs(Path(archive).name, found, expected)
            first, second = (trained(texts, how, [])[0] for _ in "12")
            common = len(set(first) & set(second)), len(set(first) & set(found))
            same = sum(a == b for a, b in zip(first, second))
            print(f"  two runs of tokenizers alone: {common[0]} of {len(first)} tokens in both,")
            print(f"  {same} with the same id; {common[1]} of the first are in retort's")
    return wrong


def golden_texts():
    rng = random.Random(8)
    words = """the quick brown foxes jumped over a lazy dog again naïve Zürich ZÜRICH straße banana
        bananas papa aaaa aaaaaa nanana token tokens tokenizer tokenization unhappy unhappily happy
        happiness running runner runs ran don't e-mail 1984 1989 2000 中文 日本語 각각 ไทย שלום מלח
        café cafés résumé lower lowest newer newest wider widest low new wide \u00ad ... [SEP]
        İstanbul ﬁne x² e\u0301te\u0301 🦙 🦙🦙 μm Ωmega ωmega ##ing""".split()
    rng.shuffle(words)
    weights = [1 / (rank + 4) for rank in range(len(words))]
    lines = [" ".join(rng.choices(words, weights, k=rng.randrange(4, 16))) for _ in range(60)]
    return lines + ["", " \t ", "\u00a0\u3000"]


def golden_files():
    texts = golden_texts()
    return {
        "texts.txt": "".join(text + "\n" for text in texts),
        "vocab.txt": "".join(token + "\n" for token in theirs(texts, GOLDEN_SETTINGS)),
    }


def write_golden():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, text in golden_files().items():
        (GOLDEN / name).write_text(text)
        print(f"{GOLDEN / name}: {text.count(chr(10))} lines")
    return 0


def check_golden():
    wrong = any((GOLDEN / name).read_text() != text for name, text in golden_files().items())
    print("golden vocabulary:", "not that of this tokenizers package" if wrong else "current")
    return int(wrong)


def check_all():
    subprocess.run(["make", "-s", PROGRAM], check=True)
    wrong = check_golden() + check_random(500)
    shared = Path(os.environ.get("RETORT_SHARED", "../shared"))
    archives = sorted(shared.glob("datasets/*.tar.gz"))
    if archives:
        wrong += check_texts(*archives)
    else:
        print(f"SKIPPED: no collections in {shared}/datasets", file=sys.stderr)
    return wrong


def main(arguments):
    if not arguments:
        return check_all()
    verb, rest = arguments[0], arguments[1:]
    verbs = {"random": check_random, "texts": check_texts, "write": write_golden}
    return verbs[verb](*rest)


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
