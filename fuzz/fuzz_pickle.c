/* A dataset as a pickle of protocol 2 to 5. */
#include "dataset_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 2 && data[0] == 0x80)
        read_dataset(data, size);
    return 0;
}
