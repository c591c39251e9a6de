/* Access logs, with escapes, in any state of decay. */
#include "format_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_options o = {.host = S("web1")};

    check_format("access", &o, "\n", data, size);
    return 0;
}
