/* The package log. */
#include "format_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_options o = {.zone_offset_s = 3600};

    check_format("dpkg", &o, "\n", data, size);
    return 0;
}
