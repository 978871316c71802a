#!/usr/bin/env python3
"""Makes tests/golden/cross_encoder: a tiny random BERT cross-encoder with a WordPiece vocabulary of
its own, and what transformers computes with it.  Run from the root:

    python3 scripts/golden_cross_encoder.py          (torch, transformers, tokenizers, safetensors)

pairs.tsv      query<TAB>document
logits.tsv     per pair its logit at 48 tokens (model_max_length, of 64 positions) and at 20
texts.txt      single texts
represent.safetensors
               FORM.LAYER [texts, 32]: mean of the layer's hidden states over the text's own tokens,
               at 20 tokens; FORM single ([CLS] x [SEP]) or pair ([CLS] x [SEP] x [SEP], the
               first copy)

Made with torch 2.15, transformers 5.23, tokenizers 0.23, f32, one sequence at a time.  Weights are
stored as F16, and rounded to it before anything is computed.
"""

import json
import os

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoModelForSequenceClassification, BertConfig
from transformers import BertForSequenceClassification, PreTrainedTokenizerFast

SEED = 5
FOLDER = "tests/golden/cross_encoder"
WORDS = """the a of in on and to is was are with for from by that it as at what how why who when
where which does do not no cat dog bird fish horse sat ran slept ate saw mat house river tree
moon sun star rain wind light water fire earth stone red blue green old new small large fast
slow cell protein gene blood heart brain cancer drug study trial patient risk model query
document word vector layer teacher student score rank learn train test ##s ##ed ##ing ##er ##ly
##ness""".split()

PAIRS = [
    ("what does the cat eat", "the cat ate a small fish on the mat"),
    ("what does the cat eat", "rain and wind at the old house"),
    ("what does the cat eat", "the dog slept"),
    ("how do genes and proteins work", "a study of genes in brain cells with 42 patients"),
    ("how do genes and proteins work", "the horse ran fast to the river"),
    ("Query", "Document"),
    ("query", "document"),
    ("", "an empty query"),
    ("an empty document", ""),
    ("", ""),
    ("a [SEP] b", "[CLS] the mask is [MASK], not [PAD]"),
    ("café naïve", "Ünïcode: 漢字 and emoji \U0001f600!"),
    ("who saw the moon? the sun, the stars...",
     "the old teacher and the new student saw the red moon"),
    ("why is the drug slow",
     "in the trial the drug was fast, not slow, for patients with blood cancer and a risk of heart "
     "disease; the study tested what the old model of 1999 learned and ranked"),
    ("a very long query that goes on and on and on, with rain, wind, fire, water, earth, light, "
     "stone, moon, sun and stars, and then the cat, the dog, the bird, the fish, the horse",
     "short document"),
    ("a very long query that goes on and on and on, with rain, wind, fire, water, earth and stone; "
     "it does not do to stop",
     "a document that is as long as the query: the model learns to rank the words of the query, "
     "and the student learns from the teacher by the score of each document, layer by layer, "
     "vector by vector, and it is slow to train"),
    ("xyzzy plugh", "qwerty uiop 1234567890 (a+b)*c = \"d\""),
    ("cats", "cat"),
    ("the", "the"),
    ("query", "a tab\tin the document is text"),
]
TEXTS = [
    "the cat sat on the mat",
    "cat",
    "",
    "the old teacher and the new student saw the red moon and the green river by the small house",
    "one two three four five six seven eight",
    "a [SEP] b",
    "[SEP]",
    "in the trial the drug was fast, not slow",
]


def make_tokenizer():
    alphabet = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list(".,;:?!-()'\"+*=")
    vocabulary += alphabet + ["##" + c for c in alphabet]
    vocabulary += [w for w in WORDS if len(w.lstrip("#")) > 1]
    ids = {piece: i for i, piece in enumerate(vocabulary)}
    assert len(ids) == len(vocabulary)
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])])
    tokenizer.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    tokenizer.save(f"{FOLDER}/tokenizer.json", pretty=False)
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]",
               "sep_token": "[SEP]", "mask_token": "[MASK]"}
    settings = {"do_lower_case": True, "model_max_length": 48, "tokenizer_class": "BertTokenizer",
                **special, "strip_accents": None, "tokenize_chinese_chars": True}
    with open(f"{FOLDER}/tokenizer_config.json", "w") as file:
        json.dump(settings, file, indent=2)
        file.write("\n")
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=48, **special,
                                   model_input_names=["input_ids", "token_type_ids"])
    return fast, len(vocabulary)


def make_model(vocab_size):
    config = BertConfig(vocab_size=vocab_size, hidden_size=32, num_hidden_layers=3,
                        num_attention_heads=4, intermediate_size=64, max_position_embeddings=64,
                        num_labels=1)
    model = BertForSequenceClassification(config).eval()
    with torch.no_grad():
        for name, values in model.named_parameters():
            spread = 0.3 if values.dim() == 2 else 0.2
            centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
            values.copy_((torch.randn(values.shape) * spread + centre).half().float())
    model.save_pretrained(FOLDER)
    path = f"{FOLDER}/model.safetensors"
    halves = {name: values.half() for name, values in load_file(path).items()}
    save_file(halves, path, metadata={"format": "pt"})
    return AutoModelForSequenceClassification.from_pretrained(FOLDER, dtype=torch.float32).eval()


def truncated(tokenizer, first, second, max_length):
    """As lists of one: for a single call an empty second text is no text."""
    return tokenizer([first], None if second is None else [second], truncation="longest_first",
                     max_length=max_length, return_tensors="pt")


def logit(tokenizer, model, query, document, max_length):
    return model(**truncated(tokenizer, query, document, max_length)).logits[0, 0].item()


def representation(tokenizer, model, text, pair, max_length):
    """Per layer the mean over the first copy's own tokens, or [CLS] where there are none."""
    encoded = truncated(tokenizer, text, text if pair else None, max_length)
    own = torch.tensor([s == 0 for s in encoded.sequence_ids(0)])
    if not own.any():
        own[0] = True
    states = model.bert(**encoded, output_hidden_states=True).hidden_states
    return [h[0][own].mean(dim=0) for h in states]


def write_logits(tokenizer, model):
    with open(f"{FOLDER}/pairs.tsv", "w") as lines, open(f"{FOLDER}/logits.tsv", "w") as logits:
        for query, document in PAIRS:
            lines.write(f"{query}\t{document}\n")
            values = [logit(tokenizer, model, query, document, n) for n in (48, 20)]
            logits.write("\t".join(f"{v:.9g}" for v in values) + "\n")


def write_representations(tokenizer, model):
    with open(f"{FOLDER}/texts.txt", "w") as file:
        file.write("".join(text + "\n" for text in TEXTS))
    expected = {}
    for form in ("single", "pair"):
        rows = [representation(tokenizer, model, text, form == "pair", 20) for text in TEXTS]
        for layer in range(len(rows[0])):
            expected[f"{form}.{layer}"] = torch.stack([row[layer] for row in rows]).contiguous()
    save_file(expected, f"{FOLDER}/represent.safetensors")


def main():
    torch.manual_seed(SEED)
    os.makedirs(FOLDER, exist_ok=True)
    tokenizer, vocab_size = make_tokenizer()
    model = make_model(vocab_size)
    with torch.no_grad():
        write_logits(tokenizer, model)
        write_representations(tokenizer, model)


if __name__ == "__main__":
    main()
