#!/bin/sh
# scripts/results.py with made-up results: means, differences, verdicts and the page's parts.
command -v python3 >/dev/null || {
    echo "SKIPPED: a test of scripts/results.py needs python3" >&2
    exit 0
}
. tests/support.sh
results=$folder/results
mkdir -p "$results/dev"

# row NAME GROUP SYSTEM STEP POINT...: 50 queries; query i has BASE + STEP * (i % 5) at POINT, LAYERS,DIM,BASE[,SYSTEM].
row() {
    name=$1 group=$2 system=$3 step=$4
    shift 4
    printf '%s\n' "$@" | awk -F , -v OFS='\t' -v group="$group" -v name="$system" -v step="$step" '
        BEGIN {
            print "fact", "collection", "made"
            print "fact", "group", group
            print "fact", "system", name
            print "fact", "seeds", "13 14"
            print "fact", "taps", "1,32", "2,64", "3,128", "6,128", "6,384"
            print "fact", "teacher", "a teacher", "nothing"
            print "fact", "steps", "10"
            print "fact", "pairs_scored", 100
            print "fact", "teacher_minutes", "1.0"
            print "fact", "train_minutes", group == "sentence-transformers" ? "9.0" : "3.0"
            print "fact", "minutes", "4.0"
            print "fact", "peak_megabytes", 99
            print "fact", "processor", "one of them, avx2"
            print "fact", "split", "test"
            print "fact", "queries", "a hash"
        }
        {
            grid = $4 == "" ? "student" : $4
            line = "queries" OFS grid OFS $1 OFS $2 OFS "ndcg_cut_10"
            for (i = sum = 0; i < 50; i++) {
                line = line OFS ($3 + step * (i % 5))
                sum += ($3 + step * (i % 5)) / 50
            }
            print "value", grid, $1, $2, "ndcg_cut_10", 13, sum - 0.01, 0, 1
            print "value", grid, $1, $2, "ndcg_cut_10", 14, sum + 0.01, 0, 1
            print line
        }' >"$results/$name.tsv"
}

make_page() { # with fewer draws than usual
    DRAWS=200 python3 scripts/results.py "$folder" "$folder/rows.tsv" >"$folder/out" 2>&1 ||
        wrong "results: $(cat "$folder/out")"
}

DRAWS=200 python3 scripts/results.py "$folder" 2>"$folder/err" && wrong "no results, and no failure"
grep -q 'make experiments' "$folder/err" || wrong "without results it says $(cat "$folder/err")"

row made-retort recipe retort 0.02 1,32,0.4 2,64,0.5 3,128,0.58 6,128,0.6 6,384,0.6 \
    1,32,0.5,pca 2,64,0.5,pca 3,128,0.58,pca 6,128,0.6,pca 6,384,0.6,pca
row made-matryoshka2d recipe matryoshka2d 0.02 1,32,0.1 6,384,0.6
row made-start baseline start 0.01 0,0,0.45,bm25 0,0,0.7,teacher 1,32,0.01
row made-separate-1-32 separate separate 0.05 1,32,0.3
row made-separate-2-64 separate separate 0.02 2,64,0.55
row made-separate-6-384 separate separate 0.03 6,384,0.58 6,128,0.5,pca
row made-longer longer longer 0.02 1,32,0.45 2,64,0.55
row made-from-random 'start of' from-random 0.02 1,32,0.2
row made-no-labels ablation no-labels 0.02 1,32,0.35
row made-with-hpd HPD with-hpd 0.02 1,32,0.35
cp "$results/made-no-labels.tsv" "$results/made-retort.tsv" "$results/dev"
row made-st-matryoshka2d sentence-transformers st-matryoshka2d 0.02 1,32,0.1 6,384,0.5
printf 'row\nmade-start\nmade-retort\n' >"$folder/rows.tsv"
make_page

line() { # LINE: of results.tsv
    grep -qx "$1" "$folder/results.tsv" || wrong "results.tsv has no line $1"
}
line 'made	retort	1	32	ndcg_cut_10	0.4400	0.43[0-9]*	0.44[0-9]*	2	4.0'
line 'made	no-labels	1	32	ndcg_cut_10 less retort	-0.0500	-0.0500	-0.0500	2	4.0'
line 'made	separate	1	32	ndcg_cut_10 less retort	-0.0400	-0.0[0-9]*	-0.0[0-9]*	2	4.0'
line 'made	bm25			ndcg_cut_10	0.4700	0.[0-9]*	0.[0-9]*	2	4.0'
line 'made	pca of retort	1	32	ndcg_cut_10 less retort	0.1000	0.1000	0.1000	2	4.0'
line 'made	pca of separate	6	128	ndcg_cut_10	0.5600	0.[0-9]*	0.[0-9]*	2	4.0'
[ "$(awk -F '\t' 'NF != 10' "$folder/results.tsv" | wc -l)" -eq 0 ] || wrong "results.tsv has not ten columns"
[ "$(sed -n 2p "$folder/results.tsv" | cut -f 2)" = bm25 ] || wrong "the rows' order is not that of rows.tsv"

