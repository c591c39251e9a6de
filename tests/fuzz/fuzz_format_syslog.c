/* All forms of syslog; a length before a record ends it anywhere, but each has a "<". */
#include "format_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_options o = {.host = S("web1")};

    check_format("syslog", &o, "\n<", data, size);
    return 0;
}
