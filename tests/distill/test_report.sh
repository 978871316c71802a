#!/bin/sh
# retort report on a tiny run: its page has the run's numbers, escapes what texts hold, loads
# nothing, is the same page again, and says what a run or a collection lacks.
. tests/distill/tiny_job.sh
page=$folder/run/report.html
retort=$(realpath "$RETORT")

wrong() {
    echo "$*"
    wrong=1
}

report() { # report ARGUMENTS...: must succeed; standard output in $folder/out
    "$RETORT" report "$@" >"$folder/out" 2>"$folder/said" </dev/null ||
        wrong "report $*: status $?: $(cat "$folder/said")"
}

holds() { # holds PAGE STRING
    grep -qF -- "$2" "$1" || wrong "${1##*/} does not hold: $2"
}

# Well-formed, every plot with a title, a description and a table, no script, nothing to load.
check_page() { # check_page PAGE
    if command -v python3 >/dev/null; then
        python3 - "$1" <<'END' || wrong "$1 is not well-formed or lacks something"
import sys
import xml.etree.ElementTree as tree

root = tree.parse(sys.argv[1]).getroot()
html, svg = "{http://www.w3.org/1999/xhtml}", "{http://www.w3.org/2000/svg}"
wrong, ids = [], [e.get("id") for e in root.iter() if e.get("id")]
if len(ids) != len(set(ids)):
    wrong.append("an id stands twice")
for element in root.iter():
    if element.tag in (html + "script", html + "img", html + "iframe", svg + "script", svg + "image"):
        wrong.append(element.tag)
    for name, value in element.attrib.items():
        if name.startswith("on"):
            wrong.append(name)
        if name.endswith(("src", "href")) and not (value[1:] in ids or value == "data:,"):
            wrong.append(name + "=" + value)
for plot in root.iter(svg + "svg"):
    if plot.get("role") != "img":
        if plot.get("aria-hidden") != "true":
            wrong.append("a drawing that is neither a plot nor hidden")
        continue
    title, words = plot.find(svg + "title"), plot.find(svg + "desc")
    if title is None or not title.text or words is None or not words.text:
        wrong.append("a plot without title or description")
    elif plot.get("aria-labelledby") != title.get("id") + " " + words.get("id"):
        wrong.append("a plot that names another title")
for figure in root.iter(html + "figure"):
    if not figure.findall(".//" + svg + "svg") or not figure.findall(".//" + html + "tbody"):
        wrong.append("a figure without plot or table")
print("\n".join(wrong), end="\n" if wrong else "")
sys.exit(bool(wrong))
END
    else
        echo "SKIPPED: no python3 to parse the page"
    fi
    grep -qiE '<script|url\(|@import|(src|href)="?(https?:)?//' "$1" && wrong "$1 loads something"
    [ "$(wc -c <"$1")" -lt 2000000 ] || wrong "$1 is large"
}

make_collection "$folder/collection"
sed -i 's|where is the|<script>alert(1)</script> \& \\"where\\" is the|' "$folder/collection/queries.jsonl"
sed -i 's|"text": "the|"text": "</li><b title=x>the|' "$folder/collection/corpus.jsonl"
printf 'q21\tnowhere\t1\n' >>"$folder/collection/qrels/test.tsv"
make_job "$folder/job.yaml" "$folder/collection"
"$RETORT" run "$folder/job.yaml" --output "$folder/run" >"$folder/out" 2>"$folder/said" </dev/null ||
    { cat "$folder/said" && exit 1; }
grep -q "^retort: .*report.html: open it" "$folder/said" || wrong "the run does not name its report"
check_page "$page"

# ---- the same page again, here and on standard output ----
cp "$page" "$folder/first.html"
report "$folder/run"
cmp -s "$page" "$folder/first.html" || wrong "the command writes another page than the run"
report "$folder/run" --output -
cmp -s "$folder/out" "$folder/first.html" || wrong "another page on standard output"
(cd "$folder" && "$retort" report run --output there.html 2>/dev/null)
cmp -s "$folder/there.html" "$folder/first.html" || wrong "another page from another folder"

# ---- the run's numbers ----
awk -F '\t' 'NR > 1 { printf "%.4f [%.3f, %.3f]\n", $4, $5, $6 }
    NR > 1 && $1 == "student" { printf "%.4f [%.3f, %.3f]\n", $7, $8, $9 }' "$folder/run/grid.tsv" \
    >"$folder/numbers"
grep -c . "$folder/numbers" | grep -qx 32 || wrong "the grid has other rows"
while read -r number; do holds "$page" "$number"; done <"$folder/numbers"
awk -F '\t' '$3 == 2 && $4 == 8 { printf "%+.4f [%+.3f, %+.3f]\n", $6, $7, $8 }' \
    "$folder/run/differences.tsv" >"$folder/numbers"
