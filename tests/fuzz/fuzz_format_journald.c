/* Entries of the journal, with binary and missing values. */
#include "format_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_options o = {.host = S("web1")};

    check_format("journald", &o, "\n", data, size);
    return 0;
}