says() { # WORDS: a fixed string of results.md
    grep -qF -- "$1" "$folder/results.md" || wrong "results.md does not say: $1"
}
grep -q 'pca of retort: ' "$folder/results.md" && wrong "the default cut by a PCA is taken for another recipe"
says 'a teacher, which has seen nothing.'
says 'BM25 .470 ['
says '| **retort** | .440 ['
says '±.014'
says '| 1, 32 | +.040 ['
says '| the default is |'
grep -q '^| 1, 32 | +.040 .* | better |$' "$folder/results.md" || wrong "(1, 32) is not better than separate"
grep -q '^| 2, 64 | -.050 .* | worse |$' "$folder/results.md" || wrong "(2, 64) is not worse than separate"
grep -q '^| 1, 32 | +.090 .* | better |$' "$folder/results.md" || wrong "longer, (1, 32) is not better than separate"
says '| longer | +.050 [.050, .050] | +.050 [.050, .050] |  |  |  | +.050 [.050, .050] |'
grep -q '^| 6, 384 | .* | not told apart |$' "$folder/results.md" || wrong "(6, 384) is told apart"
says '(3, 128) keeps 96.88 % ['
says 'wanted are 97 %: missed.'
says '| no-labels | -.050 [-.050, -.050] |  |  |  |  | -.050 [-.050, -.050] | pays |'
says '| matryoshka2d | -.300 [-.300, -.300] |  |  |  | +.000 [.000, .000] | -.150 [-.150, -.150] |'
says 'mean over the taps: -.050 [-.050, -.050]: worse.'
says 'The same on the dev split'
says '| matryoshka2d less st-matryoshka2d | 6, 384 | +.100 [.100, .100] | 3.0 : 9.0 |'
says '| separate (1, 32) | 2 | 10 | 100 | 1.0 | 3.0 | 4.0 | 99 |'
says '![made](results/made.svg)'
python3 -c 'import sys, xml.dom.minidom as dom; dom.parse(sys.argv[1])' "$results/made.svg" || wrong "no SVG"

# The overview: the best of those with all taps, and means over what both have.
says '| [made](#made) | .576 [.5'
grep -q '^| .made..*matryoshka2d' "$folder/results.md" && wrong "a recipe of two taps is compared over five"

# Of pairs there are no values by query, but the correlation of each resample: paired, too.  Without them, a seed's
# interval stands, and what a tap keeps.
pairs() { # SYSTEM LESS: as the default, but so much less in every resample
    awk -F '\t' -v OFS='\t' -v less="$2" '
        $1 == "queries" { $1 = "draws"; for (i = 6; i <= NF; i++) $i -= less }
        $1 == "value" { $7 -= less }
        $1 == "fact" && $2 == "collection" { $3 = "pairs" }
        $1 == "fact" && $2 == "system" { $3 = name }
        { sub("ndcg_cut_10", "spearman"); print }' name="$1" "$results/made-retort.tsv" >"$results/pairs-$1.tsv"
}
pairs retort 0
pairs ese 0.1
make_page
line 'pairs	retort	1	32	spearman	0.4400	0.4000	0.4800	2	4.0'
line 'pairs	ese	1	32	spearman less retort	-0.1000	-0.1000	-0.1000	2	4.0'
says '| ese: -.100 [-.100, -.100] |'
sed -i '/^draws/d' "$results"/pairs-*.tsv
make_page
line 'pairs	retort	1	32	spearman	0.4400	0.0000	1.0000	2	4.0'
says '| retort | 68.8 | 84.4 | 96.9 |'
says '| published, 12 layers: 2DMSE | 85.9 | 88.8 | 90.3 |'

cp "$folder/results.md" "$folder/first.md"
make_page
cmp -s "$folder/results.md" "$folder/first.md" || wrong "the same results make another page"

# The project's own page is of the project's own results.
mkdir "$folder/own"
cp -r docs/results "$folder/own"
python3 scripts/results.py "$folder/own" || wrong "no page of the project's own results"
for file in results.md results.tsv; do
    cmp -s "docs/$file" "$folder/own/$file" || wrong "docs/$file is stale: python3 scripts/results.py"
done
exit $wrong
