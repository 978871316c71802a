/* Who a job's teachers are: what follows from it for other keys, and contradictions. */
#include <stdlib.h>
#include <string.h>

#include "distill/job_keys.h"

bool job_has_scores(const struct job *job)
{
    return !job->teacher.absent || job->teacher.scores.count;
}

bool job_asks_model(const struct job *job)
{
    if (job->teacher.absent) return false;
    return !job->teacher.scores.count || job->teacher.missing == MISSING_TEACHER ||
           !job->teacher.weights.count || job->teacher.weights.items[0] > 0;
}

char *job_teacher_words(const struct job *job)
{
    struct text words = {0};
    if (job->teacher.taught)
        text_printf(&words, "taught by this job from %s, on %s",
                    strcmp(job->teach.init, "random") == 0 ? "random weights" : job->teach.init,
                    job_is_none(job->teach.pairs) ? "the collection's labels" : job->teach.pairs);
    else if (!job->teacher.absent || !job->teacher.scores.count)
        text_puts(&words, job->teacher.model);
    for (size_t i = 0; i < job->teacher.scores.count; i++)
        text_printf(&words, "%sthe scores in %s", words.length ? ", " : "",
                    job->teacher.scores.items[i]);
    return words.bytes;
}

void job_derive_teacher(struct job *job)
{
    job->teacher.taught = strcmp(job->teacher.model, "teach") == 0;
    job->teacher.absent = job_is_none(job->teacher.model);
    if (!job->places[KEY_OF(teacher.precision)]) job->teacher.precision = job->precision;
    if (!job->places[KEY_OF(teacher.missing)])
        job->teacher.missing = job->teacher.absent ? MISSING_DROP : MISSING_TEACHER;
    job->distill.hpd.source = !job_is_none(job->distill.hpd.targets)   ? VECTORS_FILE
                              : !job_is_none(job->distill.hpd.encoder) ? VECTORS_ENCODER
                              : job->teacher.absent                    ? VECTORS_NONE
                                                                       : VECTORS_TEACHER;
    if (!job_has_scores(job) && !job->places[KEY_OF(distill.loss.listwise_kl)])
        job->distill.loss.listwise_kl = 0;
    /* Vectors that the job names are searched and copied. */
    bool named =
        job->distill.hpd.source == VECTORS_ENCODER || job->distill.hpd.source == VECTORS_FILE;
    if (named && !job->places[KEY_OF(mine.sources)]) job->mine.sources |= MINE_TEACHER;
    if (named && !job->places[KEY_OF(distill.hpd.epochs)]) job->distill.hpd.epochs = 2;
    if (job->distill.hpd.epochs > 0 && !job->places[KEY_OF(distill.loss.hpd)])
        job->distill.loss.hpd.start = 1, job->distill.loss.hpd.end = 0.1;
}

bool job_uses_hpd(const struct job *job)
{
    return job->distill.hpd.epochs > 0 || job->distill.loss.hpd.start > 0 ||
           job->distill.loss.hpd.end > 0;
}

bool job_copies_targets(const struct job *job)
{
    return job_uses_hpd(job) || job->distill.loss.align.start > 0 ||
           job->distill.loss.align.end > 0;
}

bool job_uses_vectors(const struct job *job)
{
    if (job->distill.hpd.source == VECTORS_NONE) return false;
    bool pairs = job_has_pairs(job), searched = !pairs && job->mine.sources & MINE_TEACHER;
    return job_copies_targets(job) || searched || (pairs && job->teacher.absent);
}

static int check_weights(const struct job *job, struct error *err)
{
    const struct number_list *weights = &job->teacher.weights;
    size_t teachers = job->teacher.scores.count + !job->teacher.absent;
    double sum = 0;
    if (!weights->count) return 0;
    if (weights->count != teachers)
        return contradiction(job, KEY_OF(teacher.weights), err,
                             "has %zu, but there are %zu teachers: %steacher.scores has %zu files",
                             weights->count, teachers,
                             job->teacher.absent ? "" : "teacher.model is one, ",
                             job->teacher.scores.count);
    for (size_t i = 0; i < weights->count; i++) sum += weights->items[i];
    return sum > 0 ? 0 : contradiction(job, KEY_OF(teacher.weights), err, "are all 0");
}

static int check_align(const struct job *job, struct error *err)
{
    size_t layers = job->distill.align.layers.count, own = job->student.init.layers.count;
    bool weighs = job->distill.loss.align.start > 0 || job->distill.loss.align.end > 0;
    if (weighs && !layers)
        return contradiction(job, KEY_OF(distill.loss.align), err,
                             "is not 0, but distill.align.layers is empty");
    if (!layers) return 0;
    if (layers != own)
        return contradiction(job, KEY_OF(distill.align.layers), err,
                             "has %zu, but student.init.layers give the student %zu; name one for "
                             "each",
                             layers, own);
    if (job->teacher.absent && job->distill.hpd.source != VECTORS_ENCODER)
        return contradiction(job, KEY_OF(distill.align.layers), err,
                             "are a model's, but teacher.model and distill.hpd.encoder are none");
    return 0;
}

