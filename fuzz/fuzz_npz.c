/* A dataset as .npz: the zip container and the arrays in it. */
#include "dataset_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 4 && data[0] == 'P')
        read_dataset(data, size);
    return 0;
}
