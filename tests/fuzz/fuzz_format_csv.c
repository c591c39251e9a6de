/* Quotes, line ends in quotes, ragged rows. */
#include "format_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_options o = {.map = S("type=a,subject=b,time=c")};

    check_format("csv", &o, "\n", data, size);
    return 0;
}
