/* distill/teach_set: what a step draws, and its target distributions. */
#include "distill/teach_set.h"
#include "distill/teach_data.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LISTS = 7, ITEMS = 9, OTHERS = 3 };
static const char *const queries[LISTS] = {"a", "b", "c", "d", "e", "f", "g"};
static const char *const documents[ITEMS] = {"0", "1", "2", "3", "4", "5", "6", "7", "8"};

/* Items 0 and 1 are positives of targets 1 and 0.5. */
static struct teach_set make_set(bool labelled)
{
    struct teach_set set = {.labelled = labelled, .others = OTHERS, .seed = 13};
    for (int l = 0; l < LISTS; l++) {
        struct teach_list *list = teach_set_add(&set, queries[l]);
        for (int i = 0; i < ITEMS; i++)
            teach_list_add(list, (struct teach_item){.document = documents[i],
                                                     .target = i == 0   ? 1
                                                               : i == 1 ? 0.5f
                                                                        : 0,
                                                     .guide = (float)i / 10});
    }
    return set;
}

static int item_of(const char *document)
{
    return document[0] - '0';
}

START_TEST(a_labelled_list_has_one_first_and_others_below)
{
    struct teach_set set = make_set(true);
    struct teach_step step = {0};
    bool second_positive = false, lower_grade = false;
    for (uint64_t s = 0; s < 40; s++) {
        teach_step_fill(&step, &set, 4, s);
        ck_assert_int_eq(step.num_lists, s % 2 ? 3 : 4); /* 7 lists by 4 */
        for (int l = 0; l < step.num_lists; l++) {
            int first = step.starts[l], last = step.starts[l + 1];
            ck_assert_int_eq(last - first, 1 + OTHERS);
            ck_assert(step.targets[first] > 0);
            second_positive |= item_of(step.documents[first]) == 1;
            for (int j = first + 1; j < last; j++) {
                ck_assert(step.targets[j] < step.targets[first]);
                lower_grade |= step.targets[j] > 0;
                ck_assert_str_eq(step.queries[j], step.queries[first]);
                for (int k = first; k < j; k++)
                    ck_assert_str_ne(step.documents[j], step.documents[k]);
            }
        }
    }
    ck_assert(second_positive && lower_grade);
    teach_step_free(&step);
    teach_set_free(&set);
}
END_TEST

START_TEST(an_epoch_has_every_list_once)
{
    struct teach_set set = make_set(true);
    struct teach_step step = {0};
    ck_assert_uint_eq(teach_steps_per_epoch(&set, 3), 3);
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        int seen[LISTS] = {0};
        for (uint64_t s = 0; s < 3; s++) {
            teach_step_fill(&step, &set, 3, 3 * epoch + s);
            for (int l = 0; l < step.num_lists; l++) seen[step.queries[step.starts[l]][0] - 'a']++;
        }
        for (int l = 0; l < LISTS; l++) ck_assert_int_eq(seen[l], 1);
    }
    teach_step_free(&step);
    teach_set_free(&set);
}
END_TEST

START_TEST(a_step_depends_on_its_number_alone)
{
    struct teach_set set = make_set(false);
    struct teach_step once = {0}, after = {0};
    teach_step_fill(&once, &set, 4, 5);
    for (uint64_t s = 0; s <= 5; s++) teach_step_fill(&after, &set, 4, s);
    ck_assert_int_eq(once.num_lists, after.num_lists);
    for (int j = 0; j < once.starts[once.num_lists]; j++) {
        ck_assert_str_eq(once.queries[j], after.queries[j]);
        ck_assert_str_eq(once.documents[j], after.documents[j]);
    }
    teach_step_free(&once);
    teach_step_free(&after);
    teach_set_free(&set);
}
END_TEST

