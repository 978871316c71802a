/* Prints a query's vector and its three nearest documents: example MODEL INDEX QUERY */
#include <retort.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct retort_error error = {0};
    struct retort_model *model = NULL;
    struct retort_index *index = NULL;
    struct retort_hit hits[3];
    float *vector = NULL;
    if (argc != 4) return fprintf(stderr, "usage: example MODEL INDEX QUERY\n"), 2;
    const char *query = argv[3];
    if (retort_open(&model, argv[1], NULL, &error) == RETORT_OK) {
        vector = malloc(retort_dim(model) * sizeof *vector);
        retort_embed(model, RETORT_QUERY, &query, 1, vector, &error);
        for (size_t i = 0; i < retort_dim(model); i++) printf("%.9g\n", (double)vector[i]);
    }
    if (error.status == RETORT_OK &&
        retort_index_open(&index, argv[2], NULL, NULL, &error) == RETORT_OK &&
        retort_search(index, &query, 1, 3, hits, &error) == RETORT_OK)
        for (int i = 0; i < 3 && hits[i].id; i++) printf("%s %.9g\n", hits[i].id, hits[i].score);
    if (error.status) fprintf(stderr, "example: %s\n", error.message);
    retort_index_close(index);
    retort_close(model);
    free(vector);
    return error.status;
}
