/* Events, batches and documents.  Any bracket, comma or blank may end a value of a batch, and a
 * batch may end too early. */
#include "format_property.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct format_options o = {.host = S("web1")};

    check_format("cloudevents", &o, "\n\r\t ,[]{}", data, size);
    return 0;
}