/* Keys of HPD, given without those that switch it on. */
static int check_hpd(const struct job *job, struct error *err)
{
    const int rows[] = {KEY_OF(distill.hpd.centred), KEY_OF(distill.hpd.loss),
                        KEY_OF(distill.hpd.batch_texts), KEY_OF(distill.hpd.max_texts),
                        KEY_OF(distill.hpd.learning_rate)};
    if (job_copies_targets(job) || job->places[KEY_OF(distill.hpd.epochs)] ||
        job->places[KEY_OF(distill.loss.hpd)])
        return 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (job->places[rows[i]])
            return contradiction(job, rows[i], err,
                                 "is of HPD, which is off by default; set distill.hpd.epochs, "
                                 "too, for example to 2");
    return 0;
}

/* Who the teachers are. */
static int check_teachers(const struct job *job, struct error *err)
{
    if (job->teacher.absent && job->student.init.kind != INIT_FOLDER)
        return contradiction(job, KEY_OF(student.init.from), err,
                             "is %s, but teacher.model, whose shape that is, is none; name a "
                             "sentence-transformers folder",
                             job->student.init.from);
    if (job->teacher.absent && job->teacher.missing == MISSING_TEACHER)
        return contradiction(job, KEY_OF(teacher.missing), err,
                             "is teacher, but teacher.model is none");
    if (!job_is_none(job->distill.hpd.encoder) && !job_is_none(job->distill.hpd.targets))
        return contradiction(job, KEY_OF(distill.hpd.targets), err,
                             "and distill.hpd.encoder are both given; one of them is copied");
    if (job->distill.hpd.source != VECTORS_TEACHER &&
        (job->distill.hpd.layer != BY_PROBE || job->distill.hpd.form != BY_PROBE))
        return contradiction(job, KEY_OF(distill.hpd.layer), err,
                             "and distill.hpd.form choose among the teacher's layers, whose "
                             "vectors are not what HPD copies; leave them away");
    return check_weights(job, err) || check_align(job, err) || check_hpd(job, err) ? -1 : 0;
}

static int check_teach_losses(const struct job *job, struct error *err)
{
    bool scored = !job_is_none(job->teach.pairs);
    if (job->teach.loss.softmax + job->teach.loss.bce + job->teach.loss.margin_mse +
            job->teach.loss.mse ==
        0)
        return contradiction(job, KEY_OF(teach.loss.softmax), err,
                             "and every other weight in teach.loss is 0");
    if (!scored && job->teach.loss.mse + job->teach.loss.margin_mse > 0)
        return contradiction(
            job, KEY_OF(teach.loss.mse), err,
            "and margin_mse in teach.loss copy scores, which only teach.pairs has; "
            "for labels use softmax and bce");
    return 0;
}

/* How a teacher is taught, where one is. */
static int check_teach(const struct job *job, struct error *err)
{
    if (!job->teacher.taught) return 0;
    bool guided = !job_is_none(job->teach.guide), scored = !job_is_none(job->teach.pairs);
    if (job->teach.shape.hidden_size % job->teach.shape.heads)
        return contradiction(job, KEY_OF(teach.shape.heads), err,
                             "is %d, which does not divide teach.shape.hidden_size %d",
                             job->teach.shape.heads, job->teach.shape.hidden_size);
    if (job->teach.shape.positions < job->teacher.max_length &&
        strcmp(job->teach.init, "random") == 0)
        return contradiction(job, KEY_OF(teach.shape.positions), err,
                             "is %d, less than teacher.max_length %d", job->teach.shape.positions,
                             job->teacher.max_length);
    if (job->teach.init_share > 0 && strcmp(job->teach.init, "random") == 0)
        return contradiction(job, KEY_OF(teach.init_share), err,
                             "is %g, but teach.init is random, whose weights know nothing",
                             job->teach.init_share);
    if (!scored && !job->teach.sources)
        return contradiction(job, KEY_OF(teach.sources), err, "is empty");
    if (job->teach.sources & TEACH_GUIDE && !guided)
        return contradiction(job, KEY_OF(teach.sources), err, "has guide, but teach.guide is none");
    if (scored && guided)
        return contradiction(job, KEY_OF(teach.guide), err,
                             "mixes into labels, but teach.pairs has scores of its own");
    return check_teach_losses(job, err);
}

int job_check_teacher(const struct job *job, struct error *err)
{
    return check_teachers(job, err) || check_teach(job, err) ? -1 : 0;
}
