# A collection of 40 short documents, scored pairs of sentences, and jobs on them with the tiny cross-encoder, for the
# tests that run commands.  To be sourced, in place of tests/support.sh: . tests/distill/tiny_job.sh
. tests/support.sh
teacher=$PWD/tests/golden/cross_encoder
[ -f "$teacher/model.safetensors" ] || { echo "SKIPPED: no $teacher" && exit 0; }

# A BEIR folder: document i is about one subject and one place; queries ask for both.
make_collection() { # FOLDER
    mkdir -p "$1/qrels"
    awk -v folder="$1" '
        BEGIN {
            subjects = split("cat dog bird fish horse cell gene drug", subject)
            places = split("house river tree moon fire", place)
            verbs = split("sat ran slept ate saw", verb)
            colours = split("red blue green old new small large", colour)
            for (i = 0; i < subjects * places; i++) {
                s = subject[i % subjects + 1]
                p = place[int(i / subjects) + 1]
                text = "the " colour[i % colours + 1] " " s " " verb[i % verbs + 1] " by the " p
                if (i % 3 == 0) text = text " and the " s " is in the " p " of the " s
                printf "{\"_id\": \"d%d\", \"title\": \"%s\", \"text\": \"%s.\"}\n", i, \
                    i % 4 ? "" : s, text > (folder "/corpus.jsonl")
            }
            split("train test", splits)
            for (i in splits)
                print "query-id\tcorpus-id\tscore" > (folder "/qrels/" splits[i] ".tsv")
            for (q = 0; q < 28; q++) {
                d = (q * 7) % (subjects * places)
                printf "{\"_id\": \"q%d\", \"text\": \"where is the %s of the %s\"}\n", q, \
                    subject[d % subjects + 1], place[int(d / subjects) + 1] \
                    > (folder "/queries.jsonl")
                file = folder "/qrels/" (q < 20 ? "train" : "test") ".tsv"
                printf "q%d\td%d\t%d\n", q, d, 2 > file
                if (q % 5 == 0) printf "q%d\td%d\t%d\n", q, (d + 1) % 40, 1 > file
            }
        }'
}

# A job that takes a second: a checkpoint after every step, so that a kill may hit anywhere.
make_job() { # FILE COLLECTION
    cat >"$1" <<END
name: tiny
threads: 2
precision: f32
data: {collection: $2, max_query_tokens: 16, max_document_tokens: 24, dev_fraction: 0.3}
teacher: {model: $teacher, max_length: 40}
mine: {depth: 12, scored: 8, negatives_per_query: 3}
student: {init: {from: teacher, layers: [1, 2]}, projection: 16, taps: [[1, 8], [2, 16]]}
distill:
  hpd: {epochs: 1, batch_texts: 16}
  epochs: 2
  batch_queries: 6
  checkpoint_minutes: 0
evaluate: {dims: [4, 8, 16], resamples: 100, measures: [ndcg_cut_10, map]}
export: {pick: "layers = 2 dim = 8"}
END
}

# Scored pairs: two sentences of one subject, place and colour each; the score counts what they share.
make_pairs() { # FOLDER
    mkdir -p "$1"
    awk -v folder="$1" '
        BEGIN {
            split("cat dog bird fish horse", subject)
            split("house river tree moon fire", place)
            split("red blue green old", colour)
            split("train 60 dev 20 test 24", splits)
            for (s = 1; s < 6; s += 2) {
                file = folder "/" splits[s] ".tsv"
                print "score\tsentence1\tsentence2" > file
                for (i = 0; i < splits[s + 1]; i++) {
                    k += 1
                    a = k * 7 % 5; b = i % 4 ? a : (a + 1) % 5
                    c = k * 3 % 5; d = i % 3 ? c : (c + 2) % 5
                    e = k * 5 % 4; f = i % 2 ? e : (e + 1) % 4
                    first = k == 1 ? "grey" : colour[e + 1] # of train alone: splits number sentences differently
                    printf "%.1f\tthe %s %s sat by the %s\ta %s %s in the %s\n", \
                        2 * (a == b) + 2 * (c == d) + (e == f), first, subject[a + 1], \
                        place[c + 1], colour[f + 1], subject[b + 1], place[d + 1] > file
                }
            }
        }'
}

make_pairs_job() { # FILE PAIRS
    cat >"$1" <<END
name: pairs
threads: 2
precision: f32
data: {pairs: $2, max_document_tokens: 24}
teacher: {model: $teacher, max_length: 40}
student: {init: {from: teacher, layers: [1, 2]}, projection: 16, taps: [[1, 8], [2, 16]]}
distill:
  hpd: {epochs: 1, batch_texts: 16}
  epochs: 4
  batch_queries: 10
  learning_rate: 1e-3
  pair_targets: [labels, teacher]
  checkpoint_minutes: 0
evaluate: {dims: [4, 8, 16], resamples: 100}
export: {pick: largest spearman}
END
}
