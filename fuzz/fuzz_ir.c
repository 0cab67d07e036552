#include "nn/graph.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is the .xml; the .bin is always the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t weights[4096];
    nn_graph graph;
    fg_error err;
    for (size_t i = 0; i < sizeof weights; i++)
        weights[i] = (uint8_t)(i * 7);
    nn_graph_init(&graph, "fuzz.xml");
    if (nn_ir_read(&graph, data, size, weights, sizeof weights, &err) == FG_OK) {
        int height = graph.input_dims[2] ? graph.input_dims[2] : 64;
        int width = graph.input_dims[3] ? graph.input_dims[3] : 64;
        if (nn_graph_lower(&graph, height, width, &err) == FG_OK &&
            nn_graph_fuse(&graph, height, width, &err) != FG_OK && !err.msg[0])
            abort();
    }
    nn_graph_deinit(&graph);
    return 0;
}
