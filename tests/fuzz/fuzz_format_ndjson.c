/* Objects that are events and objects that are not. */
#include "format_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_options o = {.type = S("t"), .map = S("id=id,time=/at/0,actor=who")};

    check_format("ndjson", &o, "\n", data, size);
    return 0;
}