[ "$(wc -l <"$folder/numbers")" -eq 10 ] || wrong "other differences: $(cat "$folder/numbers")"
while read -r number; do holds "$page" "$number"; done <"$folder/numbers"
awk -F '\t' 'NR > 1 { printf "<td>%.4f</td>\n", $4 }' "$folder/run/probe.tsv" >"$folder/numbers"
while read -r number; do holds "$page" "$number"; done <"$folder/numbers"
for phase in hpd distil no-teacher; do holds "$page" "id=\"losses-$phase-t\""; done
awk -F '\t' '$2 == "dev" { printf "<td>%.4f</td>\n", $5 }' "$folder/run/train/distil.tsv" \
    >"$folder/numbers"
[ -s "$folder/numbers" ] || wrong "no dev values in the log"
while read -r number; do holds "$page" "$number"; done <"$folder/numbers"
for stage in embed mine score train evaluate export; do holds "$page" "<li><b>$stage</b><span>"; done
holds "$page" "<td>$(wc -l <"$folder/run/candidates.trec")</td>"
holds "$page" "$(sed -n 's/.*"grid_dev.tsv".*//; s/.*"differences.tsv": "\(.*\)".*/\1/p' \
    "$folder/run/manifest.json")"
holds "$page" "retort run job.yaml --output again --threads 2 --precision f32"
holds "$page" "<b>2 × 8</b>"

# ---- texts, judgements, the audit ----
holds "$page" '&lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;where&quot; is the'
holds "$page" '&lt;/li&gt;&lt;b title=x&gt;the'
holds "$page" 'class="grade">relevant: 2</span>'
holds "$page" "<th scope=\"row\">test</th>$(printf '<td>%s</td>' 8 11 '1 to 2' 1.4 2 1 0)</tr>"
holds "$page" '<tr><th scope="row">documents</th><td>40</td>'
grep -q "worse on [0-9]*, equal on" "$page" || wrong "no count of better and worse queries"

# ---- the command that it names makes the same model ----
command=$(sed -n 's|.*<pre><code>retort \(run job.yaml .*\)</code></pre>|\1|p' "$page")
(cd "$folder/run" && "$retort" $command 2>/dev/null)
cmp -s "$folder/run/export/model.safetensors" "$folder/run/again/export/model.safetensors" ||
    wrong "the command of the page does not make the run again"

# ---- parts that are not there ----
"$RETORT" run "$folder/job.yaml" --output "$folder/part" --until mine >"$folder/out" \
    2>"$folder/said" </dev/null
report "$folder/part"
check_page "$folder/part/report.html"
for words in "This run is not finished" "No grid.tsv yet" "No training log yet" "No examples yet" \
    "No manifest.json yet" "Nothing is exported yet"; do
    holds "$folder/part/report.html" "$words"
done
mv "$folder/run/trec/teacher.trec" "$folder/teacher.trec"
report "$folder/run" --output "$folder/without.html"
holds "$folder/without.html" "BM25 stands in its place"
mv "$folder/run/trec/bm25.trec" "$folder/bm25.trec"
report "$folder/run" --output "$folder/without.html"
holds "$folder/without.html" "No rankings of the picked student"
mv "$folder/bm25.trec" "$folder/teacher.trec" "$folder/run/trec/"
grep -q "ran again" "$page" && wrong "a fresh run is said to be of two jobs"
cp "$folder/run/stages/mine" "$folder/mine"
printf '%032d\t1.5\n' 7 >"$folder/run/stages/mine"
report "$folder/run" --output "$folder/without.html"
holds "$folder/without.html" "Stage mine ran again"
holds "$folder/without.html" "<li><b>mine</b><span>1.5 s</span>"
mv "$folder/mine" "$folder/run/stages/mine"
mv "$folder/collection" "$folder/gone"
report "$folder/run" --output "$folder/ids.html"
check_page "$folder/ids.html"
holds "$folder/ids.html" "The collection is not there"
holds "$folder/ids.html" '<span class="id">d'
grep -q "script&gt;" "$folder/ids.html" && wrong "texts without a collection"
grep -q "^retort: warning: .*no texts" "$folder/said" || wrong "no warning: $(cat "$folder/said")"
mv "$folder/gone" "$folder/collection"

# ---- what is no run, and what cannot be read ----
fails 1 "not the folder of a run" report "$folder/collection"
fails 1 "not the folder of a run" report "$folder/nowhere"
fails 2 "give one RUN" report
fails 2 "give one RUN" report "$folder/run" "$folder/part"
fails 2 "outpt" report "$folder/run" --outpt x
printf 'system\tlayers\n' >"$folder/part/grid.tsv"
fails 1 "grid.tsv" report "$folder/part" --output "$folder/none.html"
[ ! -e "$folder/none.html" ] || wrong "half a page was written"
cp "$folder/run/grid.tsv" "$folder/part/"
printf 'phase\tkind\tstep\tname\tvalue\nhpd\ttrain\tx\tloss\t1\n' >"$folder/part/train/hpd.tsv"
fails 1 "hpd.tsv:2" report "$folder/part" --output "$folder/none.html"

exit $wrong
