#!/bin/sh
# scripts/teacher_pairs.py on the tiny collection: who is scored, and that a score is the logit of retort score plus so
# many cosines of retort embed.
command -v python3 >/dev/null || {
    echo "SKIPPED: a test of scripts/teacher_pairs.py needs python3" >&2
    exit 0
}
. tests/distill/tiny_job.sh
export RETORT
make_collection "$folder/tiny"
sed -n '1p;/^q1\t/p' "$folder/tiny/qrels/train.tsv" >"$folder/tiny/qrels/dev.tsv"
encoder=$teacher # its hidden states
make_them() { # ARGUMENTS...
    python3 scripts/teacher_pairs.py --teacher "$teacher" --encoder "$encoder" --max-length 40 --per-query 6 \
        --depth 8 "$@"
}
make_them --weight 3 "$folder/tiny" "$folder/pairs" 2>"$folder/err" || wrong "teacher_pairs: $(cat "$folder/err")"

# Every train query has 3 to 6 documents (BM25 and the encoder may find the same), a labelled one among them.
cut -f 2 "$folder/pairs/train.tsv" | sort | uniq -c >"$folder/counts"
awk '$1 < 3 || $1 > 6' "$folder/counts" | grep -q . && wrong "not 3 to 6 documents a query: $(cat "$folder/counts")"
[ "$(wc -l <"$folder/counts")" -eq 20 ] || wrong "not 20 train queries: $(cat "$folder/counts")"
[ -s "$folder/pairs/dev.tsv" ] || wrong "no dev pairs"

# The scores, by retort's own commands.
cut -f 2- "$folder/pairs/train.tsv" >"$folder/texts"
"$RETORT" score --quiet --teacher "$teacher" --max-length 40 "$folder/texts" >"$folder/logits"
for column in 1 2; do
    cut -f $column "$folder/texts" | "$RETORT" embed --quiet --model "$encoder" --output "$folder/$column.npy" -
done
python3 - "$folder" <<'END' || wrong "scores are not logits and cosines"
import array, sys
folder = sys.argv[1]
def rows(name):
    with open(f"{folder}/{name}.npy", "rb") as file:
        head = file.read(10)
        file.read(int.from_bytes(head[8:10], "little"))
        return array.array("f", file.read())
lines = [float(line.split("\t")[0]) for line in open(f"{folder}/pairs/train.tsv")]
logits = [float(line) for line in open(f"{folder}/logits")]
u, v = rows("1"), rows("2")
width, worst = len(u) // len(lines), 0
for i, score in enumerate(lines):
    at = slice(i * width, (i + 1) * width)
    dot = sum(a * b for a, b in zip(u[at], v[at]))
    lengths = (sum(a * a for a in u[at]) * sum(b * b for b in v[at])) ** 0.5
    worst = max(worst, abs(score - logits[i] - 3 * dot / lengths))
sys.exit(worst > 2e-3 and f"off by {worst}")
END

# What was made is not made again; what is not there is named.
before=$(ls -l "$folder/pairs/scores.trec")
make_them --weight 3 "$folder/tiny" "$folder/pairs" || wrong "a second call fails"
[ "$before" = "$(ls -l "$folder/pairs/scores.trec")" ] || wrong "pairs are scored again"
make_them "$folder/nowhere" "$folder/other" 2>"$folder/err" && wrong "a collection that is not there passes"
[ "$(wc -l <"$folder/err")" -eq 1 ] && grep -q nowhere "$folder/err" || wrong "not one sentence: $(cat "$folder/err")"
exit $wrong