START_TEST(useless_lists_are_left_out)
{
    struct teach_set set = {.labelled = true, .others = 2};
    teach_set_add(&set, "empty");
    teach_list_add(teach_set_add(&set, "no negative"), (struct teach_item){"x", 1, 0});
    teach_list_add(teach_set_add(&set, "no positive"), (struct teach_item){"x", 0, 0});
    struct teach_list *good = teach_set_add(&set, "good");
    teach_list_add(good, (struct teach_item){"x", 1, 0});
    teach_list_add(good, (struct teach_item){"y", 0, 0});
    ck_assert_uint_eq(teach_set_prune(&set), 3);
    ck_assert_uint_eq(set.count, 1);
    ck_assert_str_eq(set.lists[0].query, "good");
    teach_set_free(&set);
}
END_TEST

START_TEST(a_list_of_one_is_useful_pair_by_pair)
{
    for (int pointwise = 0; pointwise < 2; pointwise++) {
        struct teach_set set = {.pointwise = pointwise, .others = 2};
        struct teach_step step = {0};
        teach_set_add(&set, "empty");
        teach_list_add(teach_set_add(&set, "one"), (struct teach_item){"x", 4, 0});
        ck_assert_uint_eq(teach_set_prune(&set), 2 - pointwise);
        if (pointwise) {
            teach_step_fill(&step, &set, 4, 0);
            ck_assert(step.num_lists == 1 && step.starts[1] == 1 && step.targets[0] == 4);
        }
        teach_step_free(&step);
        teach_set_free(&set);
    }
}
END_TEST

static void check_distribution(const struct teach_step *step, const struct teach_set *set,
                               struct teach_mix mix)
{
    float *p = xcalloc((size_t)step->starts[step->num_lists], sizeof *p);
    teach_step_distributions(p, step, set, mix);
    for (int l = 0; l < step->num_lists; l++) {
        int first = step->starts[l], last = step->starts[l + 1];
        double targets = 0, guides = 0, scores = 0, sum = 0;
        for (int j = first; j < last; j++) {
            targets += step->targets[j];
            scores += exp(step->targets[j]);
            guides += exp(step->guides[j] / mix.guide_temperature);
        }
        for (int j = first; j < last; j++) {
            double expected =
                set->labelled
                    ? (1 - mix.guide_weight) * step->targets[j] / targets +
                          mix.guide_weight * exp(step->guides[j] / mix.guide_temperature) / guides
                    : exp(step->targets[j]) / scores;
            ck_assert_double_eq_tol(p[j], expected, 1e-6);
            sum += p[j];
        }
        ck_assert_double_eq_tol(sum, 1, 1e-6);
    }
    free(p);
}

START_TEST(distributions_mix_labels_and_guide)
{
    for (int labelled = 0; labelled < 2; labelled++) {
        struct teach_set set = make_set(labelled);
        struct teach_step step = {0};
        teach_step_fill(&step, &set, 4, 2);
        check_distribution(&step, &set, (struct teach_mix){0, 0.05});
        check_distribution(&step, &set, (struct teach_mix){0.4, 0.05});
        teach_step_free(&step);
        teach_set_free(&set);
    }
}
END_TEST

/* A correlation that there is not would be no worse than any. */
START_TEST(equal_logits_measure_nothing)
{
    double scores[] = {1, 2, 3};
    const float flat[] = {0.1f, 0.1f, 0.1f}, rising[] = {-1, 0, 7};
    const struct teach_data data = {.dev_scores = scores, .num_dev = 3};
    ck_assert_double_eq(teach_data_measure(&data, NULL, flat), 0);
    ck_assert_double_eq_tol(teach_data_measure(&data, NULL, rising), 1, 1e-12);
}
END_TEST

int main(void)
{
    const struct test_row rows[] = {TEST(a_labelled_list_has_one_first_and_others_below),
                                    TEST(an_epoch_has_every_list_once),
                                    TEST(a_step_depends_on_its_number_alone),
                                    TEST(useless_lists_are_left_out),
                                    TEST(a_list_of_one_is_useful_pair_by_pair),
                                    TEST(distributions_mix_labels_and_guide),
                                    TEST(equal_logits_measure_nothing),
                                    {0}};
    return run_tests("distill/teach_set", rows);
}
