#include "nn/graph.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As far as oneDNN: reading, sorting, folding, fusing and the shapes of a second size. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nn_graph graph;
    fg_error err;
    nn_graph_init(&graph, "fuzz.onnx");
    if (nn_onnx_read(&graph, data, size, &err) == FG_OK) {
        int height = graph.input_dims[2] ? graph.input_dims[2] : 64;
        int width = graph.input_dims[3] ? graph.input_dims[3] : 64;
        uint64_t macs = 0;
        if (nn_graph_lower(&graph, height, width, &err) == FG_OK &&
            nn_graph_fuse(&graph, height, width, &err) == FG_OK) {
            nn_shape *shapes = calloc((size_t)graph.value_count, sizeof *shapes);
            if (shapes &&
                nn_graph_infer(&graph, 3, height / 2 + 1, width + 1, shapes, &macs, &err) == FG_OK &&
                !graph.node_count)
                abort();
            free(shapes);
        }
    }
    nn_graph_deinit(&graph);
    return 0;
}
